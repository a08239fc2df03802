"""What workers are sent: whether they can be, and what to do where they cannot."""

import cloudpickle  # type: ignore[import-untyped]

from eyehand.agent.workers.messages import Setup, packed
from eyehand.errors import UsageError

WHAT_TO_DO = (
    "workers are processes of their own: define it at the top of a module, let it open files, "
    "locks and connections when it is called, or run with one worker"
)


def packed_setup(setup: Setup) -> bytes:
    """Return a setup as bytes.

    Raises:
        UsageError: what makes the environments, or a policy, cannot be sent to another process.
    """
    try:
        return packed(setup)
    except Exception as error:  # pickling runs the code of whatever is pickled
        said = " ".join(str(error).split())
        raise UsageError(
            f"{_culprit(setup)} cannot be sent to workers ({said}); {WHAT_TO_DO}"
        ) from error


def require_known_to_workers(specs: list[str]) -> None:
    """Refuse environments of Gymnasium that no other process can make.

    Raises:
        UsageError: an id is registered by this program alone.
    """
    from eyehand.envs.gym_make import known_here_only

    for spec in specs:
        scheme, _, name = spec.partition(":")
        environment_id = name.partition("?")[0]
        if scheme.lower() == "gym" and known_here_only(environment_id):
            bare = environment_id.rpartition(":")[2]
            raise UsageError(
                f"workers do not know {bare}, which this program registers: register it in a "
                f"module and write gym:MODULE:{bare}, or run with one worker"
            )


def _culprit(setup: Setup) -> str:
    for spec, policy in setup.policies.items():
        if not _sendable(policy):
            return f"the policy {policy.name!r} of {spec}"
    return "what makes the environments"


def _sendable(value: object) -> bool:
    try:
        cloudpickle.dumps(value)
    except Exception:
        return False
    return True
