"""The picture taken while a page settles: used where it holds, dropped where it does not."""

import asyncio
from typing import Any

import numpy as np
import pytest

from eyehand.actions import web
from eyehand.envs.env import Pixels
from eyehand.envs.web.early_look import EarlyLook
from eyehand.envs.web.settle import Settled

LATE = """([timers, frames]) => {
  button.onclick = () => {
    let left = frames;
    const change = () => { document.body.style.background = 'rgb(255, 0, 0)'; };
    const next = () => left-- > 0 ? requestAnimationFrame(next) : change();
    setTimeout(next, timers);
  };
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
    looking = EarlyLook(camera.take)
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


def test_the_picture_of_a_settled_page_is_the_page_as_it_stays(visit: Any) -> None:
    page = visit("quiet.html")
    for _ in range(5):
        shown = page.do(web.Click(point=page.place("#button")))
        assert np.array_equal(shown.pixels, page.do(web.Wait(seconds=0.1)).pixels)
