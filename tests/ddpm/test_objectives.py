"""What networks are trained for: each loss is none where the network is right, and counts what it should."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from ddpm import schedules, weighting
from ddpm.config import Config, Prediction
from ddpm.configfiles import ConfigError, resolve
from ddpm.diffusion import Marginals
from ddpm.feed import Batch
from ddpm.objectives import HYBRID, Diffusion

CPU = torch.device("cpu")
PREDICTIONS: tuple[Prediction, ...] = ("epsilon", "x0", "v")


def config_of(*settings: str) -> Config:
    return resolve("digits", settings)[0]


class Says(torch.nn.Module):
    """Always the same, with a parameter to each half of it."""

    def __init__(self, said: Tensor, between: Tensor | None = None) -> None:
        super().__init__()
        self.said = torch.nn.Parameter(said.clone())
        self.between = None if between is None else torch.nn.Parameter(between.clone())

    def forward(self, x: Tensor, times: Tensor) -> Tensor:
        return self.said if self.between is None else torch.cat([self.said, self.between], 1)


def drawn(count: int = 4) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Images, times, weights, noise."""
    x_0, noise = torch.randn(2, count, 1, 8, 8, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    return x_0, torch.tensor([2, 10, 50, 99])[:count], torch.ones(count), noise


def target(prediction: Prediction, config: Config) -> Tensor:
    x_0, times, _, noise = drawn()
    return Marginals.of(schedules.make(config.diffusion), CPU).target(prediction, x_0, noise, times)


@pytest.mark.parametrize(("prediction", "said"), itertools.product(PREDICTIONS, PREDICTIONS))
def test_simple_loss_is_none_for_what_is_predicted_alone(prediction: Prediction, said: Prediction) -> None:
    config = config_of(f"diffusion.prediction={prediction}", "diffusion.timesteps=100")
    loss = Diffusion(config, CPU).loss(Says(target(said, config)), *drawn())
    assert (float(loss) < 1e-10) == (said == prediction)


@pytest.mark.parametrize("name", ["min_snr", "p2"])
def test_a_weighting_is_the_same_whatever_is_predicted(name: str) -> None:
    """An error of the image costs the same, as error of the image, of the noise or of v."""
    x_0, times, counts, noise = drawn()
    wrong = x_0 + 0.1 * torch.randn(x_0.shape, generator=torch.Generator().manual_seed(7))
    found = []
    for prediction in PREDICTIONS:
        config = config_of(
            f"diffusion.prediction={prediction}", "diffusion.timesteps=100", f"training.weighting={name}"
        )
        alpha_bar = schedules.make(config.diffusion).alphas_cumprod[times].view(-1, 1, 1, 1)
        x_t = alpha_bar.sqrt() * x_0 + (1 - alpha_bar).sqrt() * noise
        epsilon = (x_t - alpha_bar.sqrt() * wrong) / (1 - alpha_bar).sqrt()
        said = {
            "epsilon": epsilon, "x0": wrong, "v": alpha_bar.sqrt() * epsilon - (1 - alpha_bar).sqrt() * wrong
        }[prediction]  # fmt: skip
        found.append(float(Diffusion(config, CPU).loss(Says(said.float()), x_0, times, counts, noise)))
    assert found == pytest.approx([found[0]] * 3, rel=1e-3)


def test_the_weights_are_the_papers() -> None:
    """Hang et al. 2023, eq. 5 ff.; Choi et al. 2022, eq. 8: of the noise's error, over SNRs."""
    config = config_of("diffusion.timesteps=100", "training.weighting=min_snr", "training.gamma=3")
    schedule = schedules.make(config.diffusion)
    snr = schedule.alphas_cumprod / (1 - schedule.alphas_cumprod)
    found = weighting.weights(config.training, "epsilon", schedule)
    assert found is not None
    assert torch.allclose(found, (3 / snr).clamp(max=1))
    p2 = config_of("diffusion.timesteps=100", "training.weighting=p2")
    found = weighting.weights(p2.training, "epsilon", schedule)
    assert found is not None
    assert torch.allclose(found, 1 / (1 + snr))
    assert weighting.weights(config_of().training, "epsilon", schedule) is None


def test_the_hybrid_bound_teaches_the_variance_alone() -> None:
    config = config_of("diffusion.timesteps=100", "diffusion.variance=learned_range")
    simple = config_of("diffusion.timesteps=100")
    assert (config.objective, simple.objective) == ("hybrid", "simple")
    x_0 = drawn()[0]
    network = Says(torch.zeros_like(x_0), torch.zeros_like(x_0))
    plain = Says(torch.zeros_like(x_0))
    loss, other = Diffusion(config, CPU).loss(network, *drawn()), Diffusion(simple, CPU).loss(plain, *drawn())
    loss.backward()
    other.backward()
    assert network.said.grad is not None
    assert plain.said.grad is not None
    assert network.between is not None
    assert network.between.grad is not None
    assert torch.allclose(network.said.grad, plain.said.grad)
    assert network.between.grad.abs().sum() > 0
    vlb = config_of("diffusion.timesteps=100", "diffusion.variance=learned_range", "training.objective=vlb")
    bound = Diffusion(vlb, CPU).loss(network, *drawn())
    assert float(loss - other) == pytest.approx(HYBRID * float(bound), rel=1e-4)


def test_losses_count_by_the_weights_of_their_timesteps() -> None:
    objective = Diffusion(config_of("diffusion.timesteps=100"), CPU)
    x_0, times, _, noise = drawn(2)
    network = Says(torch.zeros_like(x_0))
    one, other = (
        objective.loss(Says(torch.zeros_like(x_0[:1])), x_0[i : i + 1], times[i : i + 1], torch.ones(1),
        noise[i : i + 1]) for i in (0, 1)
    )  # fmt: skip
    both = objective.loss(network, x_0, times, torch.tensor([3.0, 0.5]), noise)
    assert float(both) == pytest.approx((3 * float(one) + 0.5 * float(other)) / 2, rel=1e-5)


def test_the_bound_learns_which_timesteps_matter() -> None:
    """From the losses of its own steps: once all are known they are not drawn alike."""
    objective = Diffusion(
        config_of("diffusion.timesteps=2", "sampling.steps=2", "training.objective=vlb"), CPU
    )
    images = drawn()[0].repeat(16, 1, 1, 1)
    for step in range(3):
        batch = Batch(images, torch.arange(64), None, torch.Generator().manual_seed(step))
        objective.loss(Says(torch.zeros_like(images)), *objective.draw(batch))
    batch = Batch(images, torch.arange(64), None, torch.Generator().manual_seed(9))
    weights = objective.draw(batch)[2]
    assert len(weights.unique()) == 2
    assert (objective.state()["counts"] == 10).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["training.objective=hybrid"], "training.objective: hybrid learns a variance"),
        (
            ["training.objective=simple", "diffusion.variance=learned_range"],
            "training.objective: simple teaches no variance",
        ),
        (
            ["training.objective=noise2same", "diffusion.variance=learned_range", "evaluation.every=0"],
            "diffusion.variance: a network that learns to denoise",
        ),
        (["training.objective=vlb", "training.weighting=p2"], "training.weighting: p2 weighs L_simple"),
        (
            ["training.objective=supervised", "training.timesteps=loss_second_moment"],
            "training.timesteps: a network that learns to denoise",
        ),
    ],
)
def test_what_does_not_go_together_is_refused_at_its_field(settings: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config_of(*settings)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
