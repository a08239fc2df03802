"""A policy of your own: it balances a pole by looking at the picture, without any model.

    python own_policy.py                             # needs pip install "eyehand[gym]"
    eyehand eval gym:CartPole-v1 --policy own_policy:PoleBalancer --workers 2 --episodes 2

A policy starts a conversation an episode; a conversation decides once a step. Anything that
answers a screen with an action can be evaluated like the model: your network, a remote service.
"""

import numpy as np

from eyehand import make
from eyehand.actions import ActionSpace
from eyehand.agent import Conversation, Decision, Plan, Policy, policy_maker, run_evaluation
from eyehand.envs import Observation

WOOD = (202, 152, 101)  # the pole's colour, RGB


class PoleBalancer(Policy):
    """Pushes the cart to the side to which the pole falls."""

    name = "pole-balancer"
    placement = "worker"  # it is small: every worker gets a copy

    def start(self, task: str, action_space: ActionSpace, seed: int | None = None) -> Conversation:
        """Begin an episode."""
        return _Balancing(action_space)


class _Balancing(Conversation):
    def __init__(self, space: ActionSpace) -> None:
        self.space = space
        self.tilt_px = 0.0

    def decide(self, observation: Observation) -> Decision:
        """Compare where the pole's upper and lower end are, now and a step before."""
        rows, columns = np.nonzero((observation.pixels == WOOD).all(axis=2))
        middle = np.median(rows)
        tilt_px = columns[rows < middle].mean() - columns[rows > middle].mean()
        falling_px, self.tilt_px = tilt_px - self.tilt_px, tilt_px
        side = "push_right" if tilt_px + 10 * falling_px > 0 else "push_left"
        return Decision(
            thought=f"The pole leans by {tilt_px:+.1f} pixels.", action=self.space.build(side, {})
        )


def main() -> None:
    """Evaluate it beside the random policy, on the same seeds."""
    plan = Plan("poles", ["gym:CartPole-v1"], episodes=2, max_steps=200)
    for name in ("random", "own_policy:PoleBalancer"):
        (task,) = run_evaluation(plan, make, policy_maker(name)).tasks
        print(f"{name}: mean reward {task.reward.value:.0f} of 200")


if __name__ == "__main__":
    main()
