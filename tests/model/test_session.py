"""A growing conversation equals the whole history read at once."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from tests.model.replies import only, reply
from torch import Tensor

from eyehand.errors import CheckpointError, UsageError
from eyehand.model.inference.decode import generate
from eyehand.model.inference.decoder import Generation, GenerationConfig
from eyehand.model.inference.sampling import Sampling
from eyehand.model.inference.session import Session
from eyehand.model.inference.visual_cache import VisualEncoder
from eyehand.model.inputs.image import UInt8Array, concatenate, preprocess
from eyehand.model.inputs.tokenizer import Tokenizer, train_tokenizer
from eyehand.model.qwen2vl.config import Qwen2VLConfig
from eyehand.model.qwen2vl.model import Qwen2VLNetwork

BuildModel = Callable[[Qwen2VLConfig], Qwen2VLNetwork]
START = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
TURN = "<|im_end|>\n<|im_start|>assistant\n"


def screen(seed: int, height: int = 84, width: int = 112) -> UInt8Array:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def play(session: Session, only_text: Tensor, sampling: Sampling | None = None) -> list[Generation]:
    """Two users' turns, then two more screens inside the assistant's turn."""
    rule = sampling or Sampling(temperature=0)

    def answer() -> Generation:
        return reply(session, 7, sampling=rule, constraint=only(only_text))

    session.append_template(START)
    session.append_image(screen(0))
    session.append_text("click the button")
    session.append_template(TURN)
    first = answer()
    session.append_template("<|im_end|>\n<|im_start|>user\n")
    session.append_text("Compare 12 and")
    session.append_image(screen(1, 56, 140))
    session.append_image(screen(2))
    session.append_template(TURN)
    second = answer()
    session.append_text("✿RESULT✿: ")
    session.append_image(screen(0))
    session.append_text("\n✿RETURN✿: ")
    return [first, second, answer()]


SCREENS = [screen(0), screen(1, 56, 140), screen(2), screen(0)]


@torch.no_grad()
def test_every_greedy_token_equals_transformers_on_the_whole_history(
    session: Session, network: Qwen2VLNetwork, only_text: Tensor
) -> None:
    answers = play(session, only_text)
    ids = torch.tensor([session.token_ids])
    patches, grids = concatenate([preprocess(image) for image in SCREENS])
    logits = _transformers(network)(
        ids,
        pixel_values=patches,
        image_grid_thw=grids,
        mm_token_type_ids=(ids == network.config.image_token_id).int(),
    ).logits[0]
    best = logits.masked_fill(~only_text, -torch.inf).argmax(-1).tolist()
    checked = 0
    for answer in answers:
        place = _find(session.token_ids, answer.token_ids, checked)
        assert best[place - 1 : place + 6] == list(answer.token_ids)
        checked = place
    assert len({answer.token_ids for answer in answers}) == 3


def _find(ids: list[int], part: tuple[int, ...], begin: int) -> int:
    for place in range(begin, len(ids)):
        if tuple(ids[place : place + len(part)]) == part:
            return place
    raise AssertionError(f"{part} is not in the history")


def _transformers(network: Qwen2VLNetwork) -> Any:
    from transformers import Qwen2VLConfig as ReferenceConfig
    from transformers import Qwen2VLForConditionalGeneration

    values = ReferenceConfig(**network.config.to_dict())
    values._attn_implementation = "eager"
    peer = Qwen2VLForConditionalGeneration(values).eval()
    names = {
        name: f"model.{name}"
        if name.startswith("visual.")
        else name.replace("model.", "model.language_model.", 1)
        for name, _ in network.named_parameters()
    }
    weights = {names[name]: value.detach() for name, value in network.named_parameters()}
    peer.load_state_dict(weights, strict=True)
    return peer


def test_one_prompt_read_at_once_answers_like_a_grown_conversation(
    session: Session, network: Qwen2VLNetwork, tokenizer: Tokenizer, only_text: Tensor
) -> None:
    play(session, only_text)
    whole = Session(network, tokenizer)
    pad = network.config.image_token_id
    rest, shown = session.token_ids, iter(SCREENS)
    while pad in rest:
        place = rest.index(pad)
        whole.append_template(rest[: place - 1])  # the picture brings its marks itself
        whole.append_image(next(shown))
        rest = session.token_ids[whole.num_tokens :]
    whole.append_template(rest)
    assert whole.token_ids == session.token_ids
    grown, fresh = (reply(s, 9, constraint=only(only_text)) for s in (session, whole))
    assert grown.token_ids == fresh.token_ids


def test_nothing_is_computed_twice(
    session: Session, network: Qwen2VLNetwork, only_text: Tensor
) -> None:
    lengths: list[int] = []
    hook = network.model.layers[0].register_forward_pre_hook(
        lambda _, inputs: lengths.append(inputs[0].shape[1])
    )
    play(session, only_text)
    hook.remove()
    assert sum(lengths) == len(session.token_ids) - 1  # the last token waits for the next pass
    assert session.num_pending == 1
    assert session.cached_tokens == len(session.token_ids) - 1


def test_screen_that_was_seen_skips_the_vision_tower(
    session: Session, network: Qwen2VLNetwork, only_text: Tensor
) -> None:
    towers: list[int] = []
    hook = network.visual.register_forward_pre_hook(lambda _, inputs: towers.append(len(inputs[1])))
    play(session, only_text)
    hook.remove()
    assert towers == [1, 1, 1]  # the third turn shows the first screen again
    assert (session.encoder.hits, session.encoder.misses) == (1, 3)


def test_one_changed_pixel_is_another_screen(session: Session, only_text: Tensor) -> None:
    changed = screen(0)
    changed[-1, -1, -1] ^= 1
    for image in (screen(0), screen(0), changed):
        session.append_image(image)
    reply(session, 1, constraint=only(only_text))
    assert (session.encoder.hits, session.encoder.misses) == (1, 2)


def test_memory_of_screens_is_bounded(network: Qwen2VLNetwork, tokenizer: Tokenizer) -> None:
    one_screen = 12 * 64 * 4
    encoder = VisualEncoder(network, max_bytes=2 * one_screen)
    for seed in (0, 1, 0, 2, 0, 1):  # 2 pushes 1 out, because 0 was used in between
        session = Session(network, tokenizer, encoder=encoder)
        session.append_image(screen(seed))
        reply(session, 1)
    assert (encoder.hits, encoder.misses) == (2, 4)


def test_model_cannot_write_a_placeholder(
    session: Session, network: Qwen2VLNetwork, tokenizer: Tokenizer
) -> None:
    pads = [network.config.image_token_id, network.config.video_token_id]
    permitted = torch.zeros(network.config.text.vocab_size, dtype=torch.bool)
    permitted[[*pads, 65]] = True
    session.append_template(START)
    assert reply(session, 3, constraint=only(permitted)).token_ids == (65, 65, 65)
    other = Session(network, tokenizer)
    other.append_template(session.token_ids)
    row = reply(other, 40, sampling=Sampling(temperature=1e6))
    assert not set(row.token_ids) & set(pads)


def test_rewound_conversation_answers_as_if_the_rest_had_never_been(
    session: Session, network: Qwen2VLNetwork, tokenizer: Tokenizer, only_text: Tensor
) -> None:
    session.append_template(START)
    session.append_image(screen(0))
    session.append_text("now")
    place = session.num_tokens
    first = reply(session, 6, constraint=only(only_text))
    session.append_image(screen(1))
    session.append_text("more")
    reply(session, 4, constraint=only(only_text))
    session.rewind(place)
    assert session.num_visuals == 1
    assert reply(session, 6, constraint=only(only_text)).token_ids == first.token_ids
    with pytest.raises(UsageError, match=f"no token {place} to go back to"):
        Session(network, tokenizer).rewind(place)


@torch.inference_mode()
def test_screens_that_are_uploaded_as_bytes_are_the_same(
    session: Session, network: Qwen2VLNetwork, tokenizer: Tokenizer
) -> None:
    other = Session(network, tokenizer)
    other.encoder.uploads_bytes = True
    for one in (session, other):
        one.append_image(screen(0))
        one.append_image(screen(1, 56, 140))
    waiting = [visual.patches for visual in other.pending_visuals]
    assert {patches.dtype for patches in waiting if patches is not None} == {torch.uint8}
    pairs = zip(session.encode_pending(), other.encode_pending(), strict=True)
    assert all(torch.equal(a.embeds, b.embeds) for a, b in pairs)  # type: ignore[arg-type]


def test_forks_go_their_own_ways(session: Session, only_text: Tensor) -> None:
    session.append_template(START)
    session.append_image(screen(0))
    session.append_text("a")
    reply(session, 2, constraint=only(only_text))
    session.append_image(screen(1))  # still pending when the history forks
    session.append_text("b")
    other, third = session.fork(), session.fork()
    other.append_text(" another way")
    different = reply(other, 6, constraint=only(only_text))
    first = reply(session, 6, constraint=only(only_text))
    assert reply(third, 6, constraint=only(only_text)).token_ids == first.token_ids
    assert different.token_ids != first.token_ids
    assert session.token_ids != other.token_ids


@torch.no_grad()
def test_evicted_screen_equals_a_mask_that_hides_it_from_then_on(
    session: Session, network: Qwen2VLNetwork, only_text: Tensor
) -> None:
    session.append_template(START)
    old = session.append_image(screen(0))
    session.append_text("then")
    reply(session, 3, constraint=only(only_text))
    ids = session.token_ids
    session.evict(old)
    session.evict(old)
    assert session.cached_tokens == len(ids) - 1 - 12
    session.append_image(screen(1))
    session.append_text("now")
    answer = reply(session, 6, constraint=only(only_text))

    whole = torch.tensor([[*ids, *session.token_ids[len(ids) - 12 :]]])
    mask = torch.ones(1, whole.shape[1], whole.shape[1], dtype=torch.bool).tril()
    pads = (whole[0, : len(ids)] == network.config.image_token_id).nonzero().flatten()
    mask[:, len(ids) - 1 :, pads] = False  # the last sampled token is read after the eviction
    patches, grids = concatenate([preprocess(screen(0)), preprocess(screen(1))])
    logits = network(whole, patches=patches, grid_thw=grids, attention_mask=mask)[0]
    best = logits.masked_fill(~only_text, -torch.inf).argmax(-1)
    assert best[-7:-1].tolist() == list(answer.token_ids)


def test_history_with_an_evicted_screen_can_be_rewound_and_continued(
    session: Session, only_text: Tensor
) -> None:
    session.append_template(START)
    old = session.append_image(screen(0))
    session.append_text("then")
    reply(session, 3, constraint=only(only_text))
    session.evict(old)
    place = session.num_tokens
    first = reply(session, 5, constraint=only(only_text))
    session.rewind(place)
    assert reply(session, 5, constraint=only(only_text)).token_ids == first.token_ids


def test_a_fork_keeps_what_was_evicted_and_what_was_not(
    session: Session, only_text: Tensor
) -> None:
    session.append_template(START)
    numbers = [session.append_image(screen(seed)) for seed in (0, 1)]
    session.append_text("then")
    reply(session, 3, constraint=only(only_text))
    session.evict(numbers[0])
    other, third = session.fork(), session.fork()
    third.evict(numbers[1])
    first = reply(session, 6, constraint=only(only_text))
    assert reply(other, 6, constraint=only(only_text)).token_ids == first.token_ids
    assert other.cached_tokens == session.cached_tokens == third.cached_tokens + 12 + 6
    assert reply(third, 6, constraint=only(only_text)).token_ids != first.token_ids


def test_going_back_before_an_evicted_screen_forgets_it_wholly(
    session: Session, only_text: Tensor
) -> None:
    session.append_template(START)
    place = session.num_tokens
    twin = session.fork()
    number = session.append_image(screen(0))
    session.append_text("then")
    reply(session, 3, constraint=only(only_text))
    for inside in (place + 2, place + 5, place + 13):
        with pytest.raises(UsageError, match="inside a picture"):
            session.rewind(inside)
    session.evict(number)
    session.rewind(place)
    assert (session.num_visuals, session.cached_tokens) == (0, place)
    for one in (session, twin):
        one.append_image(screen(1))
        one.append_text("and now")
    answers = [reply(one, 6, constraint=only(only_text)) for one in (session, twin)]
    assert answers[0].token_ids == answers[1].token_ids


def test_failure_of_a_callback_leaves_the_history_as_it_was(
    session: Session, only_text: Tensor
) -> None:
    class Interrupted(Exception):
        pass

    def interrupt(_: str) -> None:
        raise Interrupted

    session.append_template(START)
    session.append_image(screen(0))
    before = session.token_ids
    with pytest.raises(Interrupted):
        reply(session, 200, constraint=only(only_text), on_token=interrupt)
    assert session.token_ids == before
    after = reply(session, 5, constraint=only(only_text))
    session.rewind(session.num_tokens)
    assert session.token_ids == [*before, *after.token_ids]


@pytest.mark.parametrize("number", [1, 2, 4], ids=["prompt", "first token", "third token"])
@pytest.mark.parametrize("companions", [0, 2])
def test_a_break_right_after_a_pass_leaves_no_trace(
    network: Qwen2VLNetwork,
    tokenizer: Tokenizer,
    only_text: Tensor,
    number: int,
    companions: int,
) -> None:
    def fresh() -> Session:
        session = Session(network, tokenizer)
        session.append_template(START)
        session.append_image(screen(0))
        session.append_text("now")
        return session

    passes: list[int] = []

    def interrupt(*_: object) -> None:
        passes.append(1)
        if len(passes) == number:
            raise KeyboardInterrupt

    config = GenerationConfig(6, constraint=only(only_text))
    sessions = [fresh() for _ in range(1 + companions)]
    before = [session.token_ids for session in sessions]
    hook = network.register_forward_hook(interrupt)
    with pytest.raises(KeyboardInterrupt):
        generate(sessions, config)
    hook.remove()
    assert [session.token_ids for session in sessions] == before
    expected = generate([fresh()], config)[0].token_ids
    for session in sessions:
        assert generate([session], config)[0].token_ids == expected
        assert session.num_tokens == session.cached_tokens + 1


def test_sampling_depends_on_the_seed_alone(
    network: Qwen2VLNetwork, tokenizer: Tokenizer, only_text: Tensor
) -> None:
    def run(seed: int) -> list[int]:
        session = Session(network, tokenizer)
        play(session, only_text, Sampling(temperature=1.5, top_k=50, top_p=0.95, seed=seed))
        return session.token_ids

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_full_context_is_refused_before_and_ends_answers_within(
    config: Qwen2VLConfig, build_model: BuildModel, tokenizer: Tokenizer, only_text: Tensor
) -> None:
    small = replace(config, text=replace(config.text, max_position_embeddings=30))
    session = Session(build_model(small), tokenizer)
    session.append_text("x" * 25)
    answer = reply(session, 50, constraint=only(only_text))
    assert (len(answer.token_ids), answer.stop_reason) == (6, "length")
    session.append_text("y")
    with pytest.raises(UsageError, match="the context is full: 32 positions"):
        reply(session, 1)


def test_empty_conversation_has_nothing_to_continue(session: Session) -> None:
    with pytest.raises(UsageError, match="append text or a picture first"):
        reply(session, 1)
    with pytest.raises(UsageError, match="at least 1"):
        reply(session, 0)


def test_tokenizer_of_another_checkpoint_is_refused(
    network: Qwen2VLNetwork, config: Qwen2VLConfig, build_model: BuildModel, tokenizer: Tokenizer
) -> None:
    with pytest.raises(CheckpointError, match="different checkpoints"):
        Session(network, train_tokenizer([], 270))
    short = replace(config, image_token_id=1)
    with pytest.raises(CheckpointError, match=r"<\|image_pad\|> is 1"):
        Session(build_model(short), tokenizer)


def test_placeholders_need_their_pictures(session: Session, tokenizer: Tokenizer) -> None:
    with pytest.raises(UsageError, match="without its picture"):
        session.append_template("<|vision_start|><|image_pad|><|vision_end|>")
    with pytest.raises(UsageError, match="without its picture"):
        session.append_template(tokenizer.encode_template("a<|video_pad|>"))
    with pytest.raises(UsageError, match="knows 0 to"):
        session.append_template([10**6])
    assert session.token_ids == []


def test_pictures_that_were_not_read_cannot_be_evicted(session: Session) -> None:
    number = session.append_image(screen(0))
    with pytest.raises(UsageError, match="generate first"):
        session.evict(number)
    with pytest.raises(UsageError, match="no picture 1"):
        session.evict(number + 1)
