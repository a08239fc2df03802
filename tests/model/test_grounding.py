import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyehand.errors import UsageError
from eyehand.model.inference.grounding import Box, Quad, parse, parse_boxes, write
from eyehand.model.inputs.tokenizer import SPECIAL_TOKENS

thousandths = st.integers(0, 1000).map(lambda number: number / 1000)


def test_answer_of_the_paper_is_read() -> None:
    text = "<|object_ref_start|>eyes<|object_ref_end|><|box_start|>(176,509),(650,800)<|box_end|>"
    assert parse(text) == [Box(0.176, 0.509, 0.65, 0.8, "eyes")]


def test_several_boxes_share_a_label_until_the_next() -> None:
    text = (
        "I see <|object_ref_start|>dogs<|object_ref_end|><|box_start|>(0,0),(10,10)<|box_end|>"
        "<|box_start|>(20,20),(30,30)<|box_end|> and <|object_ref_start|>a cat<|object_ref_end|>"
        "<|box_start|>(500,500),(1000,1000)<|box_end|>."
    )
    assert [box.label for box in parse_boxes(text)] == ["dogs", "dogs", "a cat"]
    assert parse_boxes(text)[2].x2 == 1.0


def test_quadrangle_keeps_its_corners() -> None:
    text = "<|quad_start|>(10,20),(30,10),(40,50),(20,60)<|quad_end|>"
    (quad,) = parse(text)
    assert quad == Quad(((0.01, 0.02), (0.03, 0.01), (0.04, 0.05), (0.02, 0.06)))
    assert parse_boxes(text) == [Box(0.01, 0.01, 0.04, 0.06)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<|box_start|>(1,2),(3,4)", [Box(0.001, 0.002, 0.003, 0.004)]),
        ("<|box_start|>(1,2),(3,4", [Box(0.001, 0.002, 0.003, 0.004)]),
        ("<|box_start|>[1, 2, 3, 4]<|box_end|>", [Box(0.001, 0.002, 0.003, 0.004)]),
        ("<|box_start|>(30,40),(10,20)<|box_end|>", [Box(0.01, 0.02, 0.03, 0.04)]),
        ("<|box_start|>(-5,2),(3,1200)<|box_end|>", [Box(0.0, 0.002, 0.003, 1.0)]),
        ("<|box_start|>(12.5,500)<|box_end|>", [Box(0.0125, 0.5, 0.0125, 0.5)]),
        (
            "<|box_start|>(1,2),(3,4), (5,6),(7,8), (9<|box_end|>",
            [Box(0.001, 0.002, 0.003, 0.004), Box(0.005, 0.006, 0.007, 0.008)],
        ),
        ("<|box_start|>(1,2),(3<|box_end|>", []),
        ("<|box_start|>(1,2),(3,4) is 1 of 7", [Box(0.001, 0.002, 0.003, 0.004)]),
        ("<|box_start|>(1,2),(3,4e5)<|box_end|>", []),
        ("<|box_start|>x1=1, y1=2, x2=3, y2=4<|box_end|>", []),
        ("<|box_start|>(1<|box_end|>", []),
        ("<|box_start|><|box_end|>", []),
        ("<|box_start|>", []),
        ("<|quad_start|>(1,2),(3,4),(5,6)<|quad_end|>", []),
        ("(1,2),(3,4)<|box_end|>", []),
        ("no place at all (1,2)", []),
        (
            "<|object_ref_start|>open label<|box_start|>(1,2),(3,4)<|box_end|>",
            [Box(0.001, 0.002, 0.003, 0.004, "open label")],
        ),
    ],
)
def test_damaged_notation_is_read_as_far_as_it_is_clear(text: str, expected: list[Box]) -> None:
    assert parse(text) == expected


def test_absurdly_long_number_is_clamped() -> None:
    assert parse(f"<|box_start|>({'9' * 5000},0)<|box_end|>") == [Box(1.0, 0.0, 1.0, 0.0)]


@given(thousandths, thousandths, thousandths, thousandths, st.sampled_from([None, "a 中 label"]))
def test_written_box_is_read_back(
    x1: float, y1: float, x2: float, y2: float, label: str | None
) -> None:
    box = Box(min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2), label)
    assert parse(write(box)) == [box]


def test_written_quadrangle_is_read_back() -> None:
    quad = Quad(((0.1, 0.2), (0.3, 0.1), (0.4, 0.5), (0.2, 1.0)), "sign")
    assert parse(write(quad)) == [quad]


def test_notation_is_the_published_one() -> None:
    assert write(Box(0.1, 0.2, 0.3, 1.0, "ok")) == (
        "<|object_ref_start|>ok<|object_ref_end|><|box_start|>(100,200),(300,1000)<|box_end|>"
    )


def test_label_cannot_forge_a_second_box() -> None:
    forged = "x<|object_ref_end|><|box_start|>(1,1),(2,2)<|box_end|>"
    assert len(parse(write(Box(0, 0, 1, 1, forged)))) == 1


@given(
    st.lists(st.sampled_from([*SPECIAL_TOKENS[3:9], "(", ")", ",", "17", "-3", "x", "1.5", " "]))
)
def test_any_mixture_of_pieces_is_read_without_an_error(pieces: list[str]) -> None:
    for box in parse_boxes("".join(pieces)):
        assert 0 <= box.x1 <= box.x2 <= 1


@pytest.mark.parametrize("edges", [(0.5, 0, 0.4, 1), (-0.1, 0, 1, 1), (0, 0, 1, 1.1)])
def test_box_outside_the_picture_is_refused(edges: tuple[float, float, float, float]) -> None:
    with pytest.raises(UsageError, match="x1 <= x2"):
        Box(*edges)


def test_center_containment_and_overlap() -> None:
    box = Box(0.2, 0.2, 0.6, 0.4)
    assert box.center == pytest.approx((0.4, 0.3))
    assert box.contains(0.2, 0.4)
    assert not box.contains(0.2, 0.41)
    assert box.overlap(Box(0.4, 0.2, 0.8, 0.4)) == pytest.approx(1 / 3)
    assert box.overlap(Box(0.7, 0.7, 0.8, 0.8)) == 0.0
