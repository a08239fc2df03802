"""Several devices for one model: which there are, and what goes where before anything is loaded.

GPUs come first, and get shares by what is free; the CPU, whose layers are slow, is the last resort.
"""

import logging
from dataclasses import replace

import torch

from eyehand.errors import NotEnoughMemory, UsageError
from eyehand.model.fitting import Fitting
from eyehand.model.memory import free_bytes, token_bytes
from eyehand.model.qwen2vl.placement import Placement, Sizes, divided, part_of, widest
from eyehand.model.stored_weights import Stored, asked_bytes
from eyehand.model.units import size_text

AUTO = "auto"
STEPS = 4
"""Steps of history that devices shall have room for; where that cannot be, one suffices."""
_UNKNOWN = 2**62
"""Bytes that a device is said to have free where nobody says."""
_CPU = torch.device("cpu")

_log = logging.getLogger(__name__)


def named_device(name: str | torch.device | None) -> torch.device:
    """Return the device of a name; None is the CUDA device where there is one, else the CPU.

    Raises:
        UsageError: there is no such device here.
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=torch.device(name)).device
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        why = str(error).splitlines()[0]
        raise UsageError(f"device {name}: it cannot be used here ({why})") from None


def gpus() -> list[torch.device]:
    """Return the GPUs of this machine."""
    return [torch.device("cuda", number) for number in range(torch.cuda.device_count())]


def named_devices(
    device: str | torch.device | None, device_map: str | None
) -> tuple[torch.device, ...]:
    """Return the devices that a model may use, in the order of its layers.

    Args:
        device: One.
        device_map: "auto" for all GPUs, and the CPU as the last resort; or some in order, with
            commas between: "0,1", "cuda:1,cpu". None: `device` alone.

    Raises:
        UsageError: they cannot be used so; what is possible is said.
    """
    if device_map is None:
        return (named_device(device),)
    if device is not None:
        raise UsageError("a device is one, and a device map several: give --device or --device-map")
    if device_map == AUTO:
        found = (*gpus(), _CPU)
        if len(found) == 1:
            _log.info("device map auto: there is one device, %s", *found)
        return found
    return _listed(device_map)


def _listed(device_map: str) -> tuple[torch.device, ...]:
    here = ", ".join(map(str, (*gpus(), _CPU)))
    ways = f"expected {AUTO}, or devices in order, such as 0,1,cpu; here there are {here}"
    try:
        names = [name.strip() for name in device_map.split(",")]
        found = [named_device(f"cuda:{name}" if name.isdecimal() else name) for name in names]
    except UsageError as error:
        raise UsageError(f"device map {device_map!r}: {error}; {ways}") from None
    if len(set(found)) < len(found):
        raise UsageError(f"device map {device_map!r} names a device twice: {ways}")
    if _CPU in found[:-1]:
        raise UsageError(f"device map {device_map!r}: the CPU comes last, where it is asked for")
    return tuple(found)


def spread(
    fitting: Fitting, dtype: torch.dtype | None, devices: tuple[torch.device, ...]
) -> Fitting:
    """Return a model's fitting with its parts on several devices, and say what goes where.

    Args:
        fitting: The model, for the first of the devices.
        dtype: Its own; None is the stored one.
        devices: What `named_devices` returned, more than one.

    Raises:
        NotEnoughMemory: It does not fit; the line names the options that would make it fit.
    """
    placement = _placement(fitting, dtype, devices)
    if placement is None:
        ways = fitting.ways(dtype)
        fits = [way for way, less, kind in ways if _placement(less, kind, devices) is not None]
        free = ", ".join(f"{size_text(_free(device))} on {device}" for device in devices)
        raise NotEnoughMemory(
            f"too little memory to load the model: {fitting.need(dtype).amounts}, {free} are free; "
            + (f"it would fit with {fits[0]}" if fits else "take a smaller model")
        )
    target = replace(fitting.target, device=placement.first, placement=placement)
    _tell(replace(fitting, target=target), dtype, placement)
    return replace(fitting, target=target)


def _placement(
    fitting: Fitting, dtype: torch.dtype | None, devices: tuple[torch.device, ...]
) -> Placement | None:
    """Return where the parts go: on GPUs as evenly as they can be, on the CPU what is left."""
    need, layers = fitting.need(dtype), fitting.config.text.num_hidden_layers
    weights = [asked_bytes(part, replace(fitting.target, dtype=dtype)) for part in _parts(fitting)]
    kept = fitting.kept_dtype(dtype).itemsize
    sizes = Sizes(tuple(weights), token_bytes(fitting.config, kept) // layers, need.reading)
    free = [_free(device) for device in devices]
    fast = [bytes_free for bytes_free, device in zip(free, devices, strict=True) if device != _CPU]
    for steps in (STEPS, 1):
        tokens = 2 * steps * need.tokens  # a history's bound is half of what is free
        parts = widest(sizes, fast, tokens) or divided(sizes, free, tokens)
        if parts is not None:
            return Placement.of_parts(devices, parts)
    return None


def _parts(fitting: Fitting) -> list[dict[str, Stored]]:
    """Return the stored weights of each part."""
    layers = fitting.config.text.num_hidden_layers
    parts: list[dict[str, Stored]] = [{} for _ in range(layers + 2)]
    for name, entry in fitting.stored.items():
        parts[part_of(name, layers)][name] = entry
    return parts


def _tell(fitting: Fitting, dtype: torch.dtype | None, placement: Placement) -> None:
    if len(placement.devices) == 1:
        _log.info("device map: %s has room for the whole model", placement.first)
        return
    target, need = replace(fitting.target, dtype=dtype), fitting.need(dtype)
    a_layer, steps = need.step // len(placement.layers), []
    for device, held in placement.told().items():
        there = {n: one for n, one in fitting.stored.items() if str(target.device_of(n)) == device}
        weights, free = asked_bytes(there, target), _free(torch.device(device))
        last = ", the last resort: slower than a GPU" if device == "cpu" else ""
        _log.info("device map: %s gets %s: %s of weights, %s are free%s",
                  device, held, size_text(weights), size_text(free), last)  # fmt: skip
        if layers := placement.layers.count(torch.device(device)):
            steps.append(max(0, free - weights - need.reading) // 2 // (a_layer * layers))
    _log.info("device map: a history of %d steps", min(steps))


def _free(device: torch.device) -> int:
    found = free_bytes(device)
    return _UNKNOWN if found is None else found
