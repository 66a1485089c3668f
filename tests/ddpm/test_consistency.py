"""Consistency tuning where the consistency function is known: of Gaussian images it is one line."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ddpm import checkpoint, consistency, schedules
from ddpm.config import Config
from ddpm.configfiles import ConfigError, override, resolve
from ddpm.consistency import STAGES, Consistency, chances, earlier, sigmas
from ddpm.diffusion import predict_epsilon, predict_v
from ddpm.errors import EngineError
from ddpm.feed import Batch
from ddpm.samplers.consistency import HIGHEST, consistency_times
from ddpm.samplers.consistency import consistency as sampler
from ddpm.samplers.levels import levels
from ddpm.samplers.steps import Denoised
from ddpm.training import Training
from tests.ddpm.test_training import blobs, run, tiny

CPU = torch.device("cpu")
SPREAD = 0.5  #: of the images, N(0, SPREAD²) each value
TUNED = (
    "training.objective=consistency",
    "sampling.sampler=consistency",
    "sampling.steps=2",
    "diffusion.prediction=v",
)


def config_of(*settings: str) -> Config:
    return resolve("digits", [*TUNED, "data.flip=false", *settings])[0]


class Bent(nn.Module):
    """Of x = x_t / alpha it says x (s² / (s² + sigma²))^power: at power 1 the posterior mean, at 1/2 the end
    of the path (the probability flow of Gaussian images keeps every value at its quantile)."""

    def __init__(self, config: Config, power: float) -> None:
        super().__init__()
        self.power = nn.Parameter(torch.tensor(power))
        self._alpha_bars = schedules.make(config.diffusion).alphas_cumprod
        self._prediction = config.diffusion.prediction

    def forward(self, x_t: Tensor, times: Tensor) -> Tensor:
        alpha_bar = self._alpha_bars[times].view(-1, 1, 1, 1)
        variance = (1 - alpha_bar) / alpha_bar
        kept = (SPREAD**2 / (SPREAD**2 + variance)).float() ** self.power
        alpha_bar = alpha_bar.float()
        x_0 = x_t / alpha_bar.sqrt() * kept
        if self._prediction == "x0":
            return x_0
        return predict_v(x_0, predict_epsilon(x_t, x_0, alpha_bar), alpha_bar)


def batch(seed: int, count: int, images_seen: int) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    images = SPREAD * torch.randn(count, 1, 8, 8, generator=generator)
    return Batch(images, torch.arange(count), None, generator, images_seen)


@pytest.mark.parametrize("prediction", ["x0", "v"])
def test_it_teaches_the_end_of_the_path_and_no_longer_the_mean(prediction: str) -> None:
    """One number learns by it; begun as the diffusion model it becomes the consistency function."""
    config = config_of(f"diffusion.prediction={prediction}", "training.batch_size=64", "training.steps=400")
    objective, network = Consistency(config, CPU), Bent(config, 1.0)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for step in range(400):
        drawn = objective.draw(batch(step, 64, step * 64))
        optimizer.zero_grad()
        objective.loss(network, *drawn).backward()
        optimizer.step()
    assert abs(float(network.power.detach()) - 0.5) < 0.05


def test_at_first_the_target_is_the_image_itself_and_later_it_is_near() -> None:
    found = sigmas(schedules.make(config_of().diffusion))
    tables = [earlier(found, number) for number in range(1, STAGES + 1)]
    first, last = tables[0], tables[-1]
    places = torch.arange(len(found))
    assert bool((first[found < 1] == -1).all())
    for table in tables:
        assert bool((table < places).all())
    assert all(bool((after >= before).all()) for before, after in pairwise(tables))
    high = found > 10  # n(t) is all but 1 there
    assert found[first[high].clamp(min=0)].tolist() == pytest.approx((found[high] / 2).tolist(), rel=0.05)
    middle = found > 0.05
    assert bool(((places - last)[middle] <= 12).all())


def test_stages_go_evenly_through_the_training() -> None:
    numbers = [consistency.stage(step / 800) for step in range(801)]
    assert numbers == sorted(numbers)
    assert [numbers.count(number) for number in range(1, STAGES + 1)] == [100] * 7 + [101]


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_times_are_log_normal_in_sigma_and_none_is_beyond_the_highest(schedule: str) -> None:
    found = sigmas(schedules.make(config_of(f"diffusion.schedule={schedule}").diffusion))
    law = chances(found)
    assert float(law.sum()) == pytest.approx(1)
    assert not law[found > HIGHEST].any()
    below = float(law[found <= float(torch.tensor(-1.1).exp())].sum())
    assert below == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("settings", [[], ["diffusion.schedule=cosine"], ["diffusion.timesteps=10"]])
@pytest.mark.parametrize("steps", [1, 2, 3, 4, 10])
def test_few_times_descend_from_all_but_noise(settings: list[str], steps: int) -> None:
    schedule = schedules.make(config_of(*settings).diffusion)
    times = consistency_times(schedule, steps)
    assert len(times) == steps
    assert times == sorted(set(times), reverse=True)
    assert times[-1] >= 0
    with pytest.raises(ValueError, match="is not between 1 and"):
        consistency_times(schedule, schedule.timesteps + 1)


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_with_the_true_function_every_step_count_draws_the_law_of_the_images(steps: int) -> None:
    config = config_of("diffusion.prediction=x0")
    schedule, network = schedules.make(config.diffusion), Bent(config, 0.5)
    way = levels(schedule, consistency_times(schedule, steps))

    def denoise(x: Tensor, time: int) -> Denoised:
        with torch.no_grad():
            return Denoised(network(x, torch.full((len(x),), time)))

    def noise(number: int) -> Tensor:
        return torch.randn(4000, 1, 2, 2, generator=torch.Generator().manual_seed(number))

    *_, last = sampler(denoise, way, noise)
    assert (last.index, last.total) == (steps, steps)
    assert float(last.x_t.std()) == pytest.approx(SPREAD, rel=0.03)
    assert abs(float(last.x_t.mean())) < 0.02


def test_student_and_teacher_see_the_same_dropout() -> None:
    """A network that is nothing but dropout differs from itself only where the masks do."""

    class Drops(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = nn.Parameter(torch.ones(()))

        def forward(self, x: Tensor, times: Tensor) -> Tensor:
            return self.one * torch.nn.functional.dropout(torch.ones_like(x), 0.5)

    config = config_of("diffusion.prediction=x0", "training.steps=10", "training.batch_size=8")
    objective = Consistency(config, CPU)
    x_0, times, _, noise = objective.draw(batch(0, 8, 79))
    before = (times - 1).clamp(min=0)
    times = before + 1
    state = torch.get_rng_state()
    assert float(objective.loss(Drops(), x_0, times, before, noise).detach()) == 0
    assert not torch.equal(torch.get_rng_state(), state)  # the student's own draw counts


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("parent")
    run(tiny("training.steps=4", "diffusion.prediction=v"), directory)
    return checkpoint.folder(directory, 4)


def tuned(*settings: str) -> Config:
    return tiny(*TUNED, "training.steps=8", "training.checkpoint_every=4", *settings)


def test_a_tuning_resumes_exactly_also_with_dropout_classes_and_parts(parent: Path, tmp_path: Path) -> None:
    settings = ("model.dropout=0.2", "training.accumulation=2")
    run(tuned(*settings), tmp_path / "whole", start_from=parent)
    first = Training(
        tuned(*settings), tmp_path / "parts", device="cpu", data_root=tmp_path, start_from=parent
    )
    for _ in first:
        if first.step >= 4:
            first.stop()
    assert first.step < 8
    run(tuned(*settings), tmp_path / "parts", start_from=parent)
    assert blobs(tmp_path / "whole", 8) == blobs(tmp_path / "parts", 8)
    assert (tmp_path / "whole" / "samples" / "00000008.png").exists()


def test_it_begins_with_a_trained_network_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(
        EngineError, match=r"training\.objective: consistency tunes a trained diffusion model"
    ):
        run(tuned(), tmp_path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["sampling.sampler=ddim"], r"sampling\.sampler: ddim takes small steps, which training\.objective"),
        (["training.objective=simple"], r"sampling\.sampler: consistency needs a network that was tuned"),
        (["diffusion.prediction=epsilon"], r"diffusion\.prediction: consistency tuning needs a network"),
        (["sampling.spacing=karras"], r"sampling\.spacing: consistency chooses its few timesteps itself"),
        (["training.weighting=p2"], r"training\.weighting: p2 weighs L_simple"),
        (["training.timesteps=loss_second_moment"], r"training\.timesteps: consistency tuning has a law"),
        (["model.classes=10", "sampling.guidance=2"], r"sampling\.guidance: a consistency-tuned network"),
    ],
)
def test_what_does_not_go_together_is_refused_at_its_field(settings: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        override(config_of(), settings)
