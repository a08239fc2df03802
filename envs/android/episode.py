"""One episode on a device: act once, settle, look, and say what became of the action."""

import time
from dataclasses import replace

from eyehand.actions import Action, android
from eyehand.envs.android.apps import Apps
from eyehand.envs.android.capture import CaptureOutcome
from eyehand.envs.android.display import Displays
from eyehand.envs.android.link import DeviceLink, Undelivered
from eyehand.envs.android.observe import Look, ScreenObserver
from eyehand.envs.android.perform import DeviceActionContext, perform
from eyehand.envs.android.text import DeviceKeyboard
from eyehand.envs.common import UNCHANGED, opened
from eyehand.envs.env import Observation, ScreenGeometry, StepResult
from eyehand.errors import (
    ActionHadNoEffect,
    DeviceDisconnected,
    EnvironmentFault,
    ModelFeedback,
)

# Actions whose purpose is to change what is seen: an unchanged screen is worth telling.
VISIBLE = (android.Tap, android.DoubleTap, android.LongPress, android.Swipe, android.Drag)
CHANGED_TEXT = (
    "The screen changed by itself before the action, which was not performed; look again."
)
BROKEN_TEXT = (
    "The connection to the phone broke during the action, which may or may not have happened; "
    "look at the screen before going on."
)
BLIND_TEXT = "nothing of this screen can be seen, so no point of it can be touched"


class AndroidEpisode:
    """An episode on a device that is connected.

    Args:
        link: The device.
        display_id: Android's number of the display.
        settle_timeout_s: How long a step waits for a screen that changes.
    """

    def __init__(self, link: DeviceLink, display_id: int, settle_timeout_s: float) -> None:
        self.link = link
        self._displays = Displays(link, display_id)
        self._keyboard = DeviceKeyboard(link)
        self._apps = Apps(link, self._displays)
        self._observer = ScreenObserver(link, self._displays, settle_timeout_s)
        self._seen: Look | None = None
        self._reconnects = 0
        self._recovered = ""
        self.last: Observation | None = None

    @property
    def capture_bytes(self) -> int:
        """About how many bytes a capture has; 0 before the first."""
        return self._observer.camera.capacity

    def wake(self) -> None:
        """Wake the phone, and put back a keyboard that an earlier run left switched.

        Raises:
            EnvironmentFault: the device failed.
        """
        # Nothing is lost where the key is pressed twice: it only ever leads to one state.
        self.link.ask("input", "keyevent", "KEYCODE_WAKEUP")
        self._recovered = self._keyboard.extra.recover()

    def open(self, from_home: bool) -> StepResult:
        """Show the home screen where that is wanted, and look.

        Raises:
            EnvironmentFault: the device failed.
        """
        began_s = time.perf_counter()
        if from_home:
            self.link.ask("input", "keyevent", "KEYCODE_HOME")
        view = self._view(began_s, None, None, f"opened {self.link.serial}")
        if self._recovered:
            view.details["recovered"] = self._recovered
        return view

    def step(self, action: Action) -> StepResult:
        """Perform an action of the vocabulary and look at what became of it.

        Where the device drops before anything was performed, and returns with the same screen,
        the action is performed then; with another screen, it is not.

        Raises:
            ModelFeedback: the action was refused; nothing changed.
            EnvironmentFault: the device failed.
        """
        context = self.prepare(action)
        if context is None:
            return self.look_again()
        began_s = time.perf_counter()
        try:
            perform(action, context)
        except Undelivered as error:
            if context.acted:
                return self._interrupted(context, began_s, action, error)
            self._reconnect()
            return self._once_more(action)
        except DeviceDisconnected as error:
            return self._interrupted(context, began_s, action, error)
        except ModelFeedback as refusal:
            if not context.acted:
                raise
            context.failed, context.feedback = True, str(refusal)
        return self.conclude(context, context.effect, action, began_s)

    def prepare(self, action: Action) -> DeviceActionContext | None:
        """Prepare an action; None where the screen is no longer the one that the model saw.

        Raises:
            StaleScreen: a point belongs to another screen.
            ActionHadNoEffect: the screen cannot be seen, and the action touches a point of it.
        """
        last, seen = opened(self.last), opened(self._seen)
        geometry, points = last.geometry, action.points()
        for point in points.values():
            geometry.to_device(point)
        if points and seen.outcome is CaptureOutcome.SECURE_SCREEN:
            raise ActionHadNoEffect(BLIND_TEXT)
        state = self._displays.look()
        if self.link.reconnects != self._reconnects and not self._same_screen():
            return None
        self._reconnects = self.link.reconnects
        if state.screen != seen.state.screen and points:
            return None
        return DeviceActionContext(self.link, state, geometry, self._keyboard, self._apps)

    def conclude(
        self, context: DeviceActionContext, effect: str, action: Action, began_s: float
    ) -> StepResult:
        """Look at what became of an action.

        Args:
            context: What `prepare` returned.
            effect: What the action did.
            action: The action.
            began_s: `time.perf_counter()` when it began.
        """
        elsewhere = self._apps.in_front(context.opened) if context.opened else ""
        if elsewhere:
            context.failed = True
            context.feedback = f"The app was started and is not in front: {elsewhere} is."
        return self._view(began_s, context, action, effect)

    def look_again(self) -> StepResult:
        """Look instead of acting: the screen is no longer the one that the model saw."""
        view = self._view(time.perf_counter(), None, None, "not performed: the screen had changed")
        now = view.observation
        self.last = Observation(now.pixels, now.geometry, now.text, CHANGED_TEXT)
        return replace(view, observation=self.last, failed=True)

    def close(self) -> None:
        """Give the phone its keyboard back; a device that is gone keeps what it has."""
        try:
            self._keyboard.extra.restore()
        except EnvironmentFault:
            return

    # --- looking --------------------------------------------------------------------------

    def _view(
        self,
        began_s: float,
        context: DeviceActionContext | None,
        action: Action | None,
        effect: str,
    ) -> StepResult:
        acted_s = time.perf_counter()
        before = self._seen
        look = self._observer.look(before.frame if before else None, acted_s)
        feedback = self._told(context, action, before, look)
        observation = Observation(look.pixels, _geometry(look), look.text, feedback)
        self.last, self._seen = observation, look
        self._reconnects = self.link.reconnects
        timings_s = {"act": acted_s - began_s, **look.timings_s}
        return StepResult(
            observation,
            effect,
            failed=context.failed if context else False,
            timings_s=timings_s,
            details={"capture": look.outcome.value},
        )

    def _told(
        self,
        context: DeviceActionContext | None,
        action: Action | None,
        before: Look | None,
        look: Look,
    ) -> str:
        """Return what the next screen does not show: a failure, or that nothing changed."""
        if context is None or context.feedback or before is None:
            return context.feedback if context else ""
        same = look.frame.same(before.frame) and look.outcome is CaptureOutcome.CAPTURED
        if same and isinstance(action, android.TypeText | android.ReplaceText):
            return "Nothing visible changed: no field may have the focus; tap one first."
        if same and isinstance(action, android.Scroll):
            return f"Nothing scrolled {action.direction}: the end, or an area that does not."
        if same and isinstance(action, VISIBLE):
            return UNCHANGED
        return ""

    def _same_screen(self) -> bool:
        """Return whether the screen still is the one that was seen, after a reconnect."""
        frame, state = self._observer.capture()
        seen = self._seen
        return seen is not None and seen.state.screen == state.screen and frame.same(seen.frame)

    # --- a device that dropped ------------------------------------------------------------

    def _reconnect(self) -> None:
        self.link.connect()
        self.link.reconnects += 1

    def _once_more(self, action: Action) -> StepResult:
        """Perform an action of which nothing was performed, unless the screen has changed."""
        context = self.prepare(action)
        if context is None:
            return self.look_again()
        began_s = time.perf_counter()
        try:
            perform(action, context)
        except Undelivered as error:
            raise DeviceDisconnected(str(error)) from error
        except DeviceDisconnected as error:
            return self._interrupted(context, began_s, action, error)
        return self.conclude(context, context.effect, action, began_s)

    def _interrupted(
        self, context: DeviceActionContext, began_s: float, action: Action, error: EnvironmentFault
    ) -> StepResult:
        """Look after a break in the middle of an action, which is not performed again."""
        self._reconnect()
        self._keyboard.extra.restore()
        context.failed, context.feedback = True, BROKEN_TEXT
        return self._view(began_s, context, action, f"interrupted: {context.effect} ({error})")


def _geometry(look: Look) -> ScreenGeometry:
    geometry = look.state.geometry(look.frame.size)
    if look.outcome is not CaptureOutcome.SECURE_SCREEN:
        return geometry
    return ScreenGeometry(
        f"{geometry.screen}:secure",
        geometry.width_px,
        geometry.height_px,
        geometry.device_width,
        geometry.device_height,
        geometry.left,
        geometry.top,
    )
