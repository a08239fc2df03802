"""Qwen-Agent's keyword template for Qwen2-VL-Instruct (`fncall_prompt_type: qwen`).

Source: QwenLM/Qwen-Agent, qwen_agent/llm/fncall_prompts/qwen_fncall_prompt.py.
"""

import json
from typing import ClassVar

from eyehand.actions import ActionSpace
from eyehand.prompts.dialects.function_call import own_tool
from eyehand.prompts.dialects.keyword import Keyword

_HEAD = {"en": "# Tools\n\n## You have access to the following tools:",
         "zh": "# 工具\n\n## 你拥有如下工具："}  # fmt: skip
_RULES = {
    "en": "## Insert one of these commands at a time in your reply, when a tool is needed:\n\n"
    "{m}FUNCTION{m}: the tool, one of [{names}]\n{m}ARGS{m}: its input\n"
    "{m}RESULT{m}: what it returned\n{m}RETURN{m}: your reply from the result",
    "zh": "## 需要工具时，在回复中插入如下命令：\n\n"
    "{m}FUNCTION{m}: 工具名称，取值 [{names}] 之一\n{m}ARGS{m}: 工具输入\n"
    "{m}RESULT{m}: 工具结果\n{m}RETURN{m}: 根据结果的回复",
}
_FORMAT = {"en": "Format the arguments as a JSON object.", "zh": "此工具的输入应为JSON对象。"}


class Qwen(Keyword):
    """The tools stand in the system prompt with their JSON schemas."""

    name: ClassVar[str] = "qwen"
    about: ClassVar[str] = "Qwen2-VL-Instruct 2B, 7B and 72B, as Qwen-Agent asks them"

    def own_rules(self, task: str, space: ActionSpace, size_px: tuple[int, int]) -> str:
        """Declare the actions as tools."""
        tools = [own_tool(action_type)["function"] for action_type in space.types]
        described = "\n\n".join(
            f"### {tool['name']}\n\n{tool['name']}: {tool['description']} Parameters: "
            f"{json.dumps(tool['parameters'], ensure_ascii=False)} {_FORMAT[self.language]}"
            for tool in tools
        )
        rules = _RULES[self.language].format(m=self.mark, names=",".join(space.names))
        return f"You are a helpful assistant.\n\n{_HEAD[self.language]}\n\n{described}\n\n{rules}"


DIALECT = Qwen
