"""Guided by an earlier step: away from what its weights say, kept with those that it guides."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ddpm import checkpoint, guides, subject, weights
from ddpm.checkpoint import Checkpoint, CheckpointError
from ddpm.config import Config
from ddpm.configfiles import ConfigError, override, resolve
from ddpm.evaluation.examiner import sampling_protocol
from ddpm.sampling import NetworkDenoiser
from ddpm.training import Training
from tests.ddpm.carrying.folders import randomised, tiny

CPU = torch.device("cpu")
GUIDED = ("sampling.guidance=2", "sampling.guidance_step=10")


class Says(nn.Module):
    """The same of every image, more for a class; counts how often it was asked and of which classes."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value))
        self.asked: list[list[int] | None] = []

    def forward(self, x: Tensor, times: Tensor, labels: Tensor | None = None) -> Tensor:
        self.asked.append(None if labels is None else labels.tolist())
        return self.value + torch.zeros_like(x)


def says_x0(*settings: str) -> Config:
    return override(tiny(), ["diffusion.prediction=x0", "sampling.guidance_step=10", *settings])


@pytest.mark.parametrize("scale", [0.0, 1.0, 2.5])
@pytest.mark.parametrize(("classes", "hidden"), [(None, True), ([3, 7], True), ([3, 7], False)])
def test_guidance_goes_on_from_the_earlier_step_through_the_later(
    scale: float, classes: list[int] | None, hidden: bool
) -> None:
    """Karras et al. 2024, eq. 3: earlier + scale · (later - earlier); at 1 the later alone, asked once."""
    config = says_x0(f"sampling.guidance={scale}", f"sampling.guidance_class={hidden}")
    later, earlier = Says(0.5), Says(0.2)
    labels = None if classes is None else torch.tensor(classes)
    denoise = NetworkDenoiser(later, config, labels=labels, guide=earlier, clip=False)
    found = denoise(torch.zeros(2, 1, 8, 8), 30).x_0
    assert found.flatten().tolist() == pytest.approx([0.2 + scale * 0.3] * 128)
    assert later.asked == [classes]
    assert earlier.asked == ([] if scale == 1 else [None if hidden else classes])
    assert denoise.evaluations == len(later.asked + earlier.asked)


def test_one_that_is_guided_by_itself_says_the_same() -> None:
    config, network = says_x0("sampling.guidance=3"), randomised(tiny())
    x = torch.randn(2, 1, 8, 8)
    plain = NetworkDenoiser(network, config)(x, 40).x_0
    assert torch.allclose(NetworkDenoiser(network, config, guide=network)(x, 40).x_0, plain, atol=1e-5)


def test_a_guide_acts_in_the_interval_alone() -> None:
    config = says_x0("sampling.guidance=2", "sampling.guidance_from=0.25", "sampling.guidance_to=0.5")
    config = override(config, ["diffusion.timesteps=101", "sampling.steps=5"])
    denoise = NetworkDenoiser(Says(0.5), config, guide=Says(0.2), clip=False)
    said = [float(denoise(torch.zeros(1, 1, 8, 8), t).x_0.mean()) for t in (0, 24, 25, 50, 51, 100)]
    assert said == pytest.approx([0.5, 0.5, 0.8, 0.8, 0.5, 0.5])


def saved(run: Path, step: int, config: Config) -> Path:
    """A checkpoint of weights that are all step/100."""
    network = randomised(config)
    for parameter in network.parameters():
        parameter.data.fill_(step / 100)
    state = {"step": step, "images_seen": step}
    return checkpoint.write(run, {checkpoint.EMA: weights.to_bytes(network)}, state).path


def filled(network: nn.Module | None) -> float:
    assert network is not None
    (value,) = {float(p.detach().flatten()[0]) for p in network.parameters()}
    return value


def test_the_guide_is_of_the_same_run_or_kept_with_the_weights(tmp_path: Path) -> None:
    config = tiny(*GUIDED)
    folder, earlier = saved(tmp_path, 20, config), saved(tmp_path, 10, config)
    found = subject.from_checkpoint(folder, config, CPU)
    assert (found.step, filled(found.network), filled(found.guide)) == (
        20,
        pytest.approx(0.2),
        pytest.approx(0.1),
    )
    for unguided in (tiny(), tiny(GUIDED[1])):
        assert subject.from_checkpoint(folder, unguided, CPU).guide is None
    with pytest.raises(CheckpointError, match=r"^sampling\.guidance_step: "):
        subject.from_checkpoint(folder, override(config, ["sampling.guidance_step=11"]), CPU)
    earlier.rename(folder / guides.FOLDER)
    assert filled(subject.from_checkpoint(folder, config, CPU).guide) == pytest.approx(0.1)


def test_images_are_drawn_by_both() -> None:
    config = tiny(*GUIDED, "sampling.sampler=ddim", "sampling.steps=3")
    guided = subject.Subject(Says(0.5), CPU, torch.float32, 20, 20, Says(0.2))
    alone = subject.Subject(Says(0.5), CPU, torch.float32, 20, 20)
    both = list(guided.draw(config, range(2)))[-1].x_t
    assert not torch.allclose(both, list(alone.draw(guides.unguided(config), range(2)))[-1].x_t)
    with pytest.raises(ValueError, match=r"sampling\.guidance_step: there is no guide"):
        list(alone.draw(config, range(2)))


def test_what_guides_says_how_a_score_came_to_be() -> None:
    told = sampling_protocol(tiny(*GUIDED))
    assert (told["guidance"], told["guidance_step"]) == ([2, 0, 1], 10)
    assert sampling_protocol(tiny(*GUIDED, "model.classes=10"))["guidance_class"] is True
    plain = sampling_protocol(tiny(*GUIDED, "model.classes=10", "sampling.guidance_class=false"))
    assert plain == told == sampling_protocol(tiny(*GUIDED, "sampling.guidance_class=false"))
    assert "guidance_step" not in sampling_protocol(tiny("sampling.guidance_step=10"))  # at 1 it says nothing


def test_what_a_guide_needs_the_network_to_know() -> None:
    for settings in ((), ("model.classes=10",)):
        tiny(*GUIDED, *settings)
    untold = ("model.classes=10", "training.label_dropout=0")
    tiny(*GUIDED, *untold, "sampling.guidance_class=false")
    with pytest.raises(ConfigError, match="above 0\\), or guidance_class=false"):
        tiny(*GUIDED, *untold)
    for settings in ((), untold):
        with pytest.raises(ConfigError, match="or an earlier step to be guided by"):
            tiny(GUIDED[0], *settings)
    tuned = ["training.objective=consistency", "sampling.sampler=consistency", "diffusion.prediction=v"]
    with pytest.raises(ConfigError, match=r"sampling\.guidance_step: a consistency-tuned"):
        override(resolve("digits")[0], [*tuned, GUIDED[1]])


KEPT = ("training.steps=30", "training.milestone_every=5")


def checked(*settings: str, saved: Sequence[Checkpoint] = ()) -> str:
    """Why a training cannot be drawn by the step that guides, "" where it can."""
    config = tiny(*GUIDED, *KEPT, *settings)
    try:
        guides.check_kept(config.training, config.sampling, saved)
    except ValueError as error:
        return str(error)
    return ""


def test_a_training_must_keep_what_it_is_drawn_by(tmp_path: Path) -> None:
    assert not checked()
    none, fourth, last = (
        ("training.milestone_every=0",),
        ("training.milestone_every=4",),
        ("training.steps=10",),
    )
    assert "there are none with training.milestone_every=0" in checked(*none)
    assert "one of every 4" in checked(*fourth)
    assert "sampling.guidance_step: 10 is no milestone of the training before step 10" in checked(*last)
    assert not checked(*none, "sampling.guidance=1")
    state = {"step": 10, "images_seen": 10}
    kept = checkpoint.write(tmp_path / "kept", {}, {**state, "milestone": True})
    passing = checkpoint.write(tmp_path / "passing", {}, {**state, "milestone": False})
    assert not checked(*none, saved=[kept])
    assert checked(saved=[passing])  # it goes as others come
    assert checked(saved=[checkpoint.write(tmp_path, {}, {"step": 15, "images_seen": 15, "milestone": True})])


def test_a_trainings_own_grids_are_drawn_without(tmp_path: Path) -> None:
    settings = (*KEPT, "training.steps=6", "training.batch_size=4", "sampling.count=2", "sampling.steps=2")
    for name, guided in (("guided", ("sampling.guidance=2", "sampling.guidance_step=5")), ("plain", ())):
        config = tiny(*settings, *guided)
        list(Training(config, tmp_path / name, device="cpu", data_root=tmp_path))
    first, second = (next((tmp_path / name / "samples").glob("*.png")) for name in ("guided", "plain"))
    assert first.read_bytes() == second.read_bytes()


def test_up_to_the_step_that_guides_images_are_drawn_without() -> None:
    config = tiny(*GUIDED)
    assert guides.fitting(config, 11) == config
    assert guides.fitting(config, 10) == tiny() == guides.unguided(tiny())
    assert guides.fitting(tiny(GUIDED[1]), 11) == tiny()  # at 1 it guides nothing
