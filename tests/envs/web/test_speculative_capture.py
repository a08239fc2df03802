"""The picture taken while a page settles: used where it holds, dropped where it does not."""

import asyncio
import base64
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from eyehand.actions import web
from eyehand.envs.env import Pixels
from eyehand.envs.web import pictures, settle
from eyehand.envs.web.capture import capture
from eyehand.envs.web.settle import Settled
from eyehand.envs.web.speculative_capture import SpeculativeCapture

LATE = """([timers, frames]) => {
  button.onclick = () => {
    let left = frames;
    const change = () => { document.body.style.background = 'rgb(255, 0, 0)'; };
    const next = () => left-- > 0 ? requestAnimationFrame(next) : change();
    setTimeout(next, timers);
  };
}"""


CANVAS = "<canvas id=shown width=300 height=200></canvas>"
BOX = "<div id=shown style='height:90px; overflow:auto'><p style='height:900px'>far</p></div>"
UNSEEN_BY_OBSERVERS = {
    "a canvas": (CANVAS, "shown.getContext('2d').fillRect(0, 0, 300, 200)"),
    "a canvas of low latency": (
        CANVAS,
        "pen.fillRect(0, 0, 300, 200)",
        "window.pen = shown.getContext('2d', {desynchronized: true}); pen.fillRect(0, 0, 9, 9)",
    ),
    "a canvas of WebGL": (
        CANVAS,
        "gl.clearColor(1, 0, 0, 1); gl.clear(gl.COLOR_BUFFER_BIT)",
        "window.gl = shown.getContext('webgl', {desynchronized: true})",
    ),
    "a value": ("<input id=shown>", "shown.value = 'text'"),
    "a tick": ("<input id=shown type=checkbox>", "shown.checked = true"),
    "a choice": ("<select id=shown><option>a<option>bbb</select>", "shown.selectedIndex = 1"),
    "a scrolled area": (BOX, "shown.scrollTop = 300"),
    "a shadow tree": (
        "<div id=shown></div>",
        "root.innerHTML = '<p>other text'",
        "window.root = shown.attachShadow({mode: 'open'}); root.innerHTML = '<b>text</b>'",
    ),
    "a style sheet": (
        "<style id=shown></style>",
        "shown.sheet.insertRule('body { background: red }')",
    ),
    "a popover": ("<p popover id=shown>text</p>", "shown.showPopover()"),
    "a selection": ("<p id=shown>text</p>", "getSelection().selectAllChildren(shown)"),
}
AFTER_A_WHILE = """([element, change, prepare]) => {
  document.body.insertAdjacentHTML('beforeend', element);
  if (prepare) (0, eval)(prepare);
  button.onclick = () => { setTimeout(change, 80); };
}"""


class Camera:
    """Takes numbered pictures, and notes when two would be taken at once."""

    def __init__(self) -> None:
        self.taken = 0
        self.at_work = 0
        self.overlapped = False

    async def take(self) -> Pixels:
        self.at_work += 1
        self.overlapped |= self.at_work > 1
        self.taken += 1
        number = self.taken
        await asyncio.sleep(0)
        self.at_work -= 1
        return np.full((1, 1, 3), number, np.uint8)


async def look(camera: Camera, settled: Settled, early: bool = True) -> int:
    looking = SpeculativeCapture(camera.take)
    if early:
        looking.begin()
    return int((await looking.picture(settled))[0, 0, 0])


def test_the_early_picture_is_used_where_nothing_changed() -> None:
    camera = Camera()
    assert asyncio.run(look(camera, Settled(untouched=True))) == 1
    assert camera.taken == 1


def test_another_is_taken_where_something_changed_but_never_two_at_once() -> None:
    camera = Camera()
    assert asyncio.run(look(camera, Settled(untouched=False))) == 2
    assert not camera.overlapped


def test_one_is_taken_afterwards_where_none_was_begun() -> None:
    assert asyncio.run(look(Camera(), Settled(untouched=False), early=False)) == 1


@pytest.mark.parametrize(("timers", "frames"), [(0, 0), (0, 1), (5, 0), (8, 0)])
def test_a_change_that_comes_soon_after_the_action_is_in_the_picture(
    visit: Any, timers: int, frames: int
) -> None:
    page = visit("quiet.html")
    page.ask(LATE, [timers, frames])
    page.do(web.Click(point=page.place("#button")))
    assert page.observation.pixels[-1, -1].tolist() == [255, 0, 0]


@pytest.mark.parametrize("what", UNSEEN_BY_OBSERVERS)
def test_changes_that_no_mutation_tells_of_are_in_the_picture(
    visit: Any, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settle, "QUIET_FRAMES", 20)
    page = visit("quiet.html")
    element, change, *prepare = UNSEEN_BY_OBSERVERS[what]
    page.ask(AFTER_A_WHILE, [element, change, prepare[0] if prepare else ""])
    shown = page.do(web.Click(point=page.place("#button")))
    assert np.array_equal(shown.pixels, page.do(web.Wait(seconds=0.3)).pixels)


def test_the_picture_of_a_settled_page_is_the_page_as_it_stays(visit: Any) -> None:
    page = visit("quiet.html")
    for _ in range(5):
        shown = page.do(web.Click(point=page.place("#button")))
        assert np.array_equal(shown.pixels, page.do(web.Wait(seconds=0.1)).pixels)


CANVAS_PAGE = """frames => {
  document.body.insertAdjacentHTML(
    'beforeend', '<canvas id=shown width=300 height=200 style="display:block"></canvas>');
  let clicks = 0;
  button.onclick = () => {
    clicks += 1;
    let left = frames;
    const draw = () => {
      const pen = shown.getContext('2d');
      pen.fillStyle = clicks % 2 ? 'rgb(255, 0, 0)' : 'rgb(0, 0, 255)';
      pen.fillRect(0, 0, 300, 200);
    };
    const next = () => left-- > 0 ? requestAnimationFrame(next) : draw();
    next();
  };
}"""
WORKER_DRAWS = """(() => {
  document.body.insertAdjacentHTML('beforeend', '<canvas id=shown width=300 height=200></canvas>');
  const draws = `onmessage = ({data}) => {
    if (data.getContext) { self.pen = data.getContext('2d'); return; }
    setTimeout(() => { pen.fillStyle = data; pen.fillRect(0, 0, 300, 200); }, 80);
  };`;
  const worker = new Worker(URL.createObjectURL(new Blob([draws])));
  const canvas = shown.transferControlToOffscreen();
  worker.postMessage(canvas, [canvas]);
  button.onclick = () => worker.postMessage('rgb(255, 0, 0)');
})()"""


@pytest.fixture
def captures(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """Grows with each picture that the browser is asked for."""
    asked: list[None] = []

    async def counted(*args: Any) -> Pixels:
        asked.append(None)
        return await capture(*args)

    monkeypatch.setattr(pictures, "capture", counted)
    return asked


def captured(captures: list[None], page: Any, action: Any) -> int:
    before = len(captures)
    page.do(action)
    return len(captures) - before


@pytest.mark.parametrize("frames", [0, 1, 2])
def test_what_is_drawn_on_a_canvas_soon_after_the_action_is_in_the_picture(
    visit: Any, frames: int
) -> None:
    page = visit("quiet.html")
    page.ask(CANVAS_PAGE, frames)
    click, middle = web.Click(point=page.place("#button")), page.place("#shown")
    for colour in [[255, 0, 0], [0, 0, 255]] * 3:
        pixels = page.do(click).pixels
        height, width = pixels.shape[:2]
        assert pixels[int(middle.y * height), int(middle.x * width)].tolist() == colour


def test_a_page_with_a_canvas_needs_one_picture_a_step(visit: Any, captures: list[None]) -> None:
    page = visit("quiet.html")
    page.ask(CANVAS_PAGE, 0)
    click = web.Click(point=page.place("#button"))
    assert min(captured(captures, page, click) for _ in range(8)) == 1


def test_a_page_that_did_not_change_is_not_captured(visit: Any, captures: list[None]) -> None:
    page = visit("quiet.html")
    page.ask("() => document.body.insertAdjacentHTML('beforeend', '<canvas></canvas>')")
    rest = web.Click(point=page.place("#plain"))
    assert min(captured(captures, page, rest) for _ in range(8)) == 0
    taken = page.environment.page_call(lambda shown: shown.screenshot())
    with Image.open(io.BytesIO(taken)) as picture:
        assert np.array_equal(np.asarray(picture.convert("RGB")), page.observation.pixels)


def test_what_a_worker_draws_is_in_the_picture(visit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settle, "QUIET_FRAMES", 20)
    page = visit("quiet.html")
    page.ask(WORKER_DRAWS)
    shown = page.do(web.Click(point=page.place("#button")))
    assert [255, 0, 0] in shown.pixels.reshape(-1, 3).tolist()


def test_what_changes_without_the_pages_thread_is_captured(visit: Any) -> None:
    page = visit("quiet.html")
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue")]
    picture = io.BytesIO()
    frames[0].save(picture, "GIF", save_all=True, append_images=frames[1:], duration=[3000, 0])
    data = base64.b64encode(picture.getvalue()).decode()
    page.ask(
        "async data => { const image = new Image(); image.src = data; await image.decode();"
        " document.body.append(image); }",
        f"data:image/gif;base64,{data}",
    )
    page.do(web.Wait(seconds=0.1))
    for _ in range(20):
        if [0, 0, 255] in page.do(web.Wait(seconds=0.5)).pixels.reshape(-1, 3).tolist():
            return
    pytest.fail("the second picture of the image was never seen")
