"""Show this machine's pip configuration to another root folder: `show_pip_configuration.py BOX`.

What pip is told here, by files or by the environment, becomes BOX/etc/pip.conf. Files that it names
are copied to the same paths; local folders that it names are printed, one a line, to be mounted.
"""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

FILES = ("cert", "client-cert", "constraint")
LOCATIONS = ("find-links", "index-url", "extra-index-url")


def settings() -> dict[str, list[str]]:
    """Return what is set for every command, by name; the environment goes before the files."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    found: dict[str, list[str]] = {}
    for line in sorted(listed.splitlines(), reverse=True):  # ":env:" sorts before "global"
        place, _, rest = line.partition(".")
        name, _, value = rest.partition("=")
        if place in ("global", ":env:") and name != "config-file":  # it names a file of here
            found[name] = str(ast.literal_eval(value)).split()
    return found


def local_folder(name: str, value: str) -> Path | None:
    """Return the folder of this machine that a location means; None where it means another."""
    path = Path(value.removeprefix("file://"))
    if not (path.is_absolute() and path.is_dir()):
        return None
    return path if name == "find-links" else path.parent  # an index's files lie beside it


def main(box: Path) -> None:
    """Write the configuration, copy the files, print the folders."""
    found = settings()
    lines = [f"{name} = {' '.join(values)}\n" for name, values in sorted(found.items())]
    (box / "etc/pip.conf").write_text("[global]\n" + "".join(lines))
    for path in (Path(value) for name in FILES for value in found.get(name, ())):
        if path.is_file():
            target = box / path.relative_to("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    folders = {local_folder(name, value) for name in LOCATIONS for value in found.get(name, ())}
    sys.stdout.writelines(f"{folder}\n" for folder in sorted(filter(None, folders)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
