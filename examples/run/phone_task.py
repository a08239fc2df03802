"""A phone task: order something in an app of the simulated phone.

    python examples/run/phone_task.py
    python examples/run/phone_task.py --task send-message-to --seed 3

The phone is a simulated one behind the real adb server, so that no device is needed. A task on
your own phone is written `make("android:SERIAL")`; everything else stays as it is.
"""

import argparse

from eyehand import Agent, make
from eyehand.agent import policy_maker


def main() -> None:
    """Let the task's scripted expert solve one episode, and print its touches."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", default="add-to-cart", help="`eyehand suites phone` lists them")
    parser.add_argument("--seed", type=int, default=1, help="draws the phone's contents")
    arguments = parser.parse_args()
    spec = f"phone:{arguments.task}"
    agent = Agent(policy_maker("expert")(spec))
    with make(spec) as environment:
        episode = agent.run(None, environment, seed=arguments.seed)
    print(episode.task)
    for step in episode.steps:
        print(f"  {step.thought or step.effect}")
    print(f"{episode.outcome}, by the state of the phone's apps: {episode.verdict}")


if __name__ == "__main__":
    main()
