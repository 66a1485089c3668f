"""Compiled training: the same steps, exact to go on from, and left out where it fails or does not repay."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch._dynamo
from PIL import Image
from torch import nn

from ddpm import compiling, unet
from ddpm.config import Config
from ddpm.configfiles import override, resolve
from ddpm.errors import EngineError
from ddpm.events import Ended, Event, Metrics, Notice
from ddpm.feed import tells
from ddpm.kernels import library
from ddpm.training import Training
from tests.ddpm.test_training import blobs, of_kind, run, tiny

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def training(*settings: str) -> Any:
    return override(Config(), settings).training


@pytest.mark.parametrize(
    ("settings", "device", "expected"),
    [
        (("training.steps=9999",), GPU, False),
        (("training.steps=10000",), GPU, True),
        (("training.steps=10000",), CPU, False),
        (("training.steps=1", "training.compile=on"), CPU, True),
        (("training.steps=10000", "training.compile=off"), GPU, False),
    ],
)
def test_it_is_wanted_where_it_repays(
    settings: tuple[str, ...], device: torch.device, expected: bool
) -> None:
    assert compiling.wanted(training(*settings), device) is expected


@pytest.mark.parametrize(
    ("settings", "device", "expected"),
    [
        ((), GPU, [True, False]),
        ((), CPU, [False]),
        (("training.accumulation=2",), GPU, [False]),  # gradients would be added where they are overwritten
        (("training.objective=noise2same",), GPU, [False]),
        (
            ("training.objective=consistency", "sampling.sampler=consistency", "diffusion.prediction=v"),
            GPU,
            [False],
        ),
    ],
)
def test_cuda_graphs_are_for_steps_of_one_backward_pass(
    settings: tuple[str, ...], device: torch.device, expected: list[bool]
) -> None:
    assert compiling.ways(override(Config(), settings), device) == expected


class Late(nn.Module):
    """As a CUDA graph that was recorded wrongly: from the third call on, something that it is told is not
    what it is told now."""

    def __init__(self, network: nn.Module, name: str) -> None:
        super().__init__()
        self.inner, self.name, self.calls = network, name, list[dict[str, torch.Tensor]]()

    def forward(self, x: torch.Tensor, timesteps: torch.Tensor, **told: torch.Tensor) -> torch.Tensor:
        self.calls.append({"x": x, "timesteps": timesteps, **told})
        now = dict(self.calls[-1])
        if len(self.calls) > 2 and self.name in now:
            now[self.name] = self.calls[1][self.name]
        if len(self.calls) > 2 and self.name == "dropout":
            torch.manual_seed(7)
        said: torch.Tensor = self.inner(**now)
        return said


@pytest.mark.parametrize("wrong", ["x", "timesteps", "labels", "moves", "dropout"])
def test_what_is_otherwise_when_replayed_is_not_taken(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    """Of a network as it is when a training begins, whose last layers are zero."""
    config = tiny("model.classes=10", "data.augment=0.1", "data.flip=false")
    network = unet.make(config).train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    monkeypatch.setattr(torch, "compile", lambda network, **_: network)
    assert compiling.compiled(network, config, CPU, graphs=True) is network
    monkeypatch.setattr(torch, "compile", lambda network, **_: Late(network, wrong))
    with pytest.raises(compiling.CompileError, match="it computes otherwise then"):
        compiling.compiled(network, config, CPU, graphs=True)
    assert all(parameter.grad is None for parameter in network.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_gradients_that_are_another_steps_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    class Swapped(nn.Module):
        def __init__(self, network: nn.Module) -> None:
            super().__init__()
            self.inner, self.said = network, list[torch.Tensor]()

        def forward(self, *given: Any, **told: Any) -> torch.Tensor:
            now = self.inner(*given, **told)
            self.said.append(now)
            return now if len(self.said) < 3 else now.detach() + self.said[0] - self.said[0].detach() * 2

    monkeypatch.setattr(torch, "compile", lambda network, **_: Swapped(network))
    with pytest.raises(compiling.CompileError):
        compiling.compiled(unet.make(tiny()).train(), tiny(), CPU, graphs=True)


@pytest.mark.parametrize("settings", [(), ("model.classes=10", "data.augment=0.1", "data.flip=false")])
@pytest.mark.parametrize("dataset", ["grey", "colour"])
def test_a_training_is_what_was_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: tuple[str, ...], dataset: str
) -> None:
    """Its steps ask as the compilation did, to the strides, or the compiler would begin anew."""
    root = tmp_path / "images"
    if dataset == "colour":
        pixels = np.random.default_rng(0).integers(0, 256, (32, 8, 8, 3), np.uint8)
        for number, image in enumerate(pixels):
            place = root / str(number % 2) / f"{number}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(place)
        settings = tuple(text.replace("classes=10", "classes=2") for text in settings)
        settings += ("data.dataset=folder", f"data.root={root}", "data.image_size=8")
    compiler = torch.compile
    monkeypatch.setattr(torch, "compile", lambda network, **_: compiler(network, backend="eager"))
    torch._dynamo.reset()
    with torch._dynamo.config.patch(error_on_recompile=True):
        config = tiny("training.compile=on", "training.steps=2", *settings)
        found = list(Training(config, tmp_path / "run", device="cpu", data_root=root))
    assert found[-1] == Ended("finished", 2, 32)


def test_training_does_without_graphs_where_they_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny("training.compile=on")
    asked: list[dict[str, Any]] = []

    def compiler(network: nn.Module, **options: Any) -> nn.Module:
        asked.append(options)
        if options["mode"]:
            raise RuntimeError("no graphs")
        return network

    monkeypatch.setattr(torch, "compile", compiler)
    monkeypatch.setattr(compiling, "ways", lambda *_: [True, False])
    events = run(config, tmp_path / "on")
    told = [e.text for e in of_kind(events, Notice)]  # type: ignore[union-attr]
    assert told[1:] == ["the network cannot be compiled: no graphs; it learns without CUDA graphs"]
    assert [options["mode"] for options in asked] == ["reduce-overhead", None]
    run(tiny(), tmp_path / "off")
    assert blobs(tmp_path / "on", 8) == blobs(tmp_path / "off", 8)


def test_where_graphs_take_too_much_memory_it_learns_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compiler(network: nn.Module, **options: Any) -> nn.Module:
        if options["mode"]:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return network

    monkeypatch.setattr(torch, "compile", compiler)
    monkeypatch.setattr(compiling, "ways", lambda *_: [True, False])
    events = run(tiny("training.compile=on"), tmp_path)
    told = [e.text for e in of_kind(events, Notice)]  # type: ignore[union-attr]
    assert told[1:] == ["there is not the memory for it; it learns without CUDA graphs"]
    assert events[-1] == Ended("finished", 8, 128)


@pytest.mark.parametrize(
    "settings",
    [
        ("model.attention=4",),
        ("model.classes=10", "data.augment=0.1", "data.flip=false", "diffusion.variance=learned_range"),
        ("model.patch=2", "model.head_channels=4"),
    ],
)
def test_the_network_is_one_graph(settings: tuple[str, ...]) -> None:
    """Nothing in it sends the compiler back to Python in between; which CUDA graphs would forbid."""
    config = tiny(*settings)
    network = unet.make(config).train()
    whole = torch.compile(network, backend="eager", fullgraph=True)
    x, times = torch.zeros(2, *config.data.shape), torch.zeros(2, dtype=torch.long)
    told = {"labels": times, "moves": torch.zeros(2, 9)}
    with torch.autocast("cpu", torch.bfloat16):
        whole(x, times, **{name: told[name] for name in tells(config)}).sum().backward()


@pytest.mark.slow
def test_a_compiled_training_learns_the_same_and_goes_on_exactly(tmp_path: Path) -> None:
    """Against one that is not compiled; and stopped half way, against in one go."""
    small = ("model.multipliers=1", "model.attention=1", "model.dropout=0")
    config = tiny(*small, "training.compile=on", "training.accumulation=2")
    compiled = run(config, tmp_path / "whole")
    half = Training(config, tmp_path / "parts", device="cpu", data_root=tmp_path)
    for event in half:
        if isinstance(event, Metrics):
            half.stop()
    assert half.step == 3
    run(config, tmp_path / "parts")
    assert blobs(tmp_path / "parts", 8) == blobs(tmp_path / "whole", 8)

    plain = run(override(config, ["training.compile=off"]), tmp_path / "plain")
    assert losses(compiled) == pytest.approx(losses(plain), rel=1e-4)


def losses(events: list[Event]) -> list[float]:
    return [e.loss for e in events if isinstance(e, Metrics)]


def fails(error: Exception) -> Any:
    class Broken(nn.Module):
        def forward(self, *_: Any, **__: Any) -> torch.Tensor:
            raise error

    return lambda *_, **__: Broken()


def test_where_the_compiler_fails_it_is_told_and_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny("training.compile=on")
    expected = run(tiny(), tmp_path / "eager")[-1]
    monkeypatch.setattr(torch, "compile", fails(ValueError("no compiler\nand a long story")))
    events = run(config, tmp_path / "failed")
    told = [e.text for e in of_kind(events, Notice)]  # type: ignore[union-attr]
    assert told[1:] == ["the network cannot be compiled: no compiler; it learns without"]
    assert events[-1] == expected
    assert blobs(tmp_path / "failed", 8) == blobs(tmp_path / "eager", 8)


def test_what_is_compiled_is_kept_where_nobody_else_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever folder torch has set for itself when it was loaded."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "/tmp/torchinductor_me")
    monkeypatch.setattr(torch, "compile", fails(ValueError()))
    with pytest.raises(compiling.CompileError, match="ValueError"):
        compiling.compiled(nn.Linear(1, 1), tiny(), CPU)
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == str(library.folder() / "inductor")


def test_lack_of_memory_is_not_taken_for_a_failure_to_compile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "compile", fails(torch.OutOfMemoryError("CUDA out of memory")))
    with pytest.raises(EngineError, match="out of memory"):
        run(tiny("training.compile=on"), tmp_path)


def test_networks_that_are_told_more_are_compiled_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of classes and moves, as the objective will tell them."""
    config = override(resolve("digits")[0], ["model.classes=10", "data.augment=0.1", "training.batch_size=4"])
    seen: dict[str, Any] = {}

    class Spy(nn.Module):
        def forward(self, x: torch.Tensor, times: torch.Tensor, **told: torch.Tensor) -> torch.Tensor:
            seen.update({name: tuple(value.shape) for name, value in told.items()}, x=tuple(x.shape))
            return torch.zeros(1, requires_grad=True)

    monkeypatch.setattr(torch, "compile", lambda *_, **__: Spy())
    compiling.compiled(nn.Linear(1, 1), config, CPU)
    assert seen == {"x": (4, 1, 8, 8), "labels": (4,), "moves": (4, 9)}
