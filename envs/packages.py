"""Debian's packages for what environments need of the system: the one list of them.

Errors, the doctor and the setup all take the names from here.
"""

import re

CHROMIUM = ("chromium", "chromium-sandbox")
FONTS = ("fontconfig", "fonts-liberation", "fonts-dejavu-core", "fonts-noto-color-emoji")
CJK_FONTS = ("fonts-wqy-microhei",)
"""Chinese, Japanese and Korean in 5 MB."""
X_SERVER = ("xvfb",)
X_CAPTURE = ("libxcb-randr0", "libxcb-render0", "libxcb-shm0", "libxcb-xfixes0")
EGL = ("libegl1", "libegl-mesa0", "libgl1-mesa-dri")
OSMESA = ("libosmesa6",)
ADB = ("adb",)

_MISSING_LIBRARY = re.compile(r"(lib[\w.+-]+?\.so[.\d]*): cannot open shared object file")


def apt_command(packages: tuple[str, ...]) -> str:
    """Return the command that installs packages, as a person types it."""
    return f"apt-get install {' '.join(packages)}"


def missing_library(said: str) -> str:
    """Return the shared library that a program lacked, such as "libatomic.so.1".

    Args:
        said: What the program or the dynamic loader printed. Empty where no library was missing.
    """
    found = _MISSING_LIBRARY.search(said)
    return found.group(1) if found else ""


def package_of(library: str) -> str:
    """Return the Debian package of a shared library, by Debian's rule for their names.

    Args:
        library: A name such as "libatomic.so.1": its package is libatomic1. A hyphen stands
            between two digits: "libglib-2.0.so.0" is in libglib2.0-0.
    """
    name, _, version = library.partition(".so")
    version = version.strip(".")
    name = re.sub(r"-(?=\d+\.)", "", name.lower().replace("_", "-"))
    hyphen = "-" if version and name[-1].isdigit() else ""
    return f"{name}{hyphen}{version}"
