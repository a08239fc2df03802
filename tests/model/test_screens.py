"""Drawn screens: what is asked stands where the answer says."""

import re

import numpy as np
import pytest
from PIL import ImageColor

from eyehand.model.training.documents import Document
from eyehand.model.training.screens import DrawnScreens

WORDS = ("submit", "lorem", "river", "window", "apple", "seven", "orange", "paper")


def drawn(count: int, seed: int = 3) -> list[Document]:
    source = DrawnScreens(seed, words=WORDS)
    return [source.document(number) for number in range(count)]


def place(answer: str, document: Document) -> tuple[int, int]:
    height, width = document.images[0].shape[:2]
    x, y = (int(n) / 1000 for n in re.findall(r"\d+", answer))
    return int(x * width), int(y * height)


def test_a_screen_is_a_function_of_its_seed_and_number() -> None:
    first, again, other = drawn(4), drawn(4), drawn(4, seed=4)
    assert all(np.array_equal(a.images[0], b.images[0]) for a, b in zip(first, again, strict=True))
    assert [d.branches for d in first] == [d.branches for d in again]
    assert [d.branches for d in first] != [d.branches for d in other]
    assert {d.source for d in drawn(20)} == {"drawn:page", "drawn:form"}


def test_a_coloured_box_has_its_colour_where_the_answer_points() -> None:
    checked = 0
    for document in drawn(60):
        for question, _, answer, _ in document.branches:
            color = re.fullmatch(r"Where is the (\w+) box\?", question.text)
            if color:
                x, y = place(answer.text, document)
                assert tuple(document.images[0][y, x]) == ImageColor.getrgb(color.group(1))
                checked += 1
    assert checked > 10


@pytest.mark.parametrize(
    ("pattern", "word_of", "answer_of"),
    [
        (r'Where is "(\w+)"\?', lambda q, a: q, lambda q, a: a),
        (r"What stands at (\[.*\])\?", lambda q, a: a, lambda q, a: q),
    ],
    ids=["where", "what"],
)
def test_a_word_stands_where_it_is_said_to_stand(pattern, word_of, answer_of) -> None:  # type: ignore[no-untyped-def]
    checked = 0
    for document in drawn(30):
        for question, _, answer, _ in document.branches:
            asked = re.fullmatch(pattern, question.text)
            if not asked:
                continue
            word, where = (of(asked.group(1), answer.text) for of in (word_of, answer_of))
            x, y = place(where, document)
            near = {
                c.text.lower()
                for c in document.characters[0]
                if abs(c.x_px - x) < 16 and abs(c.y_px - y) < 10
            }
            assert near & set(word.lower()), (question.text, answer.text)
            checked += 1
    assert checked > 50


def test_some_texts_of_a_form_stand_in_no_word_list() -> None:
    forms = [document for document in drawn(80) if document.source == "drawn:form"]
    read = [
        branch[2].text
        for document in forms
        for branch in document.branches
        if branch[0].text.startswith("What stands at")
    ]
    codes = [text for text in read if text.lower() not in WORDS and not text.isdigit()]
    assert 0.05 < len(codes) / len(read) < 0.3
    assert all(text.isalnum() for text in codes)


def test_only_the_answers_are_learned() -> None:
    for document in drawn(10):
        assert not any(part.learned for part in document.trunk)
        for branch in document.branches:
            assert [part.learned for part in branch] == [False, False, True, True]


def test_a_field_with_a_label_is_asked_for_by_it() -> None:
    questions = [b[0].text for document in drawn(60) for b in document.branches]
    for kind in ("field", "checkbox", "radio button"):
        assert any(re.fullmatch(rf'Where is the {kind} "\w+"\?', q) for q in questions), kind
