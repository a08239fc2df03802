"""Command lines are read as the phone's sh reads them."""

import shlex
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyehand.envs.phone.faults import Faults
from eyehand.envs.phone.shell.runner import Buffer, Shell
from eyehand.envs.phone.shell.system import CommandRecord, PhoneSystem


class Result:
    """What a line did, run without adb."""

    def __init__(self, phone: Any, line: str) -> None:
        self.system = PhoneSystem(phone, Faults())
        out, err = Buffer(), Buffer()
        self.record = CommandRecord(line)
        self.status = Shell(self.system, out, err, threading.Event()).run(self.record)
        self.out = out.content.decode()
        self.err = err.content.decode()


@pytest.mark.parametrize(
    ("line", "output"),
    [
        ("echo a   b", "a b\n"),
        ("echo 'a   b'", "a   b\n"),
        ('echo "it\'s $ \\"x\\" \\$y"', 'it\'s $ "x" $y\n'),
        ("echo a\\ \\ b\\'", "a  b'\n"),
        ("echo 'a'\"b\"c", "abc\n"),
        ("echo '' x", " x\n"),
        ("echo $NOTHING x", "x\n"),
        ("echo one; echo two", "one\ntwo\n"),
        ("echo one\necho two", "one\ntwo\n"),
        ("true && echo yes || echo no", "yes\n"),
        ("false && echo yes || echo no", "no\n"),
        ("false; echo $?", "1\n"),
        ("true; echo status=$?", "status=0\n"),
        ("echo hidden >/dev/null", ""),
        ("ls /none 2>/dev/null; echo $?", "1\n"),
        ("ls /none 2>&1", "ls: /none: No such file or directory\n"),
        ("ls /none >/dev/null 2>&1", ""),
        ("echo x > /sdcard/a; echo y >> /sdcard/a; cat /sdcard/a", "x\ny\n"),
        ("cat < /none", ""),
        ("echo 2 > /sdcard/a; cat /sdcard/a", "2\n"),
        ("echo alpha | grep -c alp", "1\n"),
        ("echo alpha | grep -c beta", "0\n"),
        ("echo a # comment", "a\n"),
        ("echo a#b", "a#b\n"),
        ("echo *", "data sdcard system\n"),
        ("echo '*' \\* no*where", "* * no*where\n"),
        ("/system/bin/echo x", "x\n"),
    ],
)
def test_a_line_does_what_sh_would(phone: Any, line: str, output: str) -> None:
    result = Result(phone, line)
    assert result.out == output
    assert result.err == ""


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("echo 'a", "no closing quote"),
        ('echo "a', "no closing quote"),
        ("echo (a)", "unexpected '('"),
        ("&& echo", "unexpected '&&'"),
        ("echo a >", "unexpected 'newline'"),
        ("echo $(a", "no closing ')'"),
        ("echo a | ; echo b", "unexpected '|'"),
    ],
)
def test_what_sh_cannot_read_runs_nothing(phone: Any, line: str, message: str) -> None:
    result = Result(phone, line)
    assert message in result.err
    assert (result.status, result.out, result.record.executed) == (1, "", [])


def test_an_unknown_command_is_not_found(phone: Any) -> None:
    result = Result(phone, "reboot now; echo $?")
    assert result.err == "/system/bin/sh: reboot: inaccessible or not found\n"
    assert result.out == "127\n"


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("echo $(input tap 1 1)", ["$(input tap 1 1)"]),
        ("echo `input tap 1 1`", ["`input tap 1 1`"]),
        ('echo "x $(input tap 1 1) y"', ["$(input tap 1 1)"]),
        ("echo $(echo $(input tap 1 1))", ["$(echo $(input tap 1 1))"]),
        ("echo '$(input tap 1 1)'", []),
        ("echo \\$\\(x\\)", []),
    ],
)
def test_substitutions_are_reported_and_not_run(phone: Any, line: str, found: list[str]) -> None:
    result = Result(phone, line)
    assert result.record.injections == found
    assert [words[0] for words in result.record.executed] == ["echo"]
    assert phone.calls == []


@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
)
def test_what_is_quoted_arrives_as_it_is(text: str) -> None:
    record = CommandRecord(f"echo -n {shlex.quote(text)}")
    out = Buffer()
    assert Shell(_Nobody.system(), out, out, threading.Event()).run(record) == 0
    assert out.content.decode() == text
    assert record.injections == []


@given(st.text(alphabet="ab '\"\\$`(){};&|<>#*?\n~2=%", max_size=30))
def test_no_line_breaks_the_reader(line: str) -> None:
    out = Buffer()
    status = Shell(_Nobody.system(), out, out, threading.Event()).run(CommandRecord(line))
    assert status in (0, 1, 127)


class _Nobody:
    """No screen: what these lines run needs none."""

    @classmethod
    def system(cls) -> PhoneSystem:
        nobody: Any = None
        return PhoneSystem(nobody, Faults())
