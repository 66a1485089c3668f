"""The network's size, shapes, start and agreement with its peer."""

import pytest
import torch

from ddpm.config import Config, DataConfig, DiffusionConfig, ModelConfig
from ddpm.configfiles import ConfigError, override, resolve
from ddpm.sizes import parameters
from ddpm.unet import UNet, group_count, make, sinusoids


def count(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def randomised(network: UNet) -> UNet:
    """Zero-initialised last layers would hide what comes before them."""
    torch.manual_seed(0)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return network.eval()


SHAPES = [
    (ModelConfig(channels=8, multipliers=(1,), blocks=1, attention=(), dropout=0.0), 3, 4),
    (ModelConfig(channels=16, multipliers=(1, 2), blocks=2, attention=(4, 99), dropout=0.0), 1, 8),
    (ModelConfig(channels=24, multipliers=(1, 2, 2), blocks=1, attention=(14, 28), dropout=0.1), 1, 28),
    (ModelConfig(channels=40, multipliers=(1, 1, 3), blocks=3, attention=(8,), dropout=0.0), 3, 12),
    (ModelConfig(channels=16, multipliers=(1, 3), attention=(8, 4), head_channels=8, dropout=0.0), 1, 8),
]


def test_the_cifar10_preset_is_the_papers_network() -> None:
    config, _ = resolve("cifar10")
    channels, size, _ = config.data.shape
    with torch.device("meta"):
        network = UNet(config.model, channels, size)
    assert count(network) == 35_746_307  # 35.7 M, Ho et al. 2020, section 4


PATCHED = [
    (ModelConfig(patch=2, channels=16, multipliers=(1, 2), blocks=1, attention=(7,), dropout=0.0), 1, 28),
    (ModelConfig(patch=4, channels=8, multipliers=(1,), blocks=2, attention=(8,), dropout=0.0), 3, 32),
]


@pytest.mark.parametrize(("model", "channels", "size"), SHAPES + PATCHED)
def test_any_size_comes_out_as_it_went_in(model: ModelConfig, channels: int, size: int) -> None:
    network = randomised(UNet(model, channels, size))
    x = torch.randn(2, channels, size, size)
    out = network(x, torch.tensor([0, 999]))
    assert out.shape == x.shape
    assert out.dtype == torch.float32
    other = network(x, torch.tensor([500, 999]))
    assert not torch.equal(out[0], other[0])  # it knows the time


def test_a_new_network_predicts_nothing() -> None:
    network = UNet(SHAPES[1][0], 1, 8)
    assert network(torch.randn(2, 1, 8, 8), torch.tensor([3, 4])).abs().max() == 0


def test_patches_are_pixels_seen_as_channels() -> None:
    model, channels, size = PATCHED[0]
    patched = randomised(UNet(model, channels, size))
    plain = UNet(model.model_copy(update={"patch": 1}), 4 * channels, size // 2)
    plain.load_state_dict(patched.state_dict())
    x, t = torch.randn(2, channels, size, size), torch.tensor([3, 700])
    squares = torch.stack([x[:, 0, i::2, j::2] for i in (0, 1) for j in (0, 1)], dim=1)
    expected, out = plain.eval()(squares, t), patched(x, t)
    for number, (i, j) in enumerate((i, j) for i in (0, 1) for j in (0, 1)):
        assert torch.allclose(out[:, 0, i::2, j::2], expected[:, number], atol=1e-5)


@pytest.mark.parametrize("patch", [2, 4])
def test_patches_that_do_not_fit_are_refused_at_their_field(patch: int) -> None:
    with pytest.raises(ValueError, match=r"model\.(patch|multipliers).*(not divisible|divisible by)"):
        Config.model_validate(
            {"data": {"dataset": "mnist"}, "model": {"patch": patch, "multipliers": [1, 2, 4]}}
        )


def test_heads_look_apart() -> None:
    model = SHAPES[1][0]
    network = randomised(UNet(model, 1, 8))
    headed = UNet(model.model_copy(update={"head_channels": 16}), 1, 8).eval()
    headed.load_state_dict(network.state_dict())
    x, t = torch.randn(2, 1, 8, 8), torch.tensor([1, 5])
    assert not torch.allclose(network(x, t), headed(x, t), atol=1e-6)


def test_heads_divide_what_is_attended_to() -> None:
    digits = resolve("digits")[0]
    assert override(digits, ["model.head_channels=64"]).model.head_channels == 64
    for setting in ("model.head_channels=48", "model.head_channels=128"):
        with pytest.raises(ConfigError, match=r"model\.head_channels: \d+ does not divide the 64 channels"):
            override(digits, [setting])
    with pytest.raises(ConfigError, match="does not divide the 32 channels"):
        override(digits, ["model.head_channels=64", "model.attention=8"])


@pytest.mark.parametrize(("channels", "groups"), [(8, 8), (24, 8), (48, 16), (32, 32), (96, 32), (200, 8)])
def test_group_norm_takes_the_largest_count_that_divides(channels: int, groups: int) -> None:
    assert group_count(channels) == groups


def test_groups_are_as_asked_for() -> None:
    network = UNet(ModelConfig(channels=32, groups=8, multipliers=(1, 2), blocks=1, dropout=0.0), 1, 8)
    assert {m.num_groups for m in network.modules() if isinstance(m, torch.nn.GroupNorm)} == {8}
    with pytest.raises(ValueError, match=r"model.groups: 5 groups do not divide model.channels 32"):
        ModelConfig(channels=32, groups=5)


@pytest.mark.parametrize(("groups", "knows"), [(8, False), (4, True)])
def test_one_channel_a_group_forgets_the_time(groups: int, knows: bool) -> None:
    network = randomised(UNet(ModelConfig(channels=8, groups=groups, multipliers=(1,), dropout=0.0), 1, 8))
    block, x = network.down_blocks[0].resnets[0], torch.randn(1, 8, 8, 8)  # type: ignore[index]
    one, other = block(x, torch.zeros(1, 32)), block(x, torch.ones(1, 32))
    assert torch.allclose(one, other, atol=1e-4) != knows


def test_the_time_embedding_is_the_transformers() -> None:
    embedding = sinusoids(torch.tensor([0, 7]), 8)
    assert torch.equal(embedding[0], torch.tensor([0.0, 0, 0, 0, 1, 1, 1, 1]))
    frequencies = 10_000 ** -(torch.arange(4) / 3)
    assert torch.allclose(embedding[1, :4], torch.sin(7 * frequencies), atol=1e-6)


def test_dropout_acts_while_training_alone() -> None:
    network = randomised(UNet(SHAPES[2][0], 1, 28))
    x, t = torch.randn(1, 1, 28, 28), torch.tensor([5])
    assert torch.equal(network(x, t), network(x, t))
    network.train()
    assert not torch.equal(network(x, t), network(x, t))


def test_bfloat16_stays_near() -> None:
    network = randomised(UNet(SHAPES[1][0], 1, 8))
    x, t = torch.randn(4, 1, 8, 8), torch.tensor([1, 5, 50, 900])
    with torch.autocast("cpu", torch.bfloat16):
        near = network(x, t)
    assert near.dtype == torch.float32
    assert torch.allclose(near, network(x, t), atol=0.01)


@pytest.mark.peers
@pytest.mark.parametrize("classes", [0, 10])
@pytest.mark.parametrize(("model", "channels", "size"), SHAPES)
def test_it_computes_what_diffusers_computes(
    model: ModelConfig, channels: int, size: int, classes: int
) -> None:
    """Weights carried over by name, without any conversion, give the same output."""
    from diffusers import UNet2DModel

    attend = [size // 2**level in model.attention for level in range(len(model.multipliers))]
    peer = UNet2DModel(
        sample_size=size,
        in_channels=channels,
        out_channels=channels,
        layers_per_block=model.blocks,
        block_out_channels=[model.channels * m for m in model.multipliers],
        down_block_types=["AttnDownBlock2D" if a else "DownBlock2D" for a in attend],
        up_block_types=["AttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attend)],
        downsample_padding=0,
        flip_sin_to_cos=False,
        freq_shift=1,
        norm_eps=1e-6,
        norm_num_groups=group_count(model.channels),
        attention_head_dim=model.head_channels or None,
        num_class_embeds=classes + 1 if classes else None,
    ).eval()
    network = randomised(UNet(model.model_copy(update={"classes": classes}), channels, size))
    peer.load_state_dict(network.state_dict())
    x, t = torch.randn(3, channels, size, size), torch.tensor([0, 500, 999])
    labels = torch.tensor([3, 10, 0]) if classes else None
    with torch.no_grad():
        assert torch.allclose(network(x, t, labels), peer(x, t, labels).sample, atol=1e-5)


@pytest.mark.parametrize(("model", "channels", "size"), SHAPES + PATCHED)
@pytest.mark.parametrize("variance", ["fixed_large", "learned_range"])
def test_sizes_are_told_by_arithmetic(model: ModelConfig, channels: int, size: int, variance: str) -> None:
    data = DataConfig(dataset="folder", root="x", image_size=size, channels=channels)  # type: ignore[arg-type]
    diffusion = DiffusionConfig(variance=variance)  # type: ignore[arg-type]
    config = Config(data=data, model=model, diffusion=diffusion)
    network = make(config)
    assert count(network) == parameters(config)
    outputs = channels * (2 if variance == "learned_range" else 1)
    x, times = torch.randn(2, channels, size, size), torch.tensor([0, 999])
    assert network(x, times).shape == (2, outputs, size, size)


def test_every_preset_fits_its_data() -> None:
    for name in ("digits", "mnist", "fashion-mnist", "cifar10"):
        config: Config = resolve(name)[0]
        with torch.device("meta"):
            assert count(make(config)) == parameters(config)
