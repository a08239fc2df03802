"""How an episode ends, and which exit status that gives."""

import pytest

from eyehand.actions import Action
from eyehand.actions.web import Answer, Finish, Reload
from eyehand.agent.ending import judge
from eyehand.agent.outcome import Outcome

SUCCESS = Finish(status="success", message="all there")
FAILURE = Finish(status="failure", message="no such page")


@pytest.mark.parametrize(
    ("action", "verdict", "terminated", "truncated", "expected"),
    [
        (Reload(), True, True, False, Outcome.SUCCEEDED),
        (Reload(), False, True, False, Outcome.FAILED),
        (Reload(), None, True, False, Outcome.ENDED),
        (Reload(), None, False, True, Outcome.STEP_LIMIT),
        (Reload(), False, False, True, Outcome.FAILED),
        (Reload(), True, False, True, Outcome.SUCCEEDED),
        (SUCCESS, None, True, False, Outcome.CLAIMED),
        (SUCCESS, None, False, False, Outcome.CLAIMED),
        (SUCCESS, True, True, False, Outcome.SUCCEEDED),
        (SUCCESS, False, True, False, Outcome.FAILED),
        (FAILURE, None, True, False, Outcome.GAVE_UP),
        (FAILURE, False, True, False, Outcome.GAVE_UP),
        (Answer(text="42"), None, True, False, Outcome.CLAIMED),
        (Answer(text="42"), True, True, False, Outcome.SUCCEEDED),
        (Answer(text="42"), False, True, False, Outcome.FAILED),
        (None, None, True, False, Outcome.ENDED),
    ],
)
def test_who_says_so_decides_the_outcome(
    action: Action | None,
    verdict: bool | None,
    terminated: bool,
    truncated: bool,
    expected: Outcome,
) -> None:
    ending = judge(action, verdict, terminated, truncated)
    assert ending is not None
    assert ending.outcome is expected
    assert ending.verdict is verdict


def test_an_episode_goes_on_while_nothing_ends_it() -> None:
    assert judge(Reload(), None, False, False) is None
    assert judge(None, None, False, False) is None


def test_the_last_word_is_kept() -> None:
    ending = judge(Answer(text="42"), None, True, False)
    assert ending is not None
    assert ending.message == "42"


def test_exit_statuses_are_those_of_the_command_line() -> None:
    statuses = {outcome.value: outcome.exit_status for outcome in Outcome}
    assert statuses == {
        "succeeded": 0,
        "claimed": 0,
        "failed": 1,
        "gave_up": 1,
        "ended": 1,
        "step_limit": 1,
        "time_limit": 1,
        "token_limit": 1,
        "cost_limit": 1,
        "refused": 1,
        "environment_fault": 3,
        "stopped": 130,
    }
