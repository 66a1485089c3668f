"""A network as a program that runs without this package: weights and computation in one file.

    network.pt2     torch.export.load("network.pt2").module()(x, timesteps, labels)
    network.onnx    onnxruntime.InferenceSession("network.onnx").run(None, {"x": x, "timesteps": …, …})
    network.json

x float32 (N, C, H, W), timesteps int64 (N,), any N; of a network that is told of classes also labels int64
(N,), the number of classes where none is told. `network.json` says what goes in and what comes out, with the
betas that the network was trained on.
"""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import nn
from torch.export import ExportedProgram

from ddpm import schedules
from ddpm.carrying.reading import CarryError
from ddpm.config import Config

PROGRAM, ONNX, FACTS = "network.pt2", "network.onnx", "network.json"
#: Images at once, at most: as many as `sampling.batch_size` may be.
_MOST = 65_536
_INPUTS = ("x", "timesteps", "labels")


def check_onnx() -> None:
    """CarryError where the packages are missing that write ONNX."""
    if find_spec("onnxscript") is None:
        raise CarryError("--to onnx: the package onnxscript is missing: pip install 'ddpm-tui[onnx]'")


def write(folder: Path, config: Config, network: nn.Module) -> None:
    """Fills a folder with a float32 network in eval mode on the CPU, for torch."""
    torch.export.save(_exported(config, network), folder / PROGRAM)
    _write_facts(folder, config)


def write_onnx(folder: Path, config: Config, network: nn.Module) -> None:
    """The same for whatever runs ONNX."""
    names = _INPUTS if config.model.classes else _INPUTS[:2]
    exported = _exported(config, network)
    made = torch.onnx.export(exported, input_names=names, output_names=["output"], dynamo=True, verbose=False)
    assert made is not None  # of an exported program it never is
    made.save(folder / ONNX)
    _write_facts(folder, config)


def _exported(config: Config, network: nn.Module) -> ExportedProgram:
    channels, size, _ = config.data.shape
    network = network.to(memory_format=torch.contiguous_format)
    batch = torch.export.Dim("batch", min=1, max=_MOST)
    inputs = [torch.zeros(2, channels, size, size), torch.zeros(2, dtype=torch.int64)]
    if config.model.classes:
        inputs.append(torch.zeros(2, dtype=torch.int64))
    with torch.no_grad():
        return torch.export.export(network, tuple(inputs), dynamic_shapes=tuple({0: batch} for _ in inputs))


def _write_facts(folder: Path, config: Config) -> None:
    channels, size, _ = config.data.shape
    facts = {
        "input": ["batch", channels, size, size],
        "inputs": list(_INPUTS if config.model.classes else _INPUTS[:2]),
        "classes": config.model.classes,
        "untold": config.model.classes or None,  # the label of images whose class is not told
        "prediction": config.diffusion.prediction,
        "variance": config.diffusion.variance,
        "objective": config.objective,
        "timesteps": config.diffusion.timesteps,
        "betas": schedules.make(config.diffusion).betas.tolist(),
    }
    (folder / FACTS).write_text(json.dumps(facts) + "\n", encoding="utf-8")
