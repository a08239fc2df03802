"""What can go wrong with a phone, switched on and off while an episode runs."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields

FIRST_DISPLAY_ID = 4619827259835644672  # port 0: the shape of id that SurfaceFlinger gives
SECOND_DISPLAY_ID = 4619827551948147201


@dataclass
class Faults:
    """Switches that an `AdbDevice` reads at every command; set them from any thread.

    Attributes:
        hang_in_open: A stream's opening is never answered.
        hang_in_output: Half of a command's first output is sent, then nothing more, for ever.
        drop_in_output: Half of a command's first output is sent, then the connection is cut; the
            device returns after `back_after_s`.
        back_after_s: When a device cut by `drop_in_output` listens again; None stays away.
        truncated_png: Half of a capture (PNG or raw) is sent, and the command ends as if well.
        black_frame: Captures are black.
        unauthorized: The person never taps "Allow": new connections stay unauthorised.
        slow_shell_s: Seconds before a shell command starts.
        displays: 1, or 2 for a foldable; with 2, `screencap` without `-d` warns before its data.
        active_display: Index of the display that is lit; the other one captures black.
        only_for: Hanging, dropping and slowness hit only command lines that contain this.
    """

    hang_in_open: bool = False
    hang_in_output: bool = False
    drop_in_output: bool = False
    back_after_s: float | None = 0.0
    truncated_png: bool = False
    black_frame: bool = False
    unauthorized: bool = False
    slow_shell_s: float = 0.0
    displays: int = 1
    active_display: int = 0
    only_for: str = ""
    _droppers: list[Callable[[float | None], None]] = field(default_factory=list, repr=False)

    def drop(self, back_after_s: float | None = None) -> None:
        """Cut the connection of every device with these faults, now.

        Args:
            back_after_s: Seconds until the device listens again on its port; None: not by itself.
        """
        for dropper in tuple(self._droppers):
            dropper(back_after_s)

    def clear(self) -> None:
        """Switch everything off. What hangs already keeps hanging until its stream is closed."""
        for each in fields(self):
            if not each.name.startswith("_"):
                setattr(self, each.name, each.default)

    def hits(self, line: str) -> bool:
        """Return whether a command line is one that `only_for` names."""
        return self.only_for in line

    def display_ids(self) -> tuple[int, ...]:
        """Return the physical ids of the displays there are."""
        return (FIRST_DISPLAY_ID, SECOND_DISPLAY_ID)[: self.displays]

    def attach(self, dropper: Callable[[float | None], None]) -> None:
        """Let `drop` reach a device; devices call this themselves."""
        if dropper not in self._droppers:
            self._droppers.append(dropper)

    def detach(self, dropper: Callable[[float | None], None]) -> None:
        """Forget a device that was closed."""
        if dropper in self._droppers:
            self._droppers.remove(dropper)
