"""The engine's own measurement: what it prints, that it trains as a run does, and that it needs little."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from ddpm import bench, data, opkinds
from ddpm.configfiles import resolve

TINY = ("model.channels=8", "model.multipliers=1", "model.attention=", "training.batch_size=4")
OPTIONS = ["--preset", "digits", "--rounds", "2", "--seconds", "0.01", "--draw", "2", "--peak", "100"]
#: What an app has and a machine with only the engine lacks.
NOT_THERE = ("tomli_w", "rich", "sqlalchemy", "textual", "psutil", "platformdirs", "pynvml", "diffusers")


def numbers(found: Any) -> Iterator[float]:
    if isinstance(found, dict):
        for value in found.values():
            yield from numbers(value)
    elif isinstance(found, float):
        yield found


def test_it_prints_one_object_where_only_the_engines_packages_are() -> None:
    code = f"import sys; sys.modules.update(dict.fromkeys({NOT_THERE!r}))\nfrom ddpm import bench\n"
    settings = [word for setting in (*TINY, "training.log_every=1") for word in ("--set", setting)]
    done = subprocess.run(
        [sys.executable, "-c", code + "sys.exit(bench.main(sys.argv[1:]))", *OPTIONS, *settings],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert all(math.isfinite(number) for number in numbers(found))
    assert found["configuration"]["batch_size"] == 4
    assert found["training"]["images_per_second"]["median"] > 0
    assert found["training"]["gflop_per_image"] > 0
    assert found["sampling"]["steps"] == 50
    assert found["start_up_seconds"] > 0
    assert found["memory"]["resident_mib"] > 1
    assert found["utilisation"]["peak_gflops"] == 100
    shares = found["step"]["shares"]
    assert set(shares) == {*opkinds.KINDS, opkinds.REST, opkinds.OUTSIDE}
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["convolution"] > 0
    assert shares["optimiser and EMA"] > 0


def test_a_bad_value_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["--set", "training.batch_sise=4"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "training.batch_sise: no such key; did you mean training.batch_size?\n"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--rounds", "0"), ("--threads", "-1"), ("--draw", "0"), ("--batch", "0"), ("--seconds", "nan"),
        ("--seconds", "inf"), ("--peak", "0"), ("--peak", "many"),
    ],
)  # fmt: skip
def test_numbers_of_nothing_are_refused(option: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        bench.main([f"{option}={value}"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith(("from 1 on", "above 0"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--set", "diffusion.timesteps=20"], "sampling.steps: 50"),
        (["--preset", "mnist-consistency"], "a consistency tuning begins with a trained run"),
    ],
)
def test_what_could_not_be_measured_is_told_at_once(
    options: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(bench, "bench")
    assert bench.main(options) == 2
    assert said in capsys.readouterr().err


def test_steps_are_those_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A window is as many steps as a run takes between two rows of metrics."""
    config, _ = resolve("digits", TINY)
    monkeypatch.setattr(data, "load", bench.synthetic(config))
    steps = bench.Steps(config, "cpu", tmp_path, log_every=3)
    assert steps.window() == 3 * 4
    seen, passed = steps.measure(0)
    assert (seen, passed > 0) == (12, True)
    steps.close()


def test_drawing_takes_50_steps_of_ddim_without_noise() -> None:
    config, _ = resolve("digits", [*TINY, "sampling.eta=1"])
    drawing = bench.Drawing(config, "cpu", 3)
    assert (drawing.config.sampling.resolved_steps(1000), drawing.config.sampling.eta) == (50, 0)
    count, seconds = drawing.once()
    assert count == 3
    assert seconds > 0


def test_flops_are_counted_forwards_and_back() -> None:
    """The convolution forwards costs 2 k² C_in C_out H W; back twice that, but not to the image."""
    config, _ = resolve("digits", TINY)
    forwards = 0.0

    def count(module: torch.nn.Module, _: Any, out: torch.Tensor) -> None:
        nonlocal forwards
        assert isinstance(module.weight, torch.Tensor)
        per_weight = out[0, 0].numel() if out.dim() == 4 else out.numel() // out.shape[0] // out.shape[-1]
        forwards += 2 * module.weight.numel() * per_weight

    network = bench.unet.make(config)
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            module.register_forward_hook(count)
    network(torch.randn(1, *config.data.shape), torch.zeros(1, dtype=torch.long))
    assert 2.5 * forwards < bench.training_flops(config) < 3.5 * forwards


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("aten::mkldnn_convolution", "convolution"),
        ("sm90_xmma_fprop_implicit_gemm_bf16bf16", "convolution"),
        ("aten::native_group_norm_backward", "normalisation and activation"),
        ("aten::silu_", "normalisation and activation"),
        ("aten::_fused_adamw_", "optimiser and EMA"),
        ("aten::_foreach_lerp_", "optimiser and EMA"),
        ("aten::linalg_vector_norm", "optimiser and EMA"),
        ("aten::_scaled_dot_product_flash_attention_for_cpu", "attention"),
        ("aten::addmm", "linear"),
        ("aten::normal_", "data and noise"),
        ("aten::index", "data and noise"),
        ("aten::cat", opkinds.REST),
    ],
)
def test_operators_are_known_by_their_names(name: str, kind: str) -> None:
    assert opkinds.kind_of(name) == kind


def test_shares_add_up_to_the_step() -> None:
    spent = [opkinds.Spent("aten::cat", 0.1), opkinds.Spent("aten::convolution_backward", 0.6)]
    found = opkinds.shares(spent, 1.0)
    assert found["convolution"] == pytest.approx(0.6)
    assert found[opkinds.OUTSIDE] == pytest.approx(0.3)
    assert sum(opkinds.shares(spent, 0.5).values()) == pytest.approx(1)
    assert list(opkinds.largest(spent, 1.0)) == ["aten::convolution_backward", "aten::cat"]
