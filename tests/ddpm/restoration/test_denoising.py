"""The noise that denoisers learn to undo, what each objective compares, and the estimate itself."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ddpm.config import Config, DenoisingConfig, ModelConfig
from ddpm.feed import Batch
from ddpm.restoration.denoising import Denoising, denoised, expected, noisy, pairs
from ddpm.restoration.noise2same import noise2same_loss
from ddpm.subject import Subject
from ddpm.unet import ResnetBlock, UNet

HANZI = DenoisingConfig(sigma=0.7, dropped=0.5)


def numbers(count: int, start: int = 0) -> Tensor:
    return torch.arange(start, start + count)


def config(objective: str, **denoising: float) -> Config:
    return Config.model_validate({"training": {"objective": objective, "seed": 3}, "denoising": denoising})


def batch(mirrored: bool = False, seed: int = 0) -> Batch:
    images = torch.rand((6, 3, 8, 8), generator=torch.Generator().manual_seed(9)) * 2 - 1
    flags = torch.tensor([True, False] * 3) if mirrored else None
    return Batch(images, numbers(6, 40), flags, torch.Generator().manual_seed(seed))


class Recorded(nn.Module):
    """Keeps what it is given, and makes half of it."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[Tensor, Tensor]] = []

    def forward(self, x: Tensor, times: Tensor) -> Tensor:
        self.seen.append((x, times))
        return x / 2


# -- the noise --------------------------------------------------------------------------------------


def test_the_noise_has_the_strength_that_was_asked_for() -> None:
    y = noisy(torch.zeros(100, 1, 28, 28), numbers(100), DenoisingConfig(sigma=0.35), seed=1)
    assert float(y.std()) == pytest.approx(0.7, rel=0.01)  # a share of the range, which is 2
    assert float(y.mean()) == pytest.approx(0, abs=0.01)


def test_an_image_has_the_same_noise_whenever_and_beside_whatever_it_is_seen() -> None:
    x = torch.zeros(5, 3, 8, 8)
    whole = noisy(x, numbers(5), HANZI, seed=1)
    assert torch.equal(whole[3:4], noisy(x[:1], numbers(1, 3), HANZI, seed=1))
    others = [noisy(x, numbers(5), HANZI, seed=2), noisy(x, numbers(5), HANZI, seed=1, which=1)]
    for other in others:
        together = torch.corrcoef(torch.stack([whole.flatten(), other.flatten()]))[0, 1]
        assert abs(float(together)) < 0.1


def test_dropped_pixels_are_black_in_all_channels_before_the_noise() -> None:
    white = torch.ones(40, 3, 16, 16)
    y = noisy(white, numbers(40), DenoisingConfig(sigma=0, dropped=0.3), seed=1)
    assert set(y.unique().tolist()) == {-1.0, 1.0}
    assert torch.equal(y, y[:, :1].expand_as(y))
    assert float((y < 0).float().mean()) == pytest.approx(0.3, abs=0.02)
    over = noisy(white, numbers(40), DenoisingConfig(sigma=0.1, dropped=0.3), seed=1)
    assert torch.equal(over < 0, y < 0)  # the same pixels
    assert float(over[y < 0].std()) == pytest.approx(0.2, rel=0.05)


@pytest.mark.parametrize("denoising", [DenoisingConfig(sigma=0.35), HANZI])
def test_noisy_versions_have_the_mean_that_is_expected(denoising: DenoisingConfig) -> None:
    x = torch.tensor([-1.0, 0.2, 1.0]).view(1, 1, 1, 3).expand(20_000, 1, 1, 3)
    mean = noisy(x, numbers(20_000), denoising, seed=5).mean(0)
    torch.testing.assert_close(mean, expected(x[0], denoising), atol=0.05, rtol=0)


# -- the objectives ---------------------------------------------------------------------------------


def test_noise2same_is_the_loss_of_noisy_images_alone() -> None:
    objective = Denoising(config("noise2same", sigma=0.7, dropped=0.5, hidden=0.1, invariance=3.0))
    given, hidden = objective.draw(batch())
    assert hidden.dtype == torch.bool
    assert hidden.shape == (6, 1, 8, 8)
    network = Recorded()
    found = objective.loss(network, given, hidden)
    weight = 3 * float(given.std())
    torch.testing.assert_close(found, noise2same_loss(lambda y: y / 4 - 0.5, given, hidden, weight))
    assert all(not times.any() for _, times in network.seen)
    assert all(len(times) == 6 for _, times in network.seen)


def test_lambda_does_not_depend_on_the_unit_of_the_values() -> None:
    """Images ten times as wide, and the loss is a hundred times as large: no part of it has grown alone."""
    objective = Denoising(config("noise2same", sigma=0.7))
    given, hidden = objective.draw(batch())
    losses = [float(objective.loss(Recorded(), scale * given, hidden)) for scale in (1, 10)]
    assert losses[1] == pytest.approx(100 * losses[0], rel=1e-4)


def test_noise2noise_compares_with_another_noisy_version() -> None:
    objective = Denoising(config("noise2noise", sigma=0.7, dropped=0.5))
    given, other = objective.draw(batch())
    noise = given - batch().images, other - batch().images
    assert abs(float(torch.corrcoef(torch.stack([n.flatten() for n in noise]))[0, 1])) < 0.9
    assert not torch.equal(given, other)
    found = objective.loss(Recorded(), given, other)
    torch.testing.assert_close(found, F.mse_loss(given / 4 - 0.5, other))


def test_supervised_compares_with_the_clean_image() -> None:
    objective = Denoising(config("supervised", sigma=0.7, dropped=0.5))
    given, clean = objective.draw(batch())
    torch.testing.assert_close(clean, batch().images)
    torch.testing.assert_close(objective.loss(Recorded(), given, clean), F.mse_loss(given / 2, clean))


@pytest.mark.parametrize("objective", ["noise2same", "noise2noise", "supervised"])
def test_the_noise_of_an_image_never_changes_and_is_mirrored_with_it(objective: str) -> None:
    """Another step, another chance: the same noisy image, or one could average it away."""
    made = Denoising(config(objective))
    plain, mirrored = made.draw(batch()), made.draw(batch(mirrored=True, seed=77))
    for index in range(6):
        seen = mirrored[0][index].flip(2) if index % 2 == 0 else mirrored[0][index]
        assert torch.equal(seen, plain[0][index])
    if objective != "noise2same":
        assert torch.equal(mirrored[1][0].flip(2), plain[1][0])
    else:
        assert not torch.equal(mirrored[1], plain[1])  # what is hidden does change


def test_all_objectives_have_the_same_noisy_images() -> None:
    drawn = [Denoising(config(o)).draw(batch())[0] for o in ("noise2same", "noise2noise", "supervised")]
    assert torch.equal(drawn[0], drawn[1])
    assert torch.equal(drawn[0], drawn[2])


# -- the estimate -----------------------------------------------------------------------------------


def network() -> UNet:
    torch.manual_seed(0)
    made = UNet(ModelConfig(channels=8, multipliers=(1,), blocks=1, attention=(), dropout=0.5), 1, 8)
    nn.init.normal_(made.conv_out.weight)
    for block in made.modules():
        if isinstance(block, ResnetBlock):  # which begin as nothing
            nn.init.normal_(block.conv2.weight, std=0.1)
    return made.eval()


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_the_estimate_is_the_network_at_timestep_0(precision: torch.dtype) -> None:
    y, f = torch.randn(3, 1, 8, 8), network()
    found = denoised(f, y, precision=precision)
    assert (found.shape, found.dtype, found.requires_grad) == (y.shape, torch.float32, False)
    with torch.no_grad():
        told = f(y, torch.zeros(3, dtype=torch.int64))
    torch.testing.assert_close(found, told, atol=1e-6 if precision == torch.float32 else 0.5, rtol=0)
    assert torch.equal(found, told) == (precision == torch.float32)


def test_pairs_show_noise_that_no_step_has_seen() -> None:
    made = config("supervised", sigma=0.1)
    subject = Subject(network(), torch.device("cpu"), torch.float32, 0, 0)
    x = torch.zeros(4, 1, 8, 8)
    shown = pairs(subject, made, x, numbers(4))
    assert (shown.shape, shown.dtype) == ((4, 1, 8, 16), torch.uint8)
    trained = Denoising(made).draw(Batch(x, numbers(4), None, torch.Generator()))[0]
    values = shown[..., :8].float() / 127.5 - 1
    assert float((values - trained).abs().mean()) > 0.1
    assert float(values.std()) == pytest.approx(0.2, rel=0.2)
