"""Weights in files of others: every tensor checked against the network before it is taken.

Only safetensors and tables of tensors that torch reads without running anything are read. A file that is
larger than the network can be is not opened at all, and one that is packed (a few bytes that unfold to many)
is refused.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import safetensors
import torch
from torch import Tensor

from ddpm.carrying import reading
from ddpm.carrying.reading import CarryError
from ddpm.datafiles import shown

#: What a number may be stored as.
TYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
#: Bytes beside the numbers: names, shapes, alignment.
_REST = 16_000_000
#: Names of diffusers before version 0.14, and those since.
_RENAMED = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
_OLD = re.compile(r"(.*attentions\.\d+\.)(query|key|value|proj_attn)(\.(?:weight|bias))")


def renamed(name: str) -> str:
    """A tensor's name as it is here: only the attention layers were once called otherwise."""
    old = _OLD.fullmatch(name)
    return f"{old[1]}{_RENAMED[old[2]]}{old[3]}" if old else name


def read(path: Path, shapes: Mapping[str, torch.Size]) -> dict[str, Tensor]:
    """The tensors of `shapes` in a file (.safetensors, else torch's), float32 on the CPU.

    CarryError where one is missing, too many, of another shape, no floating-point numbers or not finite, and
    where the file is not what it should be.
    """
    count = sum(shape.numel() for shape in shapes.values())
    length = reading.size(path)
    if length is None:
        raise CarryError(f"{shown(path)}: no such file")
    if not 2 * count <= length <= 8 * count + _REST:
        raise CarryError(
            f"{shown(path)}: {length:,} bytes cannot be the {count:,} numbers of the network described"
        )
    found: dict[str, Tensor] = {}
    tensors = _safetensors(path, shapes) if path.suffix == ".safetensors" else _torch(path, count)
    for given, tensor in tensors:
        name = renamed(given)
        if name in found or name not in shapes:
            raise CarryError(f"{shown(path)}: {reading.told(given)} is no weight of the network described")
        found[name] = _checked(tensor, shapes[name], f"{shown(path)}: {name}")
    if missing := [name for name in shapes if name not in found]:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise CarryError(f"{shown(path)}: {missing[0]}{more} missing: not of the network described")
    return found


def _checked(tensor: Any, shape: torch.Size, name: str) -> Tensor:
    if not isinstance(tensor, Tensor) or tensor.layout != torch.strided or tensor.device.type != "cpu":
        raise CarryError(f"{name} is no plain tensor")
    if tensor.shape != shape:
        raise CarryError(
            f"{name} is of shape {tuple(tensor.shape)}; the network described has {tuple(shape)}"
        )
    if tensor.dtype not in TYPES:
        kind = str(tensor.dtype).removeprefix("torch.")
        raise CarryError(f"{name} is {kind}; weights are float32, float16, bfloat16 or float64")
    numbers = tensor.detach().to(torch.float32, copy=True, memory_format=torch.contiguous_format)
    if not numbers.isfinite().all():
        raise CarryError(f"{name} has numbers that are not finite")
    return numbers


def _safetensors(path: Path, shapes: Mapping[str, torch.Size]) -> Iterator[tuple[str, Tensor]]:
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - no mapping
                yield name, file.get_tensor(name)
    except (OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError):
        raise CarryError(f"{shown(path)}: not safetensors") from None


def _torch(path: Path, count: int) -> Iterator[tuple[str, Tensor]]:
    """The table in a file of `torch.save`. Nothing in it is run, and nothing in it may be packed."""
    refusal = f"{shown(path)}: not a plain table of tensors as torch.save writes it"
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        raise CarryError(refusal) from None
    packed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
    if packed or sum(entry.file_size for entry in entries) > 8 * count + _REST:
        raise CarryError(f"{shown(path)}: packed; torch.save writes numbers as they are")
    try:
        table = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # whatever a file made to do harm brings about in there
        raise CarryError(f"{refusal}; all else may hold code, and is not read") from None
    if not isinstance(table, dict) or not all(isinstance(name, str) for name in table):
        raise CarryError(refusal)
    yield from table.items()
