"""The expert of FetchPush: from behind the block, through it, towards the goal."""

from typing import Any

import numpy as np

from eyehand.agent.experts.robot.control import REACHED_M, SHUT, Controller, Vector

BEHIND_M = 0.07
"""How far behind the block a push begins: half a block of 5 cm, and the shut fingers."""

TOUCHING_M = 0.03
"""From the block's middle to its side, and a little."""


class Push(Controller):
    """Push the block along the table, from behind it and towards the goal."""

    def __init__(self, world: Any) -> None:
        super().__init__(world)
        self._pushing = False

    def move(self) -> Vector:
        """Go around the block to behind it, then through it towards the goal."""
        way = (self.goal - self.block)[:2]
        direction = way / max(float(np.linalg.norm(way)), 1e-6)
        apart = (self.gripper - self.block)[:2]
        along = float(apart @ direction)
        aside = float(np.linalg.norm(apart - along * direction))
        low = self.gripper[2] - self.block[2] < REACHED_M
        behind = low and along < -TOUCHING_M
        self._pushing = behind and aside < REACHED_M * (2 if self._pushing else 1)
        ahead = self.block
        if self._pushing:
            ahead[:2] += direction * min(float(np.linalg.norm(way)), TOUCHING_M)
            return self.towards(ahead, SHUT, most=0.5)
        ahead[:2] -= direction * BEHIND_M
        return self.around(ahead)
