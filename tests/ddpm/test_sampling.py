"""Networks asked by samplers: the evaluations that a step count tells, and the image that is predicted."""

from __future__ import annotations

import typing

import pytest
import torch

from ddpm import schedules
from ddpm.config import Config, DiffusionConfig, Prediction
from ddpm.config_sampling import Sampler
from ddpm.configfiles import ConfigError, override, resolve
from ddpm.diffusion import predict_v, q_sample
from ddpm.sampling import NetworkDenoiser, draw

SAMPLERS = [name for name in typing.get_args(Sampler) if name != "consistency"]  # of networks tuned for it


class Counting(torch.nn.Module):
    """Predicts nothing, and counts how often it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def forward(self, x: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        self.asked += 1
        return self.weight * x


def config_of(*settings: str) -> Config:
    return resolve("digits", settings)[0]


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_a_step_count_tells_how_often_the_network_is_asked(sampler: str, steps: int) -> None:
    config = config_of(f"sampling.sampler={sampler}", f"sampling.steps={steps}")
    network = Counting()
    drawn = list(draw(network, config, range(2)))
    assert len(drawn) == steps
    assert network.asked == config.sampling.evaluations(config.diffusion.timesteps)
    assert drawn[-1].x_t.shape == (2, *config.data.shape)
    assert drawn[-1].x_t.isfinite().all()


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_an_image_does_not_depend_on_its_batch(sampler: str) -> None:
    config = config_of(f"sampling.sampler={sampler}", "sampling.steps=5", "sampling.spacing=karras")
    *_, many = draw(Counting(), config, range(4))
    *_, one = draw(Counting(), config, range(2, 3))
    assert torch.allclose(many.x_t[2:3], one.x_t, atol=1e-6)


@pytest.mark.parametrize(
    ("prediction", "zero"),
    [("epsilon", False), ("x0", False), ("v", False), ("x0", True), ("v", True)],
)
def test_the_denoiser_sees_the_image_whatever_is_predicted(prediction: Prediction, zero: bool) -> None:
    config = config_of(f"diffusion.prediction={prediction}", f"diffusion.zero_terminal_snr={zero}")
    schedule = schedules.make(config.diffusion)
    generator = torch.Generator().manual_seed(0)
    x_0 = torch.rand(3, *config.data.shape, generator=generator, dtype=torch.float64) * 2 - 1
    noise = torch.randn(x_0.shape, generator=generator, dtype=torch.float64)
    for time in (0, 500, schedule.timesteps - 1):
        alpha_bar = float(schedule.alphas_cumprod[time])
        said = {"epsilon": noise, "x0": x_0, "v": predict_v(x_0, noise, alpha_bar)}[prediction]

        class Oracle(Counting):
            def forward(
                self, x: torch.Tensor, times: torch.Tensor, said: torch.Tensor = said
            ) -> torch.Tensor:
                return said

        denoise = NetworkDenoiser(Oracle(), config, clip=False)
        assert torch.allclose(denoise(q_sample(x_0, noise, alpha_bar), time).x_0, x_0, atol=1e-6)
        assert denoise.evaluations == 1


def test_predictions_are_clipped_unless_asked_not_to() -> None:
    x = torch.full((1, 1, 8, 8), 5.0)
    for clip in (True, False):
        found = NetworkDenoiser(Counting(), config_of(), clip=clip)(x, 10).x_0
        assert (float(found.max()) <= 1) == clip


@pytest.mark.parametrize("sampler", ["ddpm", "ddim"])
def test_a_process_that_ends_without_signal_can_be_walked_back(sampler: str) -> None:
    config = config_of(
        "diffusion.zero_terminal_snr=true", "diffusion.prediction=v", f"sampling.sampler={sampler}",
        "sampling.steps=10", "sampling.eta=1",
    )  # fmt: skip
    *_, last = draw(Counting(), config, range(2))
    assert last.x_t.isfinite().all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["diffusion.zero_terminal_snr=true"], "diffusion.prediction: at zero terminal SNR noise alone"),
        (
            ["diffusion.zero_terminal_snr=true", "diffusion.prediction=v", "sampling.sampler=unipc"],
            "sampling.sampler: unipc needs some signal at every timestep",
        ),
        (
            ["diffusion.zero_terminal_snr=true", "diffusion.prediction=v", "sampling.spacing=karras"],
            "sampling.spacing: karras needs some signal at every timestep",
        ),
        (["sampling.sampler=heunn"], "did you mean heun?"),
        (["sampling.sampler=heun", "sampling.steps=2000"], "sampling.steps: 2000 is above"),
    ],
)
def test_what_does_not_go_together_is_refused_at_its_field(settings: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config_of(*settings)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_steps_have_defaults_that_suit_the_sampler() -> None:
    long = DiffusionConfig().timesteps
    found = {s: config_of(f"sampling.sampler={s}", "sampling.steps=").sampling for s in SAMPLERS}
    assert {s: f.resolved_steps(long) for s, f in found.items()} == {
        "ddpm": 1000, "ddim": 50, "euler": 50, "heun": 18, "dpmpp-2m": 20, "dpmpp-3m": 20, "unipc": 20,
        "ipndm": 20,
    }  # fmt: skip
    assert found["heun"].evaluations(long) == 35  # Karras et al. 2022, table 2


@pytest.mark.parametrize("shape", ["linear", "scaled_linear"])
@pytest.mark.parametrize("end", [0.02, 0.3, 0.9])
def test_what_is_left_of_an_image_is_estimated_without_the_schedule(shape: str, end: float) -> None:
    config = override(Config(), [f"diffusion.schedule={shape}", f"diffusion.beta_end={end}"])
    exact = float(schedules.make(config.diffusion).alphas_cumprod[-1].log())
    assert config.diffusion.log_alpha_bar() == pytest.approx(exact, rel=1e-2)


@pytest.mark.parametrize("sampler", ["euler", "heun", "ipndm"])
def test_sigma_space_is_refused_where_float32_cannot_hold_it(sampler: str) -> None:
    steep = [f"sampling.sampler={sampler}", "diffusion.beta_end=0.5"]
    with pytest.raises(ConfigError, match=f"sampling.sampler: {sampler} divides by what is left"):
        override(Config(), steep)
    override(Config(), [*steep, "sampling.spacing=log_snr"])
    override(Config(), [f"sampling.sampler={sampler}", "diffusion.schedule=cosine"])
