"""The degradation that a configuration names, at any size."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ddpm.config import RestorationConfig
from ddpm.errors import EngineError
from ddpm.restoration import tasks

SETTINGS: dict[str, dict[str, Any]] = {
    "denoise": {"task": "denoise"},
    "box": {"task": "inpaint"},
    "random": {"task": "inpaint", "mask": "random"},
    "average": {"task": "super-resolution", "scale": 2},
    "bicubic": {"task": "super-resolution", "scale": 4, "filter": "bicubic"},
    "uniform": {"task": "deblur", "kernel": "uniform"},
    "gaussian": {"task": "deblur"},
    "anisotropic": {"task": "deblur", "kernel": "anisotropic"},
    "colorize": {"task": "colorize"},
    "compressed": {"task": "compressed-sensing"},
}


def made(name: str, shape: tuple[int, int, int] = (3, 8, 12)) -> tuple[RestorationConfig, Any]:
    restoration = RestorationConfig(**SETTINGS[name])
    return restoration, tasks.degradation(restoration, shape)


@pytest.mark.parametrize("name", SETTINGS)
def test_every_task_measures_images_of_its_shape_and_shows_them_at_that_size(name: str) -> None:
    restoration, degradation = made(name)
    image = torch.rand(2, 3, 8, 12) * 2 - 1
    measurement = degradation.degrade(image)
    assert measurement.shape == (2, *degradation.measured)
    seen = tasks.as_image(restoration, degradation, measurement)
    assert seen.shape == image.shape
    assert float(seen.abs().max()) <= 1


@pytest.mark.parametrize("name", [n for n in SETTINGS if n not in ("denoise", "box", "random", "compressed")])
@given(level=st.floats(-1, 1))
def test_a_plain_grey_image_stays_plain(name: str, level: float) -> None:
    restoration, degradation = made(name)
    measurement = degradation.degrade(torch.full((1, 3, 8, 12), level))
    seen = tasks.as_image(restoration, degradation, measurement)
    assert torch.allclose(seen, torch.full_like(seen, level), atol=1e-5)


def test_hidden_pixels_are_shown_black_and_as_many_as_asked_for() -> None:
    restoration = RestorationConfig(task="inpaint", mask="random", hidden=0.25)
    degradation = tasks.degradation(restoration, (1, 8, 8))
    seen = tasks.as_image(restoration, degradation, degradation.degrade(torch.ones(1, 1, 8, 8)))
    assert int((seen == -1).sum()) == 16
    assert int((seen == 1).sum()) == 48


def test_a_mask_of_ones_own_goes_before_the_name() -> None:
    own = torch.zeros(8, 8, dtype=torch.bool)
    own[0, 0] = True
    degradation = tasks.degradation(RestorationConfig(task="inpaint"), (1, 8, 8), own)
    assert int(degradation.singulars.sum()) == 1


def test_the_anisotropic_blur_is_wider_along_the_rows() -> None:
    down, across = tasks.kernels(RestorationConfig(task="deblur", kernel="anisotropic", width=6))
    place = [torch.arange(len(k), dtype=torch.float64) - len(k) // 2 for k in (down, across)]
    spread = [float((k * x**2).sum()) ** 0.5 for k, x in zip((down, across), place, strict=True)]
    assert spread[0] == pytest.approx(2, rel=0.03)
    assert spread[1] == pytest.approx(6, rel=0.03)


def test_grey_models_do_not_colour() -> None:
    with pytest.raises(EngineError, match="colorize needs a model of colour images; this one knows grey"):
        made("colorize", (1, 8, 8))


def test_a_size_that_cannot_be_shrunk_is_named() -> None:
    with pytest.raises(EngineError, match=r"restoration.scale: 6 pixels cannot be shrunk 4 times"):
        made("bicubic", (1, 6, 8))
