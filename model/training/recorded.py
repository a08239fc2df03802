"""Whole training steps, recorded as CUDA graphs, one for each size of documents.

A step draws its documents out of a pool, runs the network forwards and backwards, clips and takes
AdamW's step. Replaying it costs the process one call, whatever the network's size. Where there is
no CUDA the same step is taken kernel by kernel.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from eyehand.model.qwen2vl.model import Qwen2VLNetwork
from eyehand.model.training.optimizer import BETAS, parameter_groups
from eyehand.model.training.packing import Pool, Size, side_stream
from eyehand.model.training.positions import LOOK_LAYER, POSITION_LAYER
from eyehand.model.training.precision import fast_dtype
from eyehand.model.training.resident import LOSSES

_LOG = logging.getLogger(__name__)

LossesOf = Callable[[Mapping[str, Tensor], Size], dict[str, Tensor]]
"""A batch of a pool to its losses by name; their sum is learned from."""

_KEPT = 0.98
"""The mean of the losses forgets with this factor a step."""
_WARM_UPS = 3
_ATTEMPTS = 3


class CompiledBlocks:
    """The transformer blocks of a network, compiled until that fails once.

    Layers that a loss looks into are compiled in part only.

    Args:
        model: Its blocks are compiled in place, when they first run.
    """

    def __init__(self, model: Qwen2VLNetwork) -> None:
        self._blocks: list[nn.Module] = list(model.visual.blocks)
        for index, layer in enumerate(model.model.layers):
            hooked = index in (POSITION_LAYER, LOOK_LAYER)
            self._blocks.append(layer.mlp if hooked else layer)  # type: ignore[arg-type]
        torch._dynamo.config.cache_size_limit = 64
        torch._dynamo.config.accumulated_cache_size_limit = 512
        for block in self._blocks:
            block.compile(dynamic=False)

    def __bool__(self) -> bool:
        """Return whether any block is compiled."""
        return bool(self._blocks)

    def give_up(self) -> None:
        """Run the blocks as they were written, from now on."""
        for block in self._blocks:
            block._compiled_call_impl = None
        self._blocks = []


@dataclass
class _Recorded:
    """One size's step: where it reads its documents' places, and its losses' running sums."""

    places: Tensor
    sums: Tensor
    graph: torch.cuda.CUDAGraph | None = None
    steps: int = field(default=0)


class RecordedSteps:
    """The steps of one optimizer over pools of several sizes.

    Args:
        losses: What is learned from.
        network: What is trained; its matrices decay.
        heads: What is trained beside it.
        device: Where all of it lies.
        weight_decay: Of the matrices.
        compiled: Blocks that are compiled; None for none.
        lock: Held while a graph is recorded: nobody else may give the device work then.
    """

    def __init__(
        self, losses: LossesOf, network: nn.Module, heads: Sequence[nn.Module],
        device: torch.device, weight_decay: float = 0.05, compiled: CompiledBlocks | None = None,
        lock: AbstractContextManager[object] | None = None,
    ) -> None:  # fmt: skip
        self._losses, self._device, self._compiled = losses, device, compiled
        self._lock = lock or threading.Lock()
        self._is_cuda = device.type == "cuda"
        self._dtype = fast_dtype(device)
        groups = parameter_groups(network, heads, weight_decay)
        self._parameters = [p for group in groups for p in group["params"]]
        self._rate = torch.zeros((), device=device)
        self._optimizer = torch.optim.AdamW(
            groups, lr=self._rate if self._is_cuda else 0.0, betas=BETAS,
            fused=self._is_cuda, capturable=self._is_cuda,
        )  # fmt: skip
        for parameter in self._parameters:
            parameter.grad = torch.zeros_like(parameter)
        self._recorded: dict[tuple[Size, int], _Recorded] = {}
        self._stream = side_stream(device)
        self.steps = 0

    def record(self, pool: Pool, batch: int, compiled: bool = False) -> None:
        """Prepare the steps of a pool, with `batch` documents each; it must hold one document.

        What has been prepared is kept.

        Args:
            pool: The documents.
            batch: How many a step.
            compiled: Whether compiled blocks are used, which takes a minute to prepare.
        """
        if (pool.size, batch) in self._recorded:
            return
        step = _Recorded(
            torch.zeros(batch, dtype=torch.long, device=self._device),
            torch.zeros(len(LOSSES), device=self._device),
        )
        if self._is_cuda:
            with self._lock:
                step.graph = self._graph(pool, step, compiled)
        self._recorded[pool.size, batch] = step

    def step(self, pool: Pool, places: NDArray[np.int64], rate: float) -> None:
        """Take one step.

        Args:
            pool: Where the documents lie.
            places: Theirs (B,); a number B that was not recorded is recorded now.
            rate: The learning rate.
        """
        self.record(pool, len(places))
        recorded = self._recorded[pool.size, len(places)]
        recorded.places.copy_(torch.from_numpy(places))
        self._set_rate(rate)
        if recorded.graph is not None:
            recorded.graph.replay()
        else:
            self._once(pool, recorded)
        recorded.steps += 1
        self.steps += 1

    def means(self) -> dict[str, float]:
        """Return the running mean of each loss, over all sizes that have it."""
        sums: dict[str, float] = {}
        weights: dict[str, float] = {}
        for recorded in self._recorded.values():
            if recorded.steps:
                seen = 1 - _KEPT**recorded.steps
                for name, value in zip(LOSSES, recorded.sums.tolist(), strict=True):
                    if value:  # a size without the loss adds nothing to it
                        sums[name] = sums.get(name, 0.0) + recorded.steps * value / seen
                        weights[name] = weights.get(name, 0.0) + recorded.steps
        return {name: round(sums[name] / weights[name], 4) for name in LOSSES if name in sums}

    def close(self) -> None:
        """Give the graphs' memory and the gradients' back."""
        self._recorded.clear()
        for parameter in self._parameters:
            parameter.grad = None

    def _set_rate(self, rate: float) -> None:
        if self._is_cuda:
            self._rate.fill_(rate)
        else:
            for group in self._optimizer.param_groups:
                group["lr"] = rate

    def _once(self, pool: Pool, recorded: _Recorded) -> None:
        with torch.autocast(
            self._device.type, self._dtype, self._dtype != torch.float32, cache_enabled=False
        ):
            found = self._losses(pool.drawn(recorded.places), pool.size)
            total = torch.stack([loss.float() for loss in found.values()]).sum()
        total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._parameters, 1.0, foreach=True)
        self._optimizer.step()
        self._forget_gradients()
        with torch.no_grad():
            zero = torch.zeros((), device=self._device)
            new = torch.stack([found.get(name, zero).float() for name in LOSSES])
            recorded.sums.mul_(_KEPT).add_(new, alpha=1 - _KEPT)

    def _forget_gradients(self) -> None:
        """Set the gradients to zero where they lie: the graphs know their addresses."""
        torch._foreach_zero_([p.grad for p in self._parameters if p.grad is not None])

    def _graph(
        self, pool: Pool, recorded: _Recorded, compiled: bool
    ) -> torch.cuda.CUDAGraph | None:
        """Record a step; None where it cannot be recorded, and is then taken kernel by kernel."""
        rate = self._rate.clone()
        self._rate.zero_()  # so that the warm-up changes no weight
        graph = None
        for _ in range(_ATTEMPTS):
            try:
                graph = self._captured(pool, recorded, compiled and bool(self._compiled))
                break
            except Exception as error:  # compilers and drivers raise kinds of their own
                self._forget_gradients()
                if compiled and self._compiled:
                    _LOG.warning("compiled blocks are given up: %s", _first_line(error))
                    self._compiled.give_up()
                else:
                    _LOG.warning("a step cannot be recorded: %s", _first_line(error))
        torch.cuda.synchronize(self._device)
        self._rate.copy_(rate)
        recorded.sums.zero_()
        self._forget_gradients()
        return graph

    def _captured(self, pool: Pool, recorded: _Recorded, compiled: bool) -> torch.cuda.CUDAGraph:
        assert self._stream is not None
        with torch.compiler.set_stance("default" if compiled else "force_eager"):
            self._stream.wait_stream(torch.cuda.current_stream(self._device))
            with torch.cuda.stream(self._stream):
                for _ in range(_WARM_UPS):
                    self._once(pool, recorded)
            torch.cuda.synchronize(self._device)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
                self._once(pool, recorded)
        return graph


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
