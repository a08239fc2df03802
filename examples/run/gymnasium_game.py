"""A Gymnasium game: what an agent sees of it, what it may do, and one episode.

    python examples/run/gymnasium_game.py            # needs pip install "eyehand[gym]"

Any environment that renders RGB arrays joins by its id. Its actions become named calls, its
frames are what the agent looks at, and `success` says when an episode has succeeded.
"""

from pathlib import Path

from PIL import Image

from eyehand import Agent, make
from eyehand.agent import ScriptedPolicy

WAY = ("down", "down", "right", "right", "down", "right")


def call(name: str) -> str:
    """Return a call as a model writes it."""
    return f"✿FUNCTION✿: {name}\n✿ARGS✿: {{}}"


def main() -> None:
    """Look at the lake, then walk over it."""
    lake = make("gym:FrozenLake-v1?is_slippery=false", success="terminated and reward_sum > 0")
    with lake:
        observation, _ = lake.reset(seed=1)
        Image.fromarray(observation.pixels).save(Path("frozen_lake.png"))
        print(f"{lake.instruction}\n  sees {observation}, saved as frozen_lake.png")
        for action_type in lake.action_space.types:
            print(f"  may call {action_type.name}: {action_type.description()}")
        answers = [call("up_left"), *map(call, WAY)]  # the first one does not exist
        episode = Agent(ScriptedPolicy(answers)).run(None, lake, seed=1)
    for step in episode.steps:
        print("  did", step.effect or (step.error and step.error.message))
    print(f"{episode.outcome}, reward {episode.reward:g}")


if __name__ == "__main__":
    main()
