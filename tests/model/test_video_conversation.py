"""Videos in a conversation that grows: read as transformers reads them, alone and together."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from tests.model.replies import only, reply
from tests.small_embedded import small_config
from torch import Tensor
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from eyehand.agent.policies.models.checkpoint_files import EMBEDDED_CHECKPOINT
from eyehand.errors import UsageError
from eyehand.model.hub import Qwen2VL
from eyehand.model.inference.decode import generate
from eyehand.model.inference.decoder import GenerationConfig
from eyehand.model.inference.sampling import Sampling
from eyehand.model.inference.session import Session
from eyehand.model.inputs.image import UInt8Array, preprocess
from eyehand.model.inputs.image_settings import ImageSettings
from eyehand.model.inputs.tokenizer import Tokenizer
from eyehand.model.inputs.video import MAX_FRAME_PIXELS, MIN_FRAME_PIXELS, preprocess_video
from eyehand.model.qwen2vl.model import Qwen2VLNetwork
from eyehand.model.qwen2vl.mrope import position_ids
from eyehand.model.training.embedded import SETTINGS, new_model

OPENING = "<|im_start|>user\n"
TURN = "<|im_end|>\n<|im_start|>assistant\n"
ATARI = (210, 160)


def clip(seed: int, frames: int = 4, size: tuple[int, int] = ATARI) -> UInt8Array:
    """Frames of a moving bar on noise that stays, so that frames differ in part."""
    still = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    film = np.repeat(still[None], frames, axis=0)
    for number, frame in enumerate(film):
        frame[20 * number : 20 * number + 12] = 255
    return film


def play(session: Session, only_text: Tensor) -> list[tuple[int, tuple[int, ...]]]:
    """A video, a picture, and another video inside one answer; where each answer begins."""
    answers = []
    session.append_template(OPENING)
    for seen in (clip(0), clip(1)[0], clip(2, frames=6)):
        session.append_image(seen) if seen.ndim == 3 else session.append_video(seen)
        session.append_text("what now?")
        session.append_template(TURN)
        place = session.num_tokens
        answer = reply(session, 6, constraint=only(only_text))
        answers.append((place, answer.token_ids))
    return answers


def transformers_video(frames: UInt8Array) -> tuple[Tensor, list[int]]:
    """Patches and grid of a video by the image processor of transformers, frame by frame.

    Its own video processor needs a package that is not installed; a still picture counts as two
    equal frames, so two frames of a patch are the halves of two pictures' patches.
    """
    limits = {"shortest_edge": MIN_FRAME_PIXELS, "longest_edge": MAX_FRAME_PIXELS}
    stills = Qwen2VLImageProcessorPil(size=limits)(list(frames), return_tensors="pt")
    rows, columns = stills["image_grid_thw"][0, 1:].tolist()
    halves = stills["pixel_values"].view(len(frames) // 2, 2, rows * columns, 3, 2, 196)[..., 0, :]
    patches = halves.permute(0, 2, 3, 1, 4).reshape(-1, 1176)
    return patches, [len(frames) // 2, rows, columns]


@torch.no_grad()
def test_every_token_and_position_of_a_conversation_with_videos_equals_transformers(
    network: Qwen2VLNetwork, tokenizer: Tokenizer, only_text: Tensor
) -> None:
    session = Session(network, tokenizer, reserved_tokens=16)
    answers = play(session, only_text)
    films = [transformers_video(clip(0)), transformers_video(clip(2, frames=6))]
    picture = preprocess(clip(1)[0])
    ids = torch.tensor([session.token_ids])
    config = network.config
    types = (ids == config.image_token_id).int() + 2 * (ids == config.video_token_id).int()
    grids = {
        "image_grid_thw": torch.tensor([picture.grid]),
        "video_grid_thw": torch.tensor([grid for _, grid in films]),
    }
    peer = transformers_network(network)
    expected, _ = peer.model.get_rope_index(ids, types, **grids)
    found, following = position_ids(ids[0], [films[0][1], picture.grid, films[1][1]], config)
    assert torch.equal(found, expected[:, 0])
    logits = peer(
        ids,
        mm_token_type_ids=types,
        pixel_values=picture.patches,
        pixel_values_videos=torch.cat([patches for patches, _ in films]),
        **grids,
    ).logits[0]
    best = logits.masked_fill(~only_text, -torch.inf).argmax(-1).tolist()
    for place, written in answers:
        assert best[place - 1 : place - 1 + len(written)] == list(written)
    assert len({written for _, written in answers}) == 3
    # The last token waits for the next pass.
    assert session.cache.next_position == following - 1


def transformers_network(network: Qwen2VLNetwork) -> Any:
    from transformers import Qwen2VLConfig as ReferenceConfig
    from transformers import Qwen2VLForConditionalGeneration

    values = ReferenceConfig(**network.config.to_dict())
    values._attn_implementation = "eager"
    peer = Qwen2VLForConditionalGeneration(values).eval()
    weights = {}
    for name, value in network.named_parameters():
        theirs = name.replace("model.", "model.language_model.", 1)
        weights[f"model.{name}" if name.startswith("visual.") else theirs] = value.detach()
    peer.load_state_dict(weights, strict=True)
    return peer


@torch.no_grad()
def test_a_video_longer_than_its_sides_follows_the_paper(
    network: Qwen2VLNetwork, tokenizer: Tokenizer
) -> None:
    """What follows a video stands one past its largest position, in time here.

    transformers 5.23 goes on after the longer side instead, so that the text shares positions with
    the video's last frames; with the paper's positions given to it, both compute the same.
    """
    long = clip(0, frames=40, size=(56, 56))
    patches, grid = transformers_video(long)
    pairs, longer_side = grid[0], max(grid[1:]) // 2
    assert pairs > longer_side
    session = Session(network, tokenizer)
    session.append_text("see")
    session.append_video(long)
    session.append_text("what now?")
    ids = torch.tensor([session.token_ids])
    positions, _ = position_ids(ids[0], [grid], network.config)
    end = session.token_ids.index(tokenizer.special_id("<|vision_end|>"))
    start = end - pairs * (grid[1] // 2) * (grid[2] // 2)
    assert int(positions[0, start]) == start  # text before it counts on
    assert positions[:, end].tolist() == [start + pairs] * 3
    assert int(positions[:, end].max()) == int(positions[:, :end].max()) + 1
    types = 2 * (ids == network.config.video_token_id).int()
    inputs = {"pixel_values_videos": patches, "video_grid_thw": torch.tensor([grid])}
    peer = transformers_network(network)
    ours = session.read_pending(session.encode_pending())

    def gap(theirs: Tensor) -> float:
        known = ours.isfinite()
        return float((ours - theirs)[known].abs().max() / theirs[known].abs().max())

    given = peer(ids, mm_token_type_ids=types, position_ids=positions[:, None], **inputs)
    assert gap(given.logits[0, -1]) < 1e-5
    # Where this fails, transformers follows the paper too, and the documentation can say so.
    its_own, _ = peer.model.get_rope_index(ids, types, video_grid_thw=torch.tensor([grid]))
    assert its_own[:, 0, end].tolist() == [start + longer_side] * 3


def test_an_atari_video_has_the_patches_of_transformers() -> None:
    patches, grid = transformers_video(clip(3))
    ours = preprocess_video(clip(3))
    assert list(ours.grid) == grid == [2, 26, 20]
    assert torch.equal(ours.patches, patches)


def test_the_cost_of_a_video_is_what_it_takes(
    network: Qwen2VLNetwork, tokenizer: Tokenizer
) -> None:
    session = Session(network, tokenizer)
    session.append_text("a")
    film = session.append_video(clip(0, frames=40, size=(56, 56)))
    tokens, positions = session.cost_of(film)
    assert (tokens, positions) == (20 * 12 * 12, 20)  # more pairs of frames than rows
    session.append_text("b")
    reply(session, 1)
    # "a", two marks and "b", of which all are read.
    assert session.cache.next_position == 4 + positions
    with pytest.raises(UsageError, match="no picture 1"):
        session.cost_of(1)


def test_frames_are_no_larger_than_a_checkpoint_wants_its_pictures(
    network: Qwen2VLNetwork, tokenizer: Tokenizer
) -> None:
    most = 60 * 28 * 28
    session = Session(network, tokenizer, settings=ImageSettings(max_pixels=most))
    for size in (ATARI, (720, 1280), (56, 56), (28, 2000)):
        tokens, _ = session.cost_of(session.append_video(clip(0, size=size)))
        assert tokens <= 2 * 60
    wide = preprocess_video(clip(0), ImageSettings(max_pixels=10**9))
    narrow = preprocess_video(clip(0))
    assert narrow.grid == wide.grid  # the published bound stays


@pytest.fixture(scope="module")
def loaded() -> Qwen2VL:
    """The embedded model's words and pictures, with a network that costs little."""
    tokenizer = Tokenizer.from_folder(EMBEDDED_CHECKPOINT)
    return Qwen2VL(new_model(small_config(tokenizer), 0).eval(), tokenizer, SETTINGS)


def conversation(loaded: Qwen2VL, number: int) -> Session:
    """A history of its own length: text, a picture, a video, or both."""
    session = loaded.session()
    session.append_template(OPENING)
    if number % 2:
        session.append_video(clip(number))
    if number % 4 > 1:
        session.append_image(clip(number + 9)[0])
    session.append_text(f"{number}: " + "press the green button. " * (1 + number))
    session.append_template(TURN)
    return session


@pytest.mark.parametrize("temperature", [0.0, 1.2])
def test_sessions_with_videos_write_together_what_each_writes_alone(
    loaded: Qwen2VL, temperature: float
) -> None:
    together = [conversation(loaded, number) for number in range(5)]
    alone = [conversation(loaded, number) for number in range(5)]
    rules = GenerationConfig(12, sampling=Sampling(temperature=temperature))
    for turn in range(2):
        seeded = [
            replace(rules, sampling=replace(rules.sampling, seed=10 * turn + row))
            for row in range(5)
        ]
        answers = generate(together, seeded)
        for row, session in enumerate(alone):
            expected = reply(session, 12, sampling=seeded[row].sampling)
            assert answers[row].token_ids == expected.token_ids
            assert together[row].cache.next_position == session.cache.next_position
        for row, session in enumerate((*together, *alone)):
            session.append_video(clip(row % 5 + 20 + turn))
            session.append_text("\nand go on: ")


def test_what_a_video_shows_and_its_order_change_the_scores(loaded: Qwen2VL) -> None:
    def scores(frames: UInt8Array) -> Tensor:
        session = loaded.session()
        session.append_video(frames)
        with torch.inference_mode():
            return session.read_pending(session.encode_pending())

    film = clip(4)
    forwards, backwards = scores(film), scores(film[::-1].copy())
    assert not torch.allclose(forwards, backwards, atol=1e-3)
    assert torch.equal(forwards, scores(film.copy()))
