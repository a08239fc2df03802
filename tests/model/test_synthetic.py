"""Drawn screens: what is asked stands where the answer says."""

import itertools
import re

import numpy as np
import pytest
from PIL import ImageColor

from eyehand.model.training.documents import Document
from eyehand.model.training.synthetic import SIZE, synthetic_documents


def _drawn(count: int, items_every: int = 0) -> list[Document]:
    words = ["submit", "lorem", "ok"]
    return list(itertools.islice(synthetic_documents(3, words, items_every), count))


def test_the_same_seed_draws_the_same_screens() -> None:
    first, second = _drawn(3), _drawn(3)
    assert all(np.array_equal(a.images[0], b.images[0]) for a, b in zip(first, second, strict=True))
    assert [d.branches for d in first] == [d.branches for d in second]


def test_a_coloured_box_has_its_colour_where_the_answer_points() -> None:
    checked = 0
    for document in _drawn(60):
        for branch in document.branches:
            color = re.fullmatch(r"Where is the (\w+) box\?", branch[0].text)
            if color is None:
                continue
            x, y = (int(n) / 1000 for n in re.findall(r"\d+", branch[2].text))
            pixel = document.images[0][int(y * SIZE[1]), int(x * SIZE[0])]
            assert tuple(pixel) == ImageColor.getrgb(color.group(1))
            checked += 1
    assert checked > 20


def test_only_the_answers_are_learned() -> None:
    for document in _drawn(10):
        assert not any(part.learned for part in document.trunk)
        for branch in document.branches:
            assert [part.learned for part in branch] == [False, False, True, True]


@pytest.mark.parametrize("items_every", [5, 10])
def test_screens_begin_with_one_item_and_fill_up(items_every: int) -> None:
    documents = _drawn(40, items_every)
    first = [len(document.branches) for document in documents[:items_every]]
    assert max(first) <= 2  # a field or a mark is asked for by its kind's order as well
    assert max(len(document.branches) for document in documents) > 2
