"""The forward process and its conversions."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ddpm import schedules
from ddpm.config import DiffusionConfig, Prediction
from ddpm.diffusion import (
    Marginals,
    predict_epsilon,
    predict_v,
    predict_x0,
    q_sample,
    simple_loss,
    x0_of,
)


@given(st.floats(1e-4, 1 - 1e-4), st.integers(0, 2**31))
def test_conversions_undo_each_other(alpha_bar: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    x_0, noise = torch.randn(2, 2, 1, 4, 4, generator=generator, dtype=torch.float64)
    x_t = q_sample(x_0, noise, alpha_bar)
    assert torch.allclose(predict_x0(x_t, noise, alpha_bar), x_0, atol=1e-9)
    assert torch.allclose(predict_epsilon(x_t, x_0, alpha_bar), noise, atol=1e-9)


def test_q_sample_has_the_variance_of_eq_4() -> None:
    noise = torch.randn(1, 1, 500, 500, generator=torch.Generator().manual_seed(0))
    x_t = q_sample(torch.full_like(noise, 0.5), noise, 0.36)
    assert abs(x_t.mean().item() - 0.3) < 5e-3
    assert abs(x_t.var().item() - 0.64) < 5e-3


def test_simple_loss_is_the_error_at_each_images_own_timestep() -> None:
    schedule = schedules.make(DiffusionConfig())
    x_0, noise = torch.randn(2, 4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    timesteps = torch.tensor([0, 10, 500, 999])

    class Oracle(torch.nn.Module):
        """Knows x_0, so that it can name the noise, if x_t is what eq. 4 says."""

        def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            alpha_bar = schedule.alphas_cumprod[t].view(-1, 1, 1, 1)
            return predict_epsilon(x, x_0, alpha_bar).float()

    marginals = Marginals.of(schedule, torch.device("cpu"))
    assert simple_loss(Oracle(), marginals, x_0, timesteps, noise).item() < 1e-6


@given(st.floats(0, 1 - 1e-4), st.integers(0, 2**31))
def test_velocity_tells_the_image_at_any_alpha_bar(alpha_bar: float, seed: int) -> None:
    """Also at 0, where the noise does not."""
    generator = torch.Generator().manual_seed(seed)
    x_0, noise = torch.randn(2, 2, 1, 4, 4, generator=generator, dtype=torch.float64)
    x_t, v = q_sample(x_0, noise, alpha_bar), predict_v(x_0, noise, alpha_bar)
    assert torch.allclose(x0_of("v", x_t, v, alpha_bar), x_0, atol=1e-9)
    assert torch.equal(x0_of("x0", x_t, x_0, alpha_bar), x_0)


@pytest.mark.parametrize("prediction", ["epsilon", "x0", "v"])
def test_simple_loss_is_of_what_is_predicted(prediction: Prediction) -> None:
    """A network that says what q mixed has no loss, and one that says anything else has some."""
    schedule = schedules.make(DiffusionConfig())
    x_0, noise = torch.randn(2, 4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    times = torch.tensor([3, 10, 500, 999])
    alpha_bar = schedule.alphas_cumprod[times].view(-1, 1, 1, 1)
    said = {"epsilon": noise, "x0": x_0, "v": predict_v(x_0, noise, alpha_bar).float()}
    marginals = Marginals.of(schedule, torch.device("cpu"))
    for name, output in said.items():

        class Oracle(torch.nn.Module):
            def forward(
                self, x: torch.Tensor, t: torch.Tensor, output: torch.Tensor = output
            ) -> torch.Tensor:
                return output

        loss = simple_loss(Oracle(), marginals, x_0, times, noise, prediction).item()
        assert (loss < 1e-6) == (name == prediction)
