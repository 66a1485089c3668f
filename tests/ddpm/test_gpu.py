"""No step waits for a GPU, or mixes its memory with the processor's: but for the backward pass, which torch
makes itself. On a GPU that is made up."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch._subclasses.fake_tensor import DataDependentOutputException

from ddpm.config import Config
from ddpm.subject import Subject
from ddpm.training import Training
from tests.ddpm import fakegpu
from tests.ddpm.test_training import tiny

pytestmark = pytest.mark.filterwarnings("ignore:Accessing the data pointer of FakeTensor")
#: Of a step's images only their numbers come from the processor, from pinned memory.
NUMBERS = ("cpu", "cuda", False)


def taught(config: Config) -> list[tuple[str, str, bool]]:
    """Transfers of a training's third step."""
    with fakegpu.gpu(), fakegpu.Transfers() as transfers:
        training = Training(config, Path("run"), data_root=Path("data"))
        images = torch.zeros(64, *config.data.shape, dtype=torch.uint8)
        training._prepare(images, torch.zeros(64, dtype=torch.long) if config.model.classes else None)
        for _ in range(3):
            transfers.seen.clear()
            training._train_step()
    return transfers.seen


@pytest.mark.parametrize(
    "settings",
    [
        ("training.accumulation=2", "data.crop=2", "training.weighting=min_snr"),
        ("model.classes=10", "data.augment=0.1", "data.flip=false", "model.head_channels=4"),
        ("diffusion.variance=learned_range", "diffusion.prediction=v", "diffusion.schedule=cosine"),
        ("training.ema_decays=0.9", "training.ema_lengths=0.05", "model.patch=2"),
        ("training.objective=noise2same",),
        ("training.objective=noise2noise",),
        ("training.objective=supervised",),
        ("training.objective=consistency", "sampling.sampler=consistency", "diffusion.prediction=v"),
    ],
)
def test_a_training_step_waits_for_nothing(settings: tuple[str, ...]) -> None:
    assert taught(tiny(*settings)) == [NUMBERS]


def test_what_waits_is_seen() -> None:
    """Timesteps by their losses are drawn on the processor: of the bound alone (`training.objective=vlb`)."""
    with pytest.raises(DataDependentOutputException):
        taught(tiny("training.objective=vlb", "diffusion.variance=learned_range"))


@pytest.mark.parametrize(
    "sampler", ["ddpm", "ddim", "euler", "heun", "dpmpp-2m", "dpmpp-3m", "unipc", "ipndm"]
)
@pytest.mark.parametrize("variance", ["fixed_large", "learned_range"])
def test_a_sampling_step_waits_for_nothing(sampler: str, variance: str) -> None:
    eta = ["sampling.eta=1"] if sampler in ("ddim", "dpmpp-2m", "dpmpp-3m") else []
    spacing = "karras" if sampler == "heun" else "log_snr"
    config = tiny(
        f"sampling.sampler={sampler}", f"sampling.spacing={spacing}", f"diffusion.variance={variance}",
        "sampling.steps=6", "model.classes=10", "sampling.guidance=2", *eta,
    )  # fmt: skip
    with fakegpu.gpu(), fakegpu.Transfers() as transfers:
        network = fakegpu.network(config).eval().requires_grad_(False)
        source = Subject(network, fakegpu.GPU, torch.float32, 20, 20)
        seen = []
        for _ in source.draw(config, range(4)):
            seen.append(list(transfers.seen))
            transfers.seen.clear()
    assert seen == [[("cpu", "cuda", True)], *[[]] * (len(seen) - 1)]  # the classes, before the first step
    assert len(seen) == 6
