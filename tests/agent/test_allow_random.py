"""Nothing real is acted on at random unless the user says so."""

import pytest

from eyehand.agent.cli.main import main
from eyehand.agent.policies.registry import check_random
from eyehand.errors import UsageError

REAL = ["web:https://example.org", "https://example.org", "HTTP://x", "android:", "desktop:1"]


@pytest.mark.parametrize("spec", REAL)
def test_random_actions_on_something_real_are_refused(spec: str) -> None:
    with pytest.raises(UsageError, match=r"is real: random clicks and keys .* --allow-random"):
        check_random("random", ["cards:number-line", spec], allowed=False)


@pytest.mark.parametrize("spec", REAL)
def test_the_user_may_allow_it_and_other_policies_need_not_ask(spec: str) -> None:
    check_random("random", [spec], allowed=True)
    check_random("model", [spec], allowed=False)
    check_random("expert", [spec], allowed=False)


def test_what_is_simulated_needs_no_permission() -> None:
    check_random("random", ["cards:x", "gym:x", "miniwob:x", "phone:x"], allowed=False)


@pytest.mark.parametrize("command", [["run", "Look", "--env"], ["eval"]])
def test_the_command_line_refuses_before_anything_starts(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "desktop:", "--policy", "random"]) == 2
    assert "--allow-random" in capsys.readouterr().err
