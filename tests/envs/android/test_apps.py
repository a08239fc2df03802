import pytest

from eyehand.envs.android.apps import App, find_app, parse_activities
from eyehand.errors import InvalidArgument

# As Android 13 answers `cmd package query-activities`, shortened.
ACTIVITIES = """2 activities found:
  Activity #0:
    priority=0 preferredOrder=0 match=0x108000 specificIndex=-1 isDefault=true
    ActivityInfo:
      name=com.android.settings.Settings$Home
      packageName=com.android.settings
      labelRes=0x7f12 nonLocalizedLabel=null icon=0x0 banner=0x0
  Activity #1:
    priority=0 preferredOrder=0 match=0x108000 specificIndex=-1 isDefault=true
    ActivityInfo:
      name=org.example.notes.Main
      packageName=org.example.notes
      labelRes=0x0 nonLocalizedLabel=My Notes icon=0x0 banner=0x0
"""
APPS = [
    App("com.android.settings"),
    App("com.google.android.gm"),
    App("com.android.vending"),
    App("org.example.notes", label="My Notes"),
    App("com.google.android.deskclock"),
    App("com.foo.player"),
    App("com.bar.player"),
]


def test_components_and_labels_are_read() -> None:
    first, second = parse_activities(ACTIVITIES)
    assert first == App(
        "com.android.settings", "com.android.settings/com.android.settings.Settings$Home"
    )
    assert second.label == "My Notes"


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("com.android.settings", "com.android.settings"),
        ("Settings", "com.android.settings"),
        (" settings ", "com.android.settings"),
        ("Gmail", "com.google.android.gm"),
        ("Play Store", "com.android.vending"),
        ("my notes", "org.example.notes"),
        ("Notes", "org.example.notes"),
        ("Clock", "com.google.android.deskclock"),
        ("com.bar.player", "com.bar.player"),
    ],
)
def test_an_app_is_found_by_label_and_by_package(name: str, package: str) -> None:
    assert find_app(name, APPS).package == package


def test_an_app_that_is_not_there_is_refused_with_what_is() -> None:
    with pytest.raises(InvalidArgument, match=r"no app 'Setings'.*settings"):
        find_app("Setings", APPS)
    for signs in ("$(reboot)", "…", "👍", " "):
        with pytest.raises(InvalidArgument, match="no app"):
            find_app(signs, APPS)
    heart = App("org.example.heart", label="❤️")
    assert find_app("❤️", [*APPS, heart]) == heart


def test_two_candidates_are_not_chosen_between() -> None:
    with pytest.raises(InvalidArgument, match=r"com\.foo\.player, com\.bar\.player"):
        find_app("Player", APPS)
