"""The exceptions of eyehand, by audience.

Tree::

    EyehandError
      ModelFeedback            shown to the model; the episode goes on
        Unparsable             no call could be read from the answer
        UnknownAction          the call names no permitted action
        InvalidArgument        an argument is missing, of the wrong type or not permitted
        OutOfRange             a number or a point lies outside its bounds
        StaleScreen            the point belongs to a screen that is no longer shown
        ActionHadNoEffect      the action was performed and could not do what it says
      EnvironmentFault         infrastructure; never counted as the agent's mistake
        StartUnreachable       the start page (or device) cannot be reached
        BrowserCrashed         the browser process or its page died
        CaptureFailed          the screen could not be captured
        DeviceDisconnected     the device is gone, and did not come back
        DeviceTimeout          the device did not answer in time
        DeviceUnauthorized     the device does not permit this computer to debug it
        RecordingFailed        the trajectory could not be written (a full disk)
        WorkerLost             the process that ran an episode ended in the middle of it
        ClusterUnreachable     no Ray cluster answers at the address
        EndpointFault          the server of a model does not answer
      GuardRefusal             what the guard does not permit
      CheckpointError          a checkpoint folder that cannot be used
        MissingWeight
        UnexpectedWeight
        ShapeMismatch
        BadConfig
      UsageError               the user's mistake: the message says what to do
        MissingExtra           an optional dependency is not installed
        NotEnoughMemory        the model, or what it reads, does not fit
        MissingProgram         a program of the system is not installed or does not start

This module imports nothing, so that every room may import it.
"""


class EyehandError(Exception):
    """Base of every exception that eyehand raises on purpose."""


class ModelFeedback(EyehandError):
    """A mistake of the model. The message is written for the model to read."""


class Unparsable(ModelFeedback):
    """No call could be read from the model's answer."""


class UnknownAction(ModelFeedback):
    """The call names an action that is not permitted here."""


class InvalidArgument(ModelFeedback):
    """An argument is missing, unknown, of the wrong type or not permitted."""


class OutOfRange(ModelFeedback):
    """A number or a point lies outside its declared bounds."""


class StaleScreen(ModelFeedback):
    """A point belongs to a screen that is no longer the current one."""


class ActionHadNoEffect(ModelFeedback):
    """The action was tried and the environment could not carry it out."""


class EnvironmentFault(EyehandError):
    """Infrastructure failed. Counted apart from the agent's mistakes."""


class StartUnreachable(EnvironmentFault):
    """The place where the episode starts (a page, a device) cannot be reached."""


class BrowserCrashed(EnvironmentFault):
    """The browser process or the page's renderer died."""


class CaptureFailed(EnvironmentFault):
    """The screen could not be captured within its time limit."""


class DeviceDisconnected(EnvironmentFault):
    """The device is gone, and did not come back within its bound."""


class DeviceTimeout(EnvironmentFault):
    """The device did not answer within the time limit of a call."""


class DeviceUnauthorized(EnvironmentFault):
    """The device does not permit this computer to debug it."""


class RecordingFailed(EnvironmentFault):
    """The trajectory could not be written, for example because the disk is full."""


class WorkerLost(EnvironmentFault):
    """The process that ran an episode ended in the middle of it."""


class ClusterUnreachable(EnvironmentFault):
    """No Ray cluster answers at the address, or the one that did is gone."""


class EndpointFault(EnvironmentFault):
    """The server behind which the model is does not answer, or with nothing that can be read."""


class GuardRefusal(EyehandError):
    """The guard does not permit the action."""


class CheckpointError(EyehandError):
    """A checkpoint cannot be used; the message names every culprit."""


class MissingWeight(CheckpointError):
    """Weights, or a shard, that the configuration needs are not in the folder."""


class UnexpectedWeight(CheckpointError):
    """The folder holds weights that the configuration has no place for."""


class ShapeMismatch(CheckpointError):
    """A weight's shape differs from what the configuration says."""


class BadConfig(CheckpointError):
    """The configuration is missing, unreadable or contradicts itself."""


class UsageError(EyehandError):
    """The user's or developer's mistake; the message says what to do."""


class MissingExtra(UsageError):
    """An optional dependency is not installed; the message names the extra."""


class NotEnoughMemory(UsageError):
    """The model, or what it reads, does not fit: says what was needed and what there is."""


class MissingProgram(UsageError):
    """A program of the system is not installed or does not start.

    Args:
        message: Says what is missing and how to get it.
        packages: Debian's packages that are likely to help; none where they are not known.
    """

    def __init__(self, message: str, packages: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.packages = packages
