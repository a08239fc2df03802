"""Too little memory, said in one line: what was needed, and what there is.

Where the system would rather end the process than refuse (Linux does, on the CPU), what is surely
needed is compared with what is free before it is asked for.
"""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import torch

from eyehand.errors import NotEnoughMemory
from eyehand.model.qwen2vl.config import Qwen2VLConfig
from eyehand.model.units import size_text

_PROC = Path("/proc")
_CGROUPS = Path("/sys/fs/cgroup")
_ASKED = re.compile(r"tried to allocate ([\d.]+ ?[KMGTPE]?i?B(?:ytes)?)", re.IGNORECASE)
_BYTES = re.compile(r"tried to allocate (\d+) bytes")
_GPU = re.compile(r"GPU (\d+) has")
_CPU_REFUSAL = "DefaultCPUAllocator"


def check_room(needed_bytes: int, device: torch.device, doing: str) -> None:
    """Refuses what cannot fit.

    Args:
        needed_bytes: What will be asked for at once.
        device: Where.
        doing: What for, as in "to load the weights".

    Raises:
        NotEnoughMemory: Less is free.
    """
    free = free_bytes(device)
    if free is not None and needed_bytes > free:
        raise NotEnoughMemory(_line(doing, device, size_text(needed_bytes), free))


@contextlib.contextmanager
def memory_told(
    device: torch.device, doing: str, needed_bytes: int | None = None
) -> Iterator[None]:
    """Turns a refusal of memory into one line.

    Args:
        device: Where the work happens.
        doing: What it is, as in "to answer".
        needed_bytes: What it needs, for a refusal that does not say what was asked for.

    Raises:
        NotEnoughMemory: In place of what torch, numpy or Python raise.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        refused = isinstance(error, (torch.OutOfMemoryError, MemoryError))
        if not refused and _CPU_REFUSAL not in str(error):
            raise
        asked_of = _asked_device(error, device)
        needed = _asked(str(error), needed_bytes)
        raise NotEnoughMemory(_line(doing, asked_of, needed, free_bytes(asked_of))) from error


def free_bytes(device: torch.device) -> int | None:
    """Memory that can still be had on a device; None where nobody says."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type != "cpu":
        return None
    bounds = [_of_the_machine(), _of_the_address_space(), *_of_the_cgroups()]
    return min((bound for bound in bounds if bound is not None), default=None)


def vision_bytes(config: Qwen2VLConfig, patches: int, itemsize: int) -> int:
    """Least memory that the vision tower holds at once: a layer's input and its widest values."""
    vision = config.vision
    return patches * vision.embed_dim * (1 + 2 * vision.mlp_ratio) * itemsize


def reading_bytes(config: Qwen2VLConfig, tokens: int, itemsize: int) -> int:
    """Least memory that the language model holds at once while it reads so many tokens."""
    return tokens * (config.text.hidden_size + 2 * config.text.intermediate_size) * itemsize


def token_bytes(config: Qwen2VLConfig, itemsize: int) -> int:
    """Memory of one token's keys and values."""
    text = config.text
    return 2 * text.num_hidden_layers * text.num_key_value_heads * text.head_dim * itemsize


def _line(doing: str, device: torch.device, needed: str, free: int | None) -> str:
    where = "of memory" if device.type == "cpu" else f"of memory on {device}"
    there = "not as much is" if free is None else f"{size_text(free)} are"
    return (
        f"too little memory {doing}: {needed} {where} are needed, {there} free; "
        "take a smaller model, show smaller pictures, or end other programs"
    )


def _asked_device(error: RuntimeError | MemoryError, device: torch.device) -> torch.device:
    """Which device refused; a model may be on several."""
    if not isinstance(error, torch.OutOfMemoryError):
        return torch.device("cpu")
    named = _GPU.search(str(error))
    return torch.device("cuda", int(named[1])) if named and device.type == "cuda" else device


def _asked(refusal: str, needed_bytes: int | None) -> str:
    """What a refusal says was asked for."""
    plain = _BYTES.search(refusal)
    if plain:
        return f"{size_text(int(plain[1]))} more"
    found = _ASKED.search(refusal)
    if found:
        return f"{found[1]} more"
    return "more" if needed_bytes is None else size_text(needed_bytes)


def _of_the_machine() -> int | None:
    fields = dict(line.split(":", 1) for line in _lines(_PROC / "meminfo") if ":" in line)
    found = [int(fields[name].split()[0]) * 1024 for name in _FREE if name in fields]
    return sum(found) if "MemAvailable" in fields else None


_FREE = ("MemAvailable", "SwapFree")


def _of_the_address_space() -> int | None:
    """What `ulimit -v` leaves."""
    try:
        import resource
    except ImportError:  # not on Windows
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    used = _lines(_PROC / "self" / "statm")
    if limit == resource.RLIM_INFINITY or not used:
        return None
    return max(0, limit - int(used[0].split()[0]) * resource.getpagesize())


def _of_the_cgroups() -> Iterator[int]:
    """What a container's limits leave, of this group and of those around it."""
    for line in _lines(_PROC / "self" / "cgroup"):
        _, controllers, name = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        root = _CGROUPS / "memory" if controllers else _CGROUPS
        names = ("memory.limit_in_bytes", "memory.usage_in_bytes")
        limit, usage = names if controllers else ("memory.max", "memory.current")
        group = root / name.lstrip("/")
        for folder in (group, *group.parents):
            most, used = _number(folder / limit), _number(folder / usage)
            if most is not None and used is not None:
                yield max(0, most - used + _reclaimable(folder))
            if folder == root:
                break


def _reclaimable(folder: Path) -> int:
    """Bytes of files that the group only keeps in memory as long as nobody needs it."""
    fields = dict(line.split(" ", 1) for line in _lines(folder / "memory.stat") if " " in line)
    return sum(int(fields.get(name, 0)) for name in ("inactive_file", "active_file"))


def _number(path: Path) -> int | None:
    lines = _lines(path)
    return int(lines[0]) if lines and lines[0].isdecimal() else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
