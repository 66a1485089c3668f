"""The terms of a network that knows the law of its images: their sum is the images' own entropy."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from ddpm import schedules
from ddpm.config import Config
from ddpm.configfiles import override
from ddpm.diffusion import predict_epsilon, predict_v
from ddpm.likelihood.strata import edges
from ddpm.likelihood.summary import summary
from ddpm.likelihood.terms import Terms
from tests.ddpm.test_bound import MEAN, SPREAD, entropy, exact


class Knowing(nn.Module):
    """Says of Gaussian images what the configuration asks for, exactly; and fraction 1 of a learned range."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))  # so that it lies on a device
        self._config = config
        self._alpha_bars = schedules.make(config.diffusion).alphas_cumprod

    def forward(self, x_t: Tensor, times: Tensor) -> Tensor:
        said = torch.cat(
            [self._said(x[None], float(self._alpha_bars[t])) for x, t in zip(x_t, times, strict=True)]
        )
        learned = self._config.diffusion.variance == "learned_range"
        return torch.cat([said, torch.ones_like(said)], dim=1) if learned else said

    def _said(self, x_t: Tensor, alpha_bar: float) -> Tensor:
        x_0 = exact(x_t, alpha_bar)
        epsilon = predict_epsilon(x_t, x_0, alpha_bar)
        prediction = self._config.diffusion.prediction
        return {"x0": x_0, "epsilon": epsilon, "v": predict_v(x_0, epsilon, alpha_bar)}[prediction]


def images(count: int, size: int) -> Tensor:
    """Of N(MEAN, SPREAD²) in 256 grey values, float32 (count,1,size,size)."""
    drawn = torch.randn(count, 1, size, size, generator=torch.Generator().manual_seed(0))
    return ((MEAN + SPREAD * drawn + 1) * 127.5).round().clamp(0, 255) / 127.5 - 1


def rows(config: Config, x_0: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """(rows as in a run, edges)."""
    found = edges(config.diffusion.timesteps, count)
    terms = Terms(Knowing(config), config, found, purpose="test")
    numbers = torch.arange(len(x_0))
    columns = [terms.term(x_0, numbers, None, i, t) for i, t in enumerate(terms.times(numbers))]
    return torch.stack([*columns, terms.prior(x_0)], dim=1), found


@pytest.mark.parametrize("prediction", ["epsilon", "x0", "v"])
@pytest.mark.parametrize("variance", ["fixed_large", "learned_range"])
def test_some_timesteps_tell_what_all_of_them_would(prediction: str, variance: str) -> None:
    """And with all of them the bound of exact predictions is just above the entropy."""
    settings = [
        f"diffusion.prediction={prediction}",
        f"diffusion.variance={variance}",
        "likelihood.clip=false",
    ]
    config = override(Config(), ["diffusion.timesteps=300", "diffusion.beta_end=0.06", *settings])
    x_0 = images(12, 16)
    (every, fine), (some, coarse) = rows(config, x_0, 300), rows(config, x_0, 30)
    whole, part = summary(every.numpy(), fine), summary(some.numpy(), coarse)
    assert part.error is not None
    assert abs(part.bits_per_dim - whole.bits_per_dim) < 4 * part.error
    assert entropy() - 0.05 < whole.bits_per_dim < entropy() + 0.15
    assert whole.prior == pytest.approx(part.prior)


def test_clipping_keeps_predictions_where_images_lie() -> None:
    config = override(
        Config(), ["diffusion.timesteps=100", "diffusion.prediction=x0", "diffusion.variance=fixed_small"]
    )
    found = edges(100, 10)

    class Far(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.at = nn.Parameter(torch.tensor(3.0))

        def forward(self, x_t: Tensor, times: Tensor) -> Tensor:
            return self.at.expand_as(x_t)

    numbers, x_0 = torch.arange(4), torch.ones(4, 1, 4, 4)
    loose = override(config, ["likelihood.clip=false"])
    for place in (1, 5, 9):
        cut, free = (Terms(Far(), c, found, purpose="test") for c in (config, loose))
        times = cut.times(numbers)[place]
        at_most = cut.term(x_0, numbers, None, place, times)
        assert torch.allclose(at_most, torch.zeros(4), atol=1e-5)  # cut to 1, which the images are
        assert bool((free.term(x_0, numbers, None, place, times) > at_most + 1e-3).all())


def test_an_image_s_terms_are_its_own_whatever_is_computed_with_it() -> None:
    config = override(Config(), ["diffusion.timesteps=100"])
    together, _ = rows(config, images(6, 8), 20)
    terms = Terms(Knowing(config), config, edges(100, 20), purpose="test")
    number = torch.tensor([4])
    alone = [terms.term(images(6, 8)[4:5], number, None, i, t) for i, t in enumerate(terms.times(number))]
    assert torch.allclose(torch.cat(alone), together[4, :-1], rtol=1e-4, atol=1e-6)


def test_the_summary_is_of_its_rows() -> None:
    found = edges(1000, 200)
    values = torch.rand(5, 201, generator=torch.Generator().manual_seed(1))
    told = summary(values.numpy(), found)
    totals = (values[:, :-1] * found.diff()).sum(1) + values[:, -1]
    assert told.bits_per_dim == pytest.approx(float(totals.mean()))
    assert told.error == pytest.approx(float(totals.std()) / 5**0.5)
    widths = torch.tensor(told.edges).diff()
    assert len(told.terms) == len(widths) == 128
    total = float((torch.tensor(told.terms).double() * widths).sum())
    assert total + told.prior == pytest.approx(told.bits_per_dim)  # the curve adds up to the number
    assert summary(values[:1].numpy(), found).error is None
