"""Copies of one network in several processes, each with its part of every batch.

PyTorch's own launcher starts them: `torchrun --nproc-per-node 2 -m eyehand train tune ...`. Their
gradients are added up, so together they take the step that one process would take.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from eyehand.errors import UsageError

T = TypeVar("T")


@dataclass(frozen=True)
class Replicas:
    """How many processes train together, and which one this is.

    Attributes:
        count: Of processes.
        rank: This one's number, from 0; the first one writes.
    """

    count: int = 1
    rank: int = 0

    @classmethod
    def launched(cls, device: torch.device) -> "Replicas":
        """Join the processes that the launcher started; one by itself where there is none.

        Args:
            device: Where this process trains; on a GPU each process has one of its own.
        """
        count = int(os.environ.get("WORLD_SIZE", "1"))
        if count == 1:
            return cls()
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
        return cls(count, dist.get_rank())

    def close(self) -> None:
        """Wait for the others, and leave them."""
        if self.count > 1:
            dist.barrier()
            dist.destroy_process_group()

    def check_batch(self, batch: int) -> None:
        """Look whether a batch can be shared out.

        Raises:
            UsageError: it cannot.
        """
        if batch % self.count:
            raise UsageError(
                f"{self.count} processes share a batch of {batch}: it must divide by {self.count}"
            )

    def part(self, batch: Sequence[T]) -> list[T]:
        """Return this process's part of a batch."""
        return list(batch[self.rank :: self.count])

    def total(self, *values: float) -> list[float]:
        """Return the sums of some numbers over all processes."""
        if self.count == 1:
            return list(values)
        summed = torch.tensor(values, dtype=torch.float64)
        device = "cuda" if dist.get_backend() == "nccl" else "cpu"
        summed = summed.to(device)
        dist.all_reduce(summed)
        return [float(value) for value in summed]

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace every gradient by the sum over all processes."""
        if self.count == 1:
            return
        gradients: list[Tensor] = []
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            gradients.append(parameter.grad)
        waiting = [dist.all_reduce(gradient, async_op=True) for gradient in gradients]
        for each in waiting:
            each.wait()
