"""What is built is what lies in the folders, and it works without them."""

import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("agent", "envs", "actions", "model", "prompts")
UNWANTED = ("__pycache__", ".pyc", ".partial")


def run(*command: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
    return result


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("--wheel", tmp_path_factory.mktemp("wheel"), "*.whl")


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("--sdist", tmp_path_factory.mktemp("sdist"), "*.tar.gz")


def build(kind: str, out: Path, pattern: str) -> Path:
    """Build with the tools that are installed: no network, no environment of its own."""
    run(
        sys.executable, "-m", "build", kind, "--no-isolation", "--outdir", str(out), str(ROOT),
        cwd=out,
    )  # fmt: skip
    (built,) = out.glob(pattern)
    return built


def files_of_rooms() -> Iterator[str]:
    """Every file of the five folders, as it should lie below `eyehand/`."""
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*")):
            name = path.relative_to(ROOT).as_posix()
            if path.is_file() and not any(part in name for part in UNWANTED):
                yield name


def test_the_wheel_holds_every_file_of_the_folders_once(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert len(names) == len(set(names))
    package = {name for name in names if name.startswith("eyehand/")}
    own = {"__init__.py", "__main__.py", "errors.py", "lazy.py", "py.typed", "version.py"}
    expected = {f"eyehand/{name}" for name in (*files_of_rooms(), *own)}
    assert package == expected
    programs = [name for name in package if name.startswith("eyehand/envs/web/outside/")]
    with zipfile.ZipFile(wheel) as archive:
        assert all(archive.getinfo(name).external_attr >> 16 & 0o100 for name in programs)
    others = [name for name in names if not name.startswith("eyehand/")]
    assert all(".dist-info/" in name for name in others), others
    assert not any("tests/" in name for name in names)


def test_the_sdist_holds_the_real_folders_and_the_tests(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        members = archive.getmembers()
    names = [member.name.split("/", 1)[1] for member in members]
    assert len(names) == len(set(names))
    assert set(files_of_rooms()) <= set(names)
    assert "tests/test_packaging.py" in names
    assert not any(member.issym() for member in members)


@pytest.fixture(scope="module")
def target(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the wheel was installed."""
    target = tmp_path_factory.mktemp("installed") / "target"
    run(
        sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index",
        "--no-compile", "--target", str(target), str(wheel), cwd=target.parent,
    )  # fmt: skip
    return target


def test_an_installed_wheels_demo_says_what_installs_a_browser(
    target: Path, tmp_path: Path
) -> None:
    bare = {"PATH": str(tmp_path), "PLAYWRIGHT_BROWSERS_PATH": str(tmp_path)}
    program = f"import sys; sys.path.insert(0, {str(target)!r})\n" + (
        "from eyehand.agent.cli.main import main\nsys.exit(main(['demo']))\n"
    )
    result = subprocess.run(
        [sys.executable, "-I", "-c", program],
        env=bare, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert (result.returncode, result.stdout, list(tmp_path.iterdir())) == (2, "", [])
    (line,) = result.stderr.splitlines()
    assert line.startswith("eyehand: error: Chromium is not installed; `eyehand doctor --fix")


def test_an_installed_wheel_works_without_the_checkout(target: Path, tmp_path: Path) -> None:
    program = (
        f"import sys; sys.path.insert(0, {str(target)!r})\n"
        "import eyehand, eyehand.prompts, eyehand.agent.experts.miniwob as expert\n"
        "expert.expert_script()\n"
        "from eyehand.actions import ActionSpace\n"
        "from eyehand.actions.web import WEB_ACTIONS\n"
        "eyehand.prompts.render_system(ActionSpace(WEB_ACTIONS), 'keyword', 'zh')\n"
        "print(eyehand.__file__)\n"
        "from eyehand.agent.cli.main import main\n"
        "main(['--help'])\n"
    )
    shown = run(sys.executable, "-I", "-c", program, cwd=tmp_path).stdout
    assert Path(shown.splitlines()[0]).is_relative_to(target)
    assert "usage: eyehand" in shown
    script = run(sys.executable, str(target / "bin" / "eyehand"), "--help", cwd=tmp_path)
    assert "usage: eyehand" in script.stdout


def test_every_version_that_is_asked_for_is_pinned() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    pinned = {str(canonicalize_name(name)): version for name, version in pins.items()}
    installed = {name: metadata.version(name).partition("+")[0] for name in asked_for()}
    assert {name: pinned.get(name) for name in installed} == installed


def asked_for() -> set[str]:
    """Names of what eyehand needs with its extras, and of what that needs in turn.

    Not of what torch needs: it asks for exact versions itself where there is a graphics card.
    """
    found: set[str] = set()
    waiting = [Requirement("eyehand[dev]")]
    while waiting:
        asked = waiting.pop()
        name = canonicalize_name(asked.name)
        if name in found and not asked.extras:
            continue
        found.add(name)
        needs = [] if name == "torch" else metadata.requires(asked.name) or []
        for need in map(Requirement, needs):
            wanted = any(_applies(need, extra) for extra in ("", *asked.extras))
            if wanted and (canonicalize_name(need.name) not in found or need.extras):
                waiting.append(need)
    return found - {"eyehand", "setuptools"}


def _applies(need: Requirement, extra: str) -> bool:
    return need.marker is None or need.marker.evaluate({"extra": extra})
