"""Compiled drawing: the same images, for whole batches, and left out where it fails or does not repay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from ddpm import checkpoint, compiled_drawing, compiling, unet
from ddpm.config import Config
from ddpm.configfiles import override
from ddpm.events import Evaluated, Notice
from ddpm.generation import Generation
from ddpm.subject import Subject
from tests.ddpm.evaluation.judging import Projection, evaluation, settings, use
from tests.ddpm.test_training import run, tiny

CPU, GPU = torch.device("cpu"), torch.device("cuda")
GUIDED = ("model.classes=10", "sampling.guidance=2", "sampling.guidance_to=0.7")


@pytest.mark.parametrize(
    ("changes", "count", "device", "expected"),
    [
        ((), 40_000, GPU, True),  # 40 whole batches of 50 evaluations
        ((), 39_999, GPU, False),
        (("sampling.guidance=2", "model.classes=10"), 20_000, GPU, True),
        ((), 40_000, CPU, False),
        (("sampling.compile=on",), 1, CPU, True),
        (("sampling.compile=off",), 10**6, GPU, False),
    ],
)
def test_it_is_wanted_where_it_repays(
    changes: tuple[str, ...], count: int, device: torch.device, expected: bool
) -> None:
    config = override(Config(), ["sampling.batch_size=1000", "sampling.steps=50", *changes])
    assert compiled_drawing.wanted(config, count, device) is expected


def network(config: Config, seed: int = 0) -> nn.Module:
    """Whose last convolutions are not zero, so that it says something."""
    torch.manual_seed(seed)
    made = unet.make(config)
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.1)
    return made.eval().requires_grad_(False)


def subject(config: Config, guide: nn.Module | None = None) -> Subject:
    return Subject(network(config), CPU, torch.float32, 20, 20, guide)


def finish(source: Subject, config: Config, count: int) -> tuple[Subject, list[str]]:
    work, told = compiled_drawing.compiled(source, config, count), []
    while True:
        try:
            notice = next(work)
            assert isinstance(notice, Notice)
            told.append(notice.text)
        except StopIteration as end:
            return end.value, told


def drawn(source: Subject, config: Config, images: range) -> Tensor:
    *_, last = source.draw(config, images)
    return last.x_t


class Overwriting(nn.Module):
    """As a CUDA graph: each result is written where the one before was."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.inner, self.place, self.calls = network, torch.empty(0), 0

    def forward(self, *given: Any) -> Tensor:
        self.calls += 1
        found: Tensor = self.inner(*given)
        if self.place.shape != found.shape:
            self.place = torch.empty_like(found)
        return self.place.copy_(found)


@pytest.mark.parametrize("sampler", ["ddpm", "ddim", "heun", "dpmpp-2m", "dpmpp-3m", "unipc", "ipndm"])
def test_what_a_graph_overwrites_was_copied(monkeypatch: pytest.MonkeyPatch, sampler: str) -> None:
    """Solvers remember what the network said, and guidance compares two answers of it."""
    spacing = "karras" if sampler == "heun" else "log_snr"
    solver = (f"sampling.sampler={sampler}", "sampling.compile=on", f"sampling.spacing={spacing}")
    config = tiny(*solver, "sampling.steps=6", "sampling.batch_size=3", *GUIDED)
    plain = subject(config)
    expected = drawn(plain, config, range(3))
    monkeypatch.setattr(torch, "compile", lambda network, **_: Overwriting(network))
    found, told = finish(plain, config, 8)
    assert told == ["compiling the network, which takes a minute or more"]
    assert torch.equal(drawn(found, config, range(3)), expected)
    assert found.network._compiled.calls > 6


def test_batches_of_another_size_are_asked_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny("sampling.compile=on", "sampling.batch_size=3")
    plain = subject(config)
    monkeypatch.setattr(torch, "compile", lambda network, **_: Overwriting(network))
    found, _ = finish(plain, config, 8)
    before = found.network._compiled.calls
    assert torch.equal(drawn(found, config, range(6, 8)), drawn(plain, config, range(6, 8)))
    assert found.network._compiled.calls == before


def test_guide_and_network_are_both_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny("sampling.compile=on", *GUIDED, "sampling.guidance_step=10", "sampling.batch_size=2")
    plain = subject(config, network(config, seed=1))
    monkeypatch.setattr(torch, "compile", lambda network, **_: Overwriting(network))
    found, _ = finish(plain, config, 2)
    assert isinstance(found.guide, compiled_drawing.OneShape)
    assert torch.equal(drawn(found, config, range(2)), drawn(plain, config, range(2)))


class Stale(nn.Module):
    """Says ever again what it said first."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.inner, self.first = network, None

    def forward(self, *given: Any) -> Tensor:
        if self.first is None:
            self.first = self.inner(*given)
        return self.first


def raising(error: Exception) -> Any:
    def broken(*_: Any, **__: Any) -> nn.Module:
        raise error

    return broken


@pytest.mark.parametrize(
    ("compiler", "reason"),
    [
        (lambda network, **_: Stale(network), "the network cannot be compiled: it computes otherwise then"),
        (raising(ValueError("no cc\nand a long story")), "the network cannot be compiled: no cc"),
        (raising(torch.OutOfMemoryError("CUDA")), "there is not the memory to compile the network"),
    ],
)
def test_where_it_fails_it_is_told_and_drawn_without(
    monkeypatch: pytest.MonkeyPatch, compiler: Any, reason: str
) -> None:
    config = tiny("sampling.compile=on")
    plain = subject(config)
    monkeypatch.setattr(torch, "compile", compiler)
    found, told = finish(plain, config, 4)
    assert found is plain
    assert told[1:] == [f"{reason}; it draws without"]


def test_on_a_gpu_it_is_tried_with_cuda_graphs_and_then_without() -> None:
    """Here there is none, so that both fail."""
    config = tiny("sampling.compile=on")
    plain = Subject(network(config), GPU, torch.float32, 20, 20)
    found, told = finish(plain, config, 4)
    assert found is plain
    assert [text.rpartition("; ")[2] for text in told[1:]] == [
        "it draws without CUDA graphs",
        "it draws without",
    ]
    assert all("NVIDIA" in text or "CUDA" in text.partition(";")[0] for text in told[1:])


@pytest.mark.slow
def test_what_the_compiler_makes_draws_the_same() -> None:
    """The real one, here for the processor, in its bfloat16; told of classes and not, as guidance asks."""
    small = ("model.multipliers=1", "model.attention=1", "sampling.steps=4", "sampling.batch_size=2")
    config = tiny("sampling.compile=on", *GUIDED, *small)
    plain = Subject(network(config), CPU, torch.bfloat16, 20, 20)
    found, told = finish(plain, config, 3)
    assert len(told) == 1
    assert isinstance(found.network, compiled_drawing.OneShape)
    assert (drawn(found, config, range(2)) - drawn(plain, config, range(2))).abs().max() < 0.1


def test_runs_draw_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tiny("training.checkpoint_every=100"), tmp_path)
    folder = checkpoint.folder(tmp_path, 8)
    made: list[Overwriting] = []

    def compiler(network: nn.Module, **_: Any) -> nn.Module:
        made.append(Overwriting(network))
        return made[-1]

    monkeypatch.setattr(torch, "compile", compiler)
    for way in ("on", "off"):
        changes = (f"sampling.compile={way}", "sampling.count=3", "sampling.batch_size=2")
        events = list(Generation(tiny(*changes), folder, tmp_path / way, device="cpu"))
        told = [event.text for event in events if isinstance(event, Notice)]
        assert told == (["compiling the network, which takes a minute or more"] if way == "on" else [])
    assert [network.calls for network in made] == [3 + 3]  # tried three times, then three steps of one batch
    pixels = {way: [np.asarray(Image.open(path)) for path in images(tmp_path / way)] for way in ("on", "off")}
    assert np.array_equal(pixels["on"], pixels["off"])


def test_a_run_that_is_done_compiles_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny("sampling.compile=on")
    monkeypatch.setattr(torch, "compile", raising(AssertionError("asked")))
    plain = subject(config)
    work = compiled_drawing.compiled(plain, config, 4, done=4)
    assert list(work) == []


def images(directory: Path) -> list[Path]:
    return sorted((directory / "images").iterdir())


def test_with_cuda_graphs_the_compiler_is_asked_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, Any]] = []
    monkeypatch.setattr(torch, "compile", lambda network, **options: seen.append(options) or network)
    for graphs in (True, False):
        compiling.module(nn.Linear(1, 1), graphs=graphs)
    assert [options["mode"] for options in seen] == ["reduce-overhead", None]


def test_evaluations_draw_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the same scores as without: of 70 images in batches of 32 the last six are asked as they are."""
    use(monkeypatch, inception=Projection())
    run(settings("training.steps=2", "training.checkpoint_every=100"), tmp_path / "run")
    folder = checkpoint.folder(tmp_path / "run", 2)
    monkeypatch.setattr(torch, "compile", lambda network, **_: Overwriting(network))
    scores = {}
    for way in ("on", "off"):
        config = settings(f"sampling.compile={way}", "sampling.batch_size=32")
        events = list(evaluation(config, folder, tmp_path / way))
        told = [event.text for event in events if isinstance(event, Notice)]
        assert ("compiling the network, which takes a minute or more" in told) is (way == "on")
        (scores[way],) = (event.fid for event in events if isinstance(event, Evaluated))
    assert scores["on"] == scores["off"]
