"""Writing the weights of a checkpoint for others: a new folder, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from ddpm import atomic, checkpoint, guides, subject
from ddpm.carrying import network, peerfolder, plainfolder, program
from ddpm.carrying.reading import CarryError
from ddpm.config import Config
from ddpm.datafiles import shown
from ddpm.subject import Subject


def export(
    folder: Path,
    config: Config,
    target: Path,
    *,
    to: str,
    dtype: str = "float32",
    told: Mapping[str, Any],
) -> dict[str, Any]:
    """Writes what `sampling.ema` and `sampling.average` ask for into `target`, a new or empty folder.

    to: "diffusers", "safetensors" (`plainfolder`), "torch" or "onnx" (`program`, always float32); told: what
    a plain folder says of the run. Returns {"path", "bytes", "parameters", "notes"}. EngineError where the
    network cannot be carried there, the checkpoint cannot be read, or `target` holds anything.
    """
    if to == "diffusers" and (refused := network.reasons(config)):
        raise CarryError("; ".join(refused))
    if to == "onnx":
        program.check_onnx()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise CarryError(f"{shown(target)}: there already; name a new or an empty folder")
    notes = []
    if to != "safetensors" and config.sampling.guide is not None:
        notes.append("sampling.guidance_step: the earlier step that guides images is not carried there")
        config = guides.unguided(config)
    source = subject.from_checkpoint(folder, config, torch.device("cpu"), torch.float32)
    tensors = {name: t.detach().contiguous() for name, t in source.network.state_dict().items()}
    notes += network.notes(config) if to == "diffusers" else []
    with atomic.new_folder(target) as out:
        if to == "diffusers":
            peerfolder.write(out, config, tensors, getattr(torch, dtype))
        elif to == "torch":
            program.write(out, config, source.network)
        elif to == "onnx":
            program.write_onnx(out, config, source.network)
        else:
            last = plainfolder.Part(tensors, {"step": source.step, "images_seen": source.images_seen, **told})
            parts = [*_guide(folder, config, source), last]
            plainfolder.write(out, config, parts, getattr(torch, dtype))
        size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    parameters = sum(tensor.numel() for tensor in tensors.values())
    return {"path": str(target), "bytes": size, "parameters": parameters, "notes": notes}


def _guide(folder: Path, config: Config, source: Subject) -> Iterator[plainfolder.Part]:
    """What `sampling.guidance_step` asks for of a checkpoint, if it does."""
    step = config.sampling.guide
    if step is not None and source.guide is not None:
        saved = checkpoint.open_folder(guides.folder_of(folder, step))
        told = {"step": step, "images_seen": saved.images_seen}
        yield plainfolder.Part(source.guide.state_dict(), told)
