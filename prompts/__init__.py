"""System prompts as template files, and what renders them."""

from eyehand.prompts.render import render_brief, render_system, render_task

__all__ = ["render_brief", "render_system", "render_task"]
