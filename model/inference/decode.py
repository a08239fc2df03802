"""The one way to generate: sessions in, their answers out.

Several sessions share the passes of the network (`reading.py`): their pictures are encoded first,
then what is new to them is read, then each pass computes a token of all that still write. A session
by itself does the same with faster passes. A GPU writes several tokens before they are looked at
(`writing.py`), where nothing that is looked at decides what may come next.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from eyehand.errors import UsageError
from eyehand.model.inference.decoder import Decoder, Generation, GenerationConfig, now_s
from eyehand.model.inference.reading import read
from eyehand.model.inference.session import Session
from eyehand.model.inference.visual_cache import Visual
from eyehand.model.inference.writing import AHEAD, Writer
from eyehand.model.memory import memory_told
from eyehand.model.qwen2vl.model import Qwen2VLNetwork


def generate(
    sessions: Sequence[Session],
    config: GenerationConfig | Sequence[GenerationConfig],
    *,
    batch_size: int = 1,
    ahead: int | None = None,
) -> list[Generation]:
    """Lets the model continue one or several histories.

    What ends an answer (a stop word, an end token) is not part of it: afterwards a history is what
    it was before plus `Generation.token_ids`, and the caller appends what follows. Where a stop
    word begins inside a token, that token is replaced by the ids of the text before the stop word.

    An answer is the same for every number of sessions up to float rounding, and up to the last bit
    for all numbers of sessions that are given with one `batch_size` above 1.

    Args:
        sessions: Different sessions of one model; at least one.
        config: How answers are sampled: one for all, or one for each session.
        batch_size: How many sessions are answered together at most in this program. Above 1 an
            answer's bits do not depend on how many are given, on a CPU.
        ahead: How many tokens are written at most before they are looked at, 1 or more; above 1
            they round otherwise in the last bits. None is what suits the device.

    Returns:
        The answers in the sessions' order.

    Raises:
        UsageError: No session, one given twice, sessions of different models, nothing to continue,
            a full context, or a number of configs or a batch size that cannot be.
        CheckpointError: The model's scores are not numbers.
        NotEnoughMemory: A history does not fit.
        Exception: Whatever a constraint or `on_token` raises. All histories are then what they
            were before the call.
    """
    for name, number in (("batch_size", batch_size), ("ahead", ahead)):
        if number is not None and number < 1:
            raise UsageError(f"{name} must be at least 1, got {number}")
    network = _common_network(sessions)
    configs = _one_each(config, len(sessions))
    decoders = [Decoder(*pair) for pair in zip(sessions, configs, strict=True)]
    alone = len(sessions) == batch_size == 1
    try:
        with torch.inference_mode(), memory_told(network.device, "to answer"):
            scores = _read_prompts(sessions, decoders, alone)
            going = [row for row, decoder in enumerate(decoders) if decoder.choose(scores[row])]
            writer = _writer(network, ahead) if going else None
            while going:
                still = _write([decoders[row] for row in going], writer, alone)
                going = [row for row, goes_on in zip(going, still, strict=True) if goes_on]
            return [decoder.finish() for decoder in decoders]
    except BaseException:
        for decoder in decoders:
            decoder.abandon()
        raise


def _writer(network: Qwen2VLNetwork, ahead: int | None) -> Writer | None:
    """Return what writes ahead; None where each token is looked at, and where layers lie apart."""
    ahead = ahead or (AHEAD if network.device.type == "cuda" else 1)
    if ahead == 1 or len({weight.device for weight in network.parameters()}) > 1:
        return None
    return Writer(network, ahead)


def _write(decoders: Sequence[Decoder], writer: Writer | None, alone: bool) -> list[bool]:
    """Give each answer its next token, or several; returns which of them go on."""
    network = decoders[0].session.network
    fast = [d for d in decoders if writer is not None and d.can_be_ahead]
    slow = [d for d in decoders if d not in fast]
    goes_on: dict[int, bool] = {}
    if fast and writer is not None:
        most = 1 if any(decoder.is_held for decoder in fast) else writer.ahead
        written = writer.write([decoder.ahead(most) for decoder in fast])
        goes_on |= {id(d): d.take(found) for d, found in zip(fast, written, strict=True)}
    if slow:
        scores = read(network, [decoder.session.pending() for decoder in slow], alone=alone)
        goes_on |= {id(d): d.choose(found) for d, found in zip(slow, scores, strict=True)}
    return [goes_on[id(decoder)] for decoder in decoders]


def _read_prompts(
    sessions: Sequence[Session], decoders: Sequence[Decoder], alone: bool
) -> list[Tensor]:
    """Read all that is new; returns the scores of each answer's first token."""
    network = sessions[0].network
    began_s = now_s(network)
    visuals = _encode(sessions)
    seen_s = now_s(network)
    pending = [session.pending(new) for session, new in zip(sessions, visuals, strict=True)]
    scores = read(network, pending, alone=alone)
    read_s = now_s(network)
    for decoder in decoders:
        decoder.begin(seen_s - began_s, read_s - seen_s)
    return scores


def _encode(sessions: Sequence[Session]) -> list[list[Visual]]:
    """Encode the new pictures of all sessions at once, as far as they share a memory of them."""
    visuals = [session.pending_visuals for session in sessions]
    for encoder in {id(session.encoder): session.encoder for session in sessions}.values():
        pairs = zip(sessions, visuals, strict=True)
        encoder.encode([v for session, new in pairs if session.encoder is encoder for v in new])
    return visuals


def _common_network(sessions: Sequence[Session]) -> Qwen2VLNetwork:
    if not sessions:
        raise UsageError("there is nobody to answer: give at least one session")
    if len({id(session) for session in sessions}) < len(sessions):
        raise UsageError("a session can give one answer at a time, and was given twice")
    if len({id(session.network) for session in sessions}) > 1:
        raise UsageError("sessions are answered together only where they share one model")
    return sessions[0].network


def _one_each(
    config: GenerationConfig | Sequence[GenerationConfig], count: int
) -> Sequence[GenerationConfig]:
    configs = [config] * count if isinstance(config, GenerationConfig) else config
    if len(configs) != count:
        raise UsageError(f"expected one config for all or {count}, one each, got {len(configs)}")
    return configs
