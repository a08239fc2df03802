"""What is built is what lies in the folders, and it works without them."""

import json
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
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


def test_the_wheel_holds_neither_benchmarks_nor_fuzzers_nor_examples(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    unwanted = re.compile(r"bench|fuzz|trial|example|scripts/|docs/|conftest", re.IGNORECASE)
    assert [name for name in names if unwanted.search(name)] == []


@dataclass(frozen=True)
class Empty:
    """A virtual environment outside the checkout: the wheel, what it asks for, nothing else."""

    folder: Path

    def run(self, program: str, *arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
        """Run a program of it; of this process's variables it inherits none."""
        return subprocess.run(
            [str(self.folder / "bin" / program), *arguments],
            env={"PATH": str(cwd), "HOME": str(cwd), "PLAYWRIGHT_BROWSERS_PATH": str(cwd)},
            cwd=cwd, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Empty:
    """The wheel installed by pip; what it needs is linked, for downloading torch takes minutes.

    Linked are only the distributions that the wheel's own metadata asks for, and what those ask
    for in turn. `pip check` then says whether anything that was declared is missing.
    """
    folder = tmp_path_factory.mktemp("installed") / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", str(folder), cwd=folder.parent)
    python = folder / "bin" / "python"
    (packages,) = folder.glob("lib/python*/site-packages")
    for name in asked_for(wheel):
        link(metadata.distribution(name), packages)
    pip = (sys.executable, "-m", "pip", "--python", str(python))
    run(*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel), cwd=folder.parent)
    run(*pip, "check", cwd=folder.parent)
    return Empty(folder)


def link(distribution: metadata.Distribution, packages: Path) -> None:
    """Link what lies at the top of a distribution: its packages, its modules, its metadata."""
    tops = {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}
    for top in tops:
        place = packages / top
        if not place.exists():
            place.symlink_to(str(distribution.locate_file(top)))


def test_an_installed_wheel_solves_an_episode_without_the_checkout(
    installed: Empty, tmp_path: Path
) -> None:
    result = installed.run(
        "eyehand", "run", "--env", "cards:number-line", "--seed", "1", "--json", cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr[-2000:]
    episode = json.loads(result.stdout)
    assert (episode["outcome"], episode["reward"]) == ("succeeded", 1.0)
    assert (tmp_path / episode["report"]).is_file()


def test_the_environment_of_the_wheel_is_empty(installed: Empty, tmp_path: Path) -> None:
    program = (
        "import eyehand, sys\n"
        "from importlib.util import find_spec\n"
        "print(eyehand.__file__, sys.path)\n"
        "names = ('pytest', 'hypothesis', 'mypy', 'build', 'ray', 'pygame', 'mkdocs', 'tests')\n"
        "print([name for name in names if find_spec(name)])\n"
    )
    result = installed.run("python", "-c", program, cwd=tmp_path)
    found, unwanted = result.stdout.splitlines()
    assert Path(found.split()[0]).is_relative_to(installed.folder)
    assert str(ROOT) not in found
    assert unwanted == "[]"


def test_an_installed_wheel_has_its_data(installed: Empty, tmp_path: Path) -> None:
    program = (
        "import eyehand.prompts, eyehand.agent.experts.miniwob as expert\n"
        "expert.expert_script()\n"
        "from eyehand.actions import ActionSpace\n"
        "from eyehand.actions.web import WEB_ACTIONS\n"
        "eyehand.prompts.render_system(ActionSpace(WEB_ACTIONS), 'keyword', 'zh')\n"
    )
    result = installed.run("python", "-c", program, cwd=tmp_path)
    assert result.returncode == 0, result.stderr[-2000:]
    assert "usage: eyehand" in installed.run("eyehand", "--help", cwd=tmp_path).stdout


def test_an_installed_wheels_demo_says_what_installs_a_browser(
    installed: Empty, tmp_path: Path
) -> None:
    result = installed.run("eyehand", "demo", cwd=tmp_path)
    assert (result.returncode, result.stdout, list(tmp_path.iterdir())) == (2, "", [])
    (line,) = result.stderr.splitlines()
    assert line.startswith("eyehand: error: Chromium is not installed; `eyehand doctor --fix")


def test_every_version_that_is_asked_for_is_pinned(wheel: Path) -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    pinned = {str(canonicalize_name(name)): version for name, version in pins.items()}
    # torch asks for exact versions itself where there is a graphics card.
    names = asked_for(wheel, "dev", stop_at=("torch",)) - {"setuptools"}
    installed = {name: metadata.version(name).partition("+")[0] for name in names}
    assert {name: pinned.get(name) for name in installed} == installed
    # Debian 12 has Python 3.11.2: a pin that asks for a later one ends `make test` there.
    pythons = {name: metadata.distribution(name).metadata.json for name in names}
    wanted = {name: str(said.get("requires_python", "")) for name, said in pythons.items()}
    assert [name for name, w in wanted.items() if "3.11.0" not in SpecifierSet(w)] == []


def asked_for(wheel: Path, *extras: str, stop_at: tuple[str, ...] = ()) -> set[str]:
    """Names of what a wheel needs with extras, and of what that needs in turn.

    Args:
        wheel: The built file, whose own metadata counts: what is installed may be older.
        *extras: Of the wheel.
        stop_at: Packages whose own needs are not looked at.
    """
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        own = message_from_bytes(archive.read(name)).get_all("Requires-Dist", [])
    found: set[str] = set()
    waiting = [Requirement(f"eyehand[{','.join(extras)}]")]
    while waiting:
        asked = waiting.pop()
        name = str(canonicalize_name(asked.name))
        if name in found and not asked.extras:
            continue
        found.add(name)
        needs = own if name == "eyehand" else metadata.requires(name) or []
        for need in map(Requirement, [] if name in stop_at else needs):
            wanted = any(_applies(need, extra) for extra in ("", *asked.extras))
            if wanted and (canonicalize_name(need.name) not in found or need.extras):
                waiting.append(need)
    return found - {"eyehand"}


def _applies(need: Requirement, extra: str) -> bool:
    return need.marker is None or need.marker.evaluate({"extra": extra})
