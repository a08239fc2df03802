"""What a policy sees after an answer that was not performed, or not wholly."""

from dataclasses import replace

import numpy as np

from eyehand.agent.trajectory.records import cut_calls
from eyehand.envs.env import Environment, Observation, Pixels, Video


def look_again(environment: Environment, before: Observation, feedback: str) -> Observation:
    """Observe without acting: the same geometry, the screen as it is now.

    Args:
        environment: What is looked at.
        before: What the answer was made on.
        feedback: Why nothing was performed.
    """
    pixels = environment.render()
    height, width = pixels.shape[:2]
    geometry = replace(before.geometry, width_px=width, height_px=height)
    video = _with_newest(before.video, pixels)
    return Observation(pixels, geometry, before.text, feedback, video)


def with_not_performed(observation: Observation, calls: tuple[str, ...]) -> Observation:
    """Tell the policy which of its further calls were not performed."""
    if not calls:
        return observation
    note = f"only the first call was performed; not performed: {', '.join(cut_calls(calls))}"
    return replace(observation, feedback="; ".join(filter(None, (observation.feedback, note))))


def _with_newest(video: Video | None, pixels: Pixels) -> Video | None:
    """Return a video that ends with the screen as it is now; frames of another size are dropped."""
    if video is None or np.array_equal(video[-1], pixels):
        return video
    earlier = video[1:] if video.shape[1:] == pixels.shape else [pixels] * (len(video) - 1)
    return np.stack([*earlier, pixels])
