"""Devices that are really apart, on a machine with a CPU alone.

A tensor that says it is on another device is kept in the CPU's memory, and every function of it is
computed there. One that mixes devices is refused, as a GPU would; what is copied from one device
to another is counted.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from eyehand.model import device_map
from eyehand.model.hub import Qwen2VL

FAR = tuple(torch.device("xla", number) for number in range(3))
"""A type of device that torch has a name for, and nothing behind it here."""
_CPU = torch.device("cpu")

Copies = Counter[tuple[str, str, tuple[int, ...]]]
"""From where, to where, and the shape."""


_NAMES_ALONE = (torch.device, torch._C._nn._parse_to)


class FarTensor(Tensor):
    """A tensor that says it is elsewhere; see `far_devices`."""

    near: Tensor
    place: torch.device

    @staticmethod
    def __new__(cls, near: Tensor, place: torch.device) -> "FarTensor":
        made: FarTensor = Tensor._make_wrapper_subclass(
            cls, near.shape, dtype=near.dtype, device=place
        )
        made.near, made.place = near, place
        return made

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return self.place

    @classmethod
    def __torch_dispatch__(cls, func: Any, *_: Any) -> Any:
        raise AssertionError(f"{func} went past the mode")


class _FarDevices(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.copies: Copies = Counter()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = list(_leaves((args, tuple(kwargs.values()))))
        far = [x for x in given if isinstance(x, FarTensor)]
        asked = [torch.device(x) for x in given if _names_far(x)]
        if func in _NAMES_ALONE or not (far or asked):
            return func(*args, **kwargs)
        where = self._place(func, args, given, asked)
        found = func(*_mapped(_near, args), **{n: _mapped(_near, x) for n, x in kwargs.items()})
        for x in far:
            if found is x.near:  # changed in place, or as it was
                return x if x.place == where else _far(found.clone(), where)
        return _mapped(lambda x: _far(x, where), found)

    def _place(
        self, func: Any, args: Any, given: list[Any], asked: list[torch.device]
    ) -> torch.device:
        """Where a result is."""
        tensors = [x for x in given if isinstance(x, Tensor)]
        if func in (Tensor.to, Tensor.copy_, Tensor.cpu):
            ends = [_where(x) for x in args[:2] if isinstance(x, Tensor)]
            named = [x for x in given if isinstance(x, torch.device)] or ends[1:] or ends
            source, target = ends[0], _CPU if func is Tensor.cpu else named[0]
            if func is Tensor.copy_:
                source, target = ends[1], ends[0]
            if source != target:
                self.copies[str(source), str(target), tuple(args[0].shape)] += 1
            return target
        there = {_where(x) for x in tensors if x.ndim or isinstance(x, FarTensor)}
        if func in (Tensor.__getitem__, Tensor.__setitem__) and isinstance(args[0], FarTensor):
            there -= {_CPU}  # an index may come from there
        if len(there) > 1:
            raise AssertionError(f"{func} mixes {', '.join(sorted(map(str, there)))}")
        return asked[0] if asked else next(iter(there))


@contextmanager
def far_devices() -> Iterator[Copies]:
    """Let tensors be on `FAR`; yields how often which were copied from one device to another.

    What is made inside may be used inside another one.
    """
    with _FarDevices() as mode:
        yield mode.copies


def leave(monkeypatch: pytest.MonkeyPatch, free: Mapping[torch.device, int]) -> None:
    """Pretend that the far devices named are the machine's GPUs, with so many bytes free."""
    monkeypatch.setattr(device_map, "gpus", lambda: [d for d in free if d != _CPU])
    monkeypatch.setattr(device_map, "free_bytes", lambda device: free.get(device, 10**9))


def whole_and_split(
    folder: Path, monkeypatch: pytest.MonkeyPatch, **options: Any
) -> tuple[Qwen2VL, Qwen2VL]:
    """Load a model on the first of the far devices, and on all of them."""
    leave(monkeypatch, dict.fromkeys(FAR, 5_000_000))
    whole = Qwen2VL.load(folder, device=FAR[0], **options)
    return whole, Qwen2VL.load(folder, device_map="auto", **options)


def _leaves(x: Any) -> Iterator[Any]:
    if isinstance(x, tuple | list):
        for one in x:
            yield from _leaves(one)
    else:
        yield x


def _mapped(change: Callable[[Any], Any], x: Any) -> Any:
    if isinstance(x, tuple | list):
        return type(x)([_mapped(change, one) for one in x])
    return change(x)


def _names_far(x: Any) -> bool:
    return x in FAR if isinstance(x, torch.device) else isinstance(x, str) and x.startswith("xla")


def _where(x: Tensor) -> torch.device:
    return x.place if isinstance(x, FarTensor) else _CPU


def _near(x: Any) -> Any:
    if isinstance(x, FarTensor):
        return x.near
    return _CPU if _names_far(x) else x


def _far(x: Any, where: torch.device) -> Any:
    return FarTensor(x, where) if isinstance(x, Tensor) and where != _CPU else x
