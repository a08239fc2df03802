"""What the picture does not show, or no longer shows, is said."""

from typing import Any

import numpy as np
import pytest

from eyehand.actions import web
from eyehand.envs.web import observer
from eyehand.errors import ActionHadNoEffect

SUGGEST = """([wait, attributes]) => {
  const field = document.querySelector('#field'), list = document.createElement('div');
  for (const name in attributes) field.setAttribute(name, attributes[name]);
  list.style.cssText = 'position:absolute;left:0;top:200px;width:300px;height:90px;background:red';
  field.addEventListener('input', () => setTimeout(async () => {
    await fetch('/slow/100'); document.body.append(list);
  }, wait));
}"""
MOVE = """wait => { button.onclick = () => setTimeout(() => {
  const banner = document.createElement('div');
  banner.style.cssText = 'height:160px;background:yellow';
  document.body.prepend(banner);
  document.title = 'moved';
}, wait); }"""
BROWSER_KEYS = [
    (["F5"], "use reload"),
    (["Control", "r"], "use reload"),
    (["Control", "Shift", "R"], "use reload"),
    (["Alt", "ArrowLeft"], "use back"),
    (["Alt", "ArrowRight"], "use forward"),
    (["Control", "t"], "use new_tab"),
    (["Control", "w"], "use close_tab"),
    (["Control", "Tab"], "use switch_tab"),
    (["Control", "l"], "use go_to"),
    (["Meta", "r"], "use reload"),
]


def title_becomes(page: Any, title: str) -> None:
    wait = "t => document.title === t"
    page.environment.page_call(lambda p: p.wait_for_function(wait, arg=title))


@pytest.mark.parametrize(
    "attributes",
    [
        {"autocomplete": "off"},
        {"role": "combobox"},
        {"type": "search"},
        {"aria-autocomplete": "list"},
        {"oninput": "0"},
    ],
)
@pytest.mark.parametrize("wait_ms", [150, 350])
def test_suggestions_that_load_after_typing_are_in_the_picture(
    visit: Any, attributes: dict[str, str], wait_ms: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a busy machine half a second may be too short; the wait ends with the change anyhow.
    monkeypatch.setattr(observer, "SUGGEST_S", 10.0)
    page = visit("quiet.html")
    page.ask(SUGGEST, [wait_ms, attributes])
    page.do(web.PressKeys(keys=["Escape"]))
    page.ask("() => field.focus()")
    page.do(web.TypeText(text="be"))
    assert page.observation.pixels[240, 100].tolist() == [255, 0, 0]


def test_typing_into_a_plain_field_waits_for_nothing_more(
    visit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observer, "SUGGEST_S", 60.0)
    page = visit("quiet.html")
    page.do(web.Click(point=page.place("#field")))
    page.do(web.TypeText(text="be"))
    assert page.info["timings_s"]["settle"] < 30


def test_what_moved_away_after_the_picture_is_not_clicked(visit: Any) -> None:
    page = visit("quiet.html")
    page.ask(MOVE, 400)
    place = page.place("#button")
    page.do(web.Click(point=place))
    title_becomes(page, "moved")
    before = page.text("#log")
    page.do(web.Click(point=place))
    assert "not performed" in page.observation.feedback
    assert page.text("#log") == before
    page.do(web.Click(point=page.place("#button")))
    assert page.text("#log") != before


def test_what_changed_elsewhere_is_said_and_stops_nothing(visit: Any) -> None:
    page = visit("quiet.html")
    page.ask(
        """() => { button.onclick = () => setTimeout(() => {
          plain.style.background = 'red'; document.title = 'moved'; }, 300); }"""
    )
    page.do(web.Click(point=page.place("#button")))
    title_becomes(page, "moved")
    page.do(web.Click(point=page.place("#field")))
    assert "clicked text field" in page.info["effect"]
    assert "had changed by itself before this action" in page.observation.text


def test_a_place_that_moves_all_the_time_is_refused_once_only(visit: Any) -> None:
    page = visit("quiet.html")
    place = page.place("#button")
    performed = []
    for number in range(4):
        page.ask("n => { document.body.style.background = n % 2 ? 'red' : 'blue'; }", number)
        page.do(web.Hover(point=place))
        performed.append("not performed" not in page.observation.feedback)
    assert True in performed[:2]
    assert performed.count(True) >= 2


@pytest.mark.parametrize(("keys", "says"), BROWSER_KEYS)
def test_keys_of_the_browser_say_which_action_does_that(
    visit: Any, keys: list[str], says: str
) -> None:
    page = visit("quiet.html")
    page.do(web.PressKeys(keys=keys))
    assert says in page.observation.text


def test_other_keys_say_nothing(visit: Any) -> None:
    page = visit("quiet.html")
    for keys in (["Control", "a"], ["ArrowLeft"], ["r"], ["Tab"], ["Control", "Enter"]):
        page.do(web.PressKeys(keys=keys))
        assert "alone got" not in page.observation.text


def test_what_a_datalist_suggests_is_told(visit: Any) -> None:
    page = visit("quiet.html")
    page.ask("""() => { const field = document.querySelector('#field');
      field.setAttribute('list', 'fruit');
      field.insertAdjacentHTML('afterend', '<datalist id=fruit><option>Apple<option>Apricot' +
        '<option value=B>Banana</datalist>'); }""")
    page.do(web.Click(point=page.place("#field")))
    assert "suggests: Apple | Apricot | B (Banana)" in page.observation.text
    page.do(web.TypeText(text="apr"))
    assert "suggests: Apricot." in page.observation.text


def test_an_option_of_a_group_that_is_switched_off_is_refused_at_once(visit: Any) -> None:
    page = visit("quiet.html")
    page.ask("""() => { document.querySelector('#plain').innerHTML = '<select id=list>' +
      '<option>one<optgroup label=g disabled><option>two</optgroup></select>'; }""")
    with pytest.raises(ActionHadNoEffect, match="'two' is switched off"):
        page.do(web.SelectOption(point=page.place("#list"), option="two"))


@pytest.mark.parametrize("how", ["address", "link"])
def test_basic_authentication_says_how(visit: Any, site: str, how: str) -> None:
    page = visit("quiet.html")
    if how == "address":
        page.do(web.GoTo(url=f"{site}/members/"))
    else:
        page.ask("() => { button.onclick = () => { location.href = '/members/'; }; }")
        page.do(web.Click(point=page.place("#button")))
    assert "USER:PASSWORD@" in page.observation.feedback
    page.do(web.GoTo(url=f"{site}/members/".replace("http://", "http://ada:lovelace@")))
    assert "Title: Members" in page.observation.text


def test_a_link_to_nowhere_says_why_in_plain_words(visit: Any) -> None:
    page = visit("quiet.html")
    page.ask(
        "() => { button.onclick = () => { location.href = 'http://no-such-host.invalid/'; }; }"
    )
    page.do(web.Click(point=page.place("#button")))
    assert "net::ERR_NAME_NOT_RESOLVED (there is no host" in page.observation.feedback
    assert page.info["details"]["error"] == "ActionHadNoEffect"


def test_an_unchanged_page_is_not_said_to_have_changed(visit: Any) -> None:
    page = visit("quiet.html")
    first = page.do(web.Hover(point=page.observation.geometry.to_point(500, 300)))
    for _ in range(3):
        page.do(web.Wait(seconds=0.2))
        assert "by itself" not in page.observation.text
        assert np.array_equal(page.observation.pixels, first.pixels)
