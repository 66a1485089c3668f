"""The forward process and its conversions."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from ddpm import schedules
from ddpm.config import DiffusionConfig
from ddpm.diffusion import (
    Marginals,
    predict_epsilon,
    predict_v,
    predict_x0,
    q_sample,
    split,
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


@given(st.floats(0, 1 - 1e-4), st.integers(0, 2**31))
def test_velocity_tells_the_image_at_any_alpha_bar(alpha_bar: float, seed: int) -> None:
    """Also at 0, where the noise does not."""
    generator = torch.Generator().manual_seed(seed)
    x_0, noise = torch.randn(2, 2, 1, 4, 4, generator=generator, dtype=torch.float64)
    x_t, v = q_sample(x_0, noise, alpha_bar), predict_v(x_0, noise, alpha_bar)
    assert torch.allclose(x0_of("v", x_t, v, alpha_bar), x_0, atol=1e-9)
    assert torch.equal(x0_of("x0", x_t, x_0, alpha_bar), x_0)


def test_each_image_is_mixed_at_its_own_time_and_has_its_own_target() -> None:
    schedule = schedules.make(DiffusionConfig())
    marginals = Marginals.of(schedule, torch.device("cpu"))
    x_0, noise = torch.randn(2, 4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    times = torch.tensor([0, 10, 500, 999])
    alpha_bar = schedule.alphas_cumprod[times].view(-1, 1, 1, 1)
    assert torch.allclose(marginals.mixed(x_0, noise, times), q_sample(x_0, noise, alpha_bar).float())
    assert marginals.target("epsilon", x_0, noise, times) is noise
    assert marginals.target("x0", x_0, noise, times) is x_0
    v = marginals.target("v", x_0, noise, times)
    assert torch.allclose(v, predict_v(x_0, noise, alpha_bar).float(), atol=1e-6)


def test_a_learned_variance_is_the_second_half_of_the_output() -> None:
    output = torch.stack([torch.full((4, 4), float(i)) for i in (5, 6, -1, 1)])[None]
    said, fraction = split(output, True)
    assert said[0, :, 0, 0].tolist() == [5, 6]
    assert fraction is not None
    assert fraction[0, :, 0, 0].tolist() == [0, 1]
    assert split(output, False) == (output, None)
