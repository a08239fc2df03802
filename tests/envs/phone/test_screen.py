import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import numpy as np
import pytest

from eyehand.envs.env import Pixels
from eyehand.envs.phone.screen import PhoneScreen
from eyehand.envs.phone.state import ADB_IME, default_state
from eyehand.envs.web.browser import Browser
from eyehand.errors import UsageError


@pytest.fixture(scope="module")
def phone() -> Iterator[PhoneScreen]:
    with PhoneScreen() as screen:
        yield screen


@pytest.fixture
def screen(phone: PhoneScreen) -> PhoneScreen:
    phone.open()
    return phone


def tap(screen: PhoneScreen, *keys: str) -> None:
    for key in keys:
        found = screen.locate(key)
        assert found is not None, f"{key} is not on the screen"
        assert found.point is not None, f"{key} is out of sight"
        screen.tap(*found.point)


def top_of(screen: PhoneScreen, key: str) -> int:
    found = screen.locate(key)
    assert found is not None
    return found.top


def test_a_state_comes_back_as_it_was_given(screen: PhoneScreen) -> None:
    assert screen.state() == default_state()


def test_a_tap_on_an_icon_opens_the_app(screen: PhoneScreen) -> None:
    assert screen.foreground() == ("com.android.launcher", ".HomeActivity")
    for package, label in screen.packages().items():
        if label == "Home":
            continue
        screen.key("HOME")
        tap(screen, f"app-{label.lower()}")
        assert screen.foreground() == (package, ".MainActivity")


def test_letters_are_typed_by_touching_the_keyboard(screen: PhoneScreen) -> None:
    tap(screen, "app-notes", "add", "field-title")
    assert screen.keyboard_shown()
    tap(screen, "key-shift", "key-b", "key-e", "key-e", "key-s", "key-backspace")
    tap(screen, "key-symbols", "key-4", "key-letters", "key-space", "key-u")
    tap(screen, "save")
    assert screen.state()["notes"][0]["title"] == "Bee4 u"
    assert not screen.keyboard_shown()


def test_an_alarm_is_set_by_touch(screen: PhoneScreen) -> None:
    tap(screen, "app-clock", "add", "hour-07", "minute-30", "minute_plus", "save")
    alarm = {"id": 3, "time": "07:31", "label": "", "enabled": True}
    assert screen.state()["alarms"][-1] == alarm


def test_a_contact_is_removed_after_the_question(screen: PhoneScreen) -> None:
    tap(screen, "app-contacts", "contact-2", "delete", "cancel")
    assert len(screen.state()["contacts"]) == 12
    tap(screen, "delete", "confirm")
    assert [one["id"] for one in screen.state()["contacts"]][:2] == [1, 3]


def test_a_reply_moves_its_conversation_to_the_top(screen: PhoneScreen) -> None:
    tap(screen, "app-messages", "conversation-3", "field-reply")
    assert screen.type_text("Zażółć 🎉 नमस्ते")
    screen.key("ENTER")
    newest = screen.state()["messages"][0]
    assert (newest["id"], newest["thread"][-1]) == (
        3,
        {"from": "me", "text": "Zażółć 🎉 नमस्ते", "time": "10:24"},
    )


def test_an_order_is_placed(screen: PhoneScreen) -> None:
    tap(screen, "app-shop", "category-home", "product-2", "quantity_plus_1", "add_to_cart")
    tap(screen, "cart", "place_order", "confirm")
    shop = screen.state()["shop"]
    items = [{"product": 2, "quantity": 2}]
    assert shop["cart"] == []
    assert shop["orders"] == [{"id": 1, "items": items, "total_cents": 7900}]


def test_switches_slider_and_font_change_the_settings(screen: PhoneScreen) -> None:
    tap(screen, "app-settings", "network", "airplane_mode", "up", "display", "dark_theme")
    tap(screen, "font_size", "choice-large")
    track = screen.locate("brightness-track")
    assert track is not None
    y = (track.top + track.bottom) // 2
    screen.swipe(track.left + 10, y, track.left + (track.right - track.left) // 4, y)
    settings = screen.state()["settings"]
    assert settings["airplane_mode"]
    assert settings["dark_theme"]
    assert (settings["font_size"], settings["brightness"]) == ("large", 25)


def test_a_list_follows_the_finger_by_its_distance(screen: PhoneScreen) -> None:
    tap(screen, "app-shop")
    before = top_of(screen, "product-9")
    screen.swipe(500, 2000, 500, 1300)
    assert top_of(screen, "product-9") == before - 700
    screen.swipe(500, 1000, 520, 1600, 800)
    assert top_of(screen, "product-9") == before - 100
    assert screen.foreground() == ("com.android.shop", ".MainActivity")


def test_a_swipe_in_place_is_a_long_press(screen: PhoneScreen) -> None:
    tap(screen, "app-notes")
    found = screen.locate("note-2")
    assert found is not None
    assert found.point is not None
    screen.swipe(*found.point, *found.point, 800)
    tap(screen, "pin")
    assert [note["pinned"] for note in screen.state()["notes"]] == [True, True, False]
    assert [touch.kind for touch in screen.touches()] == ["tap", "long_press", "tap"]


def test_what_is_dragged_after_a_hold_leaves_the_list_where_it_is(screen: PhoneScreen) -> None:
    tap(screen, "app-shop")
    before = top_of(screen, "product-5")
    screen.draganddrop(500, 1800, 500, 1000)
    assert top_of(screen, "product-5") == before
    assert screen.touches()[-1].kind == "drag"


@pytest.mark.parametrize("rotation", range(4))
@pytest.mark.parametrize(
    ("size", "density"), [(None, None), ((720, 1280), None), ((1440, 3120), 560), (None, 253)]
)
def test_the_page_is_touched_exactly_where_it_was_meant(
    screen: PhoneScreen, rotation: int, size: tuple[int, int] | None, density: int | None
) -> None:
    screen.set_size_override(size)
    screen.set_density_override(density)
    screen.set_rotation(rotation)
    width, height = screen.current_size
    assert (width > height) == (rotation % 2 == 1)
    places = [(0, 0), (width - 1, height - 1), (width // 3, height // 7), (width - 1, 0)]
    for x, y in places:
        screen.tap(x, y)
    screen.swipe(width // 2, 11, 13, height - 2)
    seen = screen.touches()
    assert [(touch.x, touch.y) for touch in seen[:4]] == places
    assert (seen[4].x, seen[4].y) == (width // 2, 11)
    assert (seen[4].end_x, seen[4].end_y) == (13, height - 2)


@pytest.mark.parametrize(("size", "rotation"), [(None, 0), (None, 1), ((720, 1280), 3)])
def test_a_capture_has_the_size_of_the_screen(
    screen: PhoneScreen, size: tuple[int, int] | None, rotation: int
) -> None:
    screen.set_size_override(size)
    screen.set_rotation(rotation)
    width, height = screen.current_size
    pixels = screen.capture()
    assert pixels.shape == (height, width, 3)
    assert pixels.dtype == np.uint8


def test_one_state_gives_one_picture(screen: PhoneScreen) -> None:
    def walk(other: PhoneScreen) -> list[Pixels]:
        tap(other, "app-notes", "note-1", "field-body")
        pictures = [other.capture()]
        other.key("APP_SWITCH")
        return [*pictures, other.capture()]

    first = walk(screen)
    screen.open()
    with PhoneScreen() as second:
        second.open()
        for again in (walk(screen), walk(second)):
            assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_a_second_tap_in_a_field_moves_the_caret(screen: PhoneScreen) -> None:
    tap(screen, "app-notes", "note-2", "field-title")
    screen.type_text("!")
    found = screen.locate("field-title")
    assert found is not None
    screen.tap(found.left + 1, (found.top + found.bottom) // 2)
    screen.type_text("New ")
    tap(screen, "save")
    assert screen.state()["notes"][1]["title"] == "New Ideas!"


def test_a_capture_shows_what_was_done_last(screen: PhoneScreen) -> None:
    home = screen.capture()
    assert np.array_equal(screen.capture(), home)
    home[:] = 0  # a picture belongs to whom it was given to
    assert screen.capture().any()
    before = screen.capture()
    for act in (
        lambda: tap(screen, "app-notes"),
        lambda: screen.change_settings(dark_theme=True),
        lambda: screen.set_density_override(320),
        lambda: screen.key("HOME"),
        lambda: screen.launch("com.android.shop"),
    ):
        act()
        after = screen.capture()
        assert not np.array_equal(before, after)
        before = after


def test_back_takes_the_newest_thing_away(screen: PhoneScreen) -> None:
    tap(screen, "app-notes", "note-2", "field-body")
    screen.key("BACK")
    assert not screen.keyboard_shown()
    tap(screen, "delete")
    screen.key("BACK")
    assert screen.locate("dialog") is None
    assert screen.foreground()[1] == ".NoteActivity"
    screen.key("BACK")
    assert screen.foreground()[1] == ".MainActivity"
    screen.key("BACK")
    assert screen.foreground()[0] == "com.android.launcher"
    assert screen.state() == default_state()


def test_recent_apps_come_back_as_they_were_left(screen: PhoneScreen) -> None:
    tap(screen, "app-reader", "article-2", "nav-home", "app-clock", "nav-recents")
    assert screen.foreground() == ("com.android.launcher", ".RecentsActivity")
    screen.swipe(900, 1200, 200, 1200)
    tap(screen, "recent-reader")
    assert screen.foreground() == ("com.android.reader", ".ArticleActivity")
    screen.force_stop("com.android.reader")
    assert screen.launch("com.android.reader")
    assert screen.foreground() == ("com.android.reader", ".MainActivity")
    assert not screen.launch("com.android.nothing")


def test_the_pin_page_is_secure(screen: PhoneScreen) -> None:
    tap(screen, "app-settings", "security")
    assert not screen.secure
    tap(screen, "screen_lock")
    assert screen.secure
    screen.key("BACK")
    assert not screen.secure


def test_a_screen_that_is_off_is_black_and_deaf(screen: PhoneScreen) -> None:
    screen.key("POWER")
    assert not screen.screen_on
    assert not screen.capture().any()
    screen.tap(270, 2200)
    screen.key("HOME")
    screen.key("POWER")
    assert screen.screen_on
    assert screen.foreground()[0] == "com.android.launcher"
    assert screen.capture().any()


def test_text_goes_only_into_a_field(screen: PhoneScreen) -> None:
    assert not screen.type_text("nowhere")
    assert not screen.clear_focused()
    tap(screen, "app-contacts", "contact-1", "edit", "field-name")
    assert screen.clear_focused()
    assert screen.type_text("<b>$(date) `x` %s 'q' \"d\"</b>")
    screen.key("MOVE_HOME")
    screen.key("FORWARD_DEL")
    tap(screen, "save")
    assert screen.state()["contacts"][0]["name"] == "b>$(date) `x` %s 'q' \"d\"</b>"


def test_keys_move_between_fields_and_over_letters(screen: PhoneScreen) -> None:
    tap(screen, "app-contacts", "add", "field-name")
    screen.type_text("Ann 👩‍👩‍👧")
    screen.key("DEL")
    screen.key("TAB")
    screen.type_text("12")
    screen.key_combination(["CTRL_LEFT", "A"])
    screen.type_text("34")
    tap(screen, "save")
    contact = screen.state()["contacts"][-1]
    assert (contact["name"], contact["phone"]) == ("Ann", "34")
    assert not screen.key("NO_SUCH_KEY")


def test_the_other_keyboard_is_a_thin_bar(screen: PhoneScreen) -> None:
    tap(screen, "app-notes", "field-query")
    height = top_of(screen, "keyboard")
    screen.ime = ADB_IME
    assert top_of(screen, "keyboard") > height
    with pytest.raises(UsageError, match="not installed"):
        screen.ime = "com.example/.Ime"


def test_the_hierarchy_tells_what_is_visible(screen: PhoneScreen) -> None:
    tap(screen, "app-contacts")
    root = ET.fromstring(screen.hierarchy().split("?>", 1)[1])
    nodes = {node.get("text"): node for node in root.iter("node") if node.get("text")}
    assert "Alice Moreau" in nodes
    assert "Liam Murphy" not in nodes  # scrolled out of sight
    add = next(
        n for n in root.iter("node") if n.get("resource-id") == "com.android.contacts:id/add"
    )
    found = screen.locate("add")
    assert found is not None
    bounds = f"[{found.left},{found.top}][{found.right},{found.bottom}]"
    assert (add.get("bounds"), add.get("clickable")) == (bounds, "true")
    assert add.get("class") == "android.widget.ImageButton"


def test_settings_change_from_outside(screen: PhoneScreen) -> None:
    screen.change_settings(airplane_mode=True, font_size="small")
    assert screen.state()["settings"]["airplane_mode"]
    with pytest.raises(UsageError, match="brightness"):
        screen.change_settings(brightness=400)


def test_several_threads_may_use_it(screen: PhoneScreen) -> None:
    tap(screen, "app-notes", "add", "field-title")
    threads = [threading.Thread(target=screen.type_text, args=(sign,)) for sign in "abcdef"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tap(screen, "save")
    assert sorted(screen.state()["notes"][0]["title"]) == list("abcdef")


def test_a_closed_screen_says_so_and_opens_again(screen: PhoneScreen) -> None:
    screen.close()
    with pytest.raises(UsageError, match="call open"):
        screen.capture()
    screen.open()
    assert screen.capture().any()


def test_impossible_geometry_is_refused(screen: PhoneScreen) -> None:
    with pytest.raises(UsageError, match="200 to 8000"):
        screen.set_size_override((10, 10))
    with pytest.raises(UsageError, match="72 to 1000"):
        screen.set_density_override(5)
    with pytest.raises(UsageError, match="quarter turns"):
        screen.set_rotation(4)


def test_a_dead_browser_is_replaced_when_the_phone_is_opened() -> None:
    with PhoneScreen(720, 1280, 320) as screen:
        screen.open()
        Browser.close_shared()
        screen.open()
        assert screen.capture().shape == (1280, 720, 3)
