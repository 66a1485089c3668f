"""The digit classifier's features: of which images, and of which weights."""

import json
import re
from importlib import resources
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from ddpm import data
from ddpm.config import DataConfig
from ddpm.errors import EngineError
from ddpm.evaluation import classifier
from ddpm.evaluation.classifier import Classifier, ClassifierFeatures, applies_to
from ddpm.evaluation.classifier_training import accuracy
from ddpm.evaluation.frechet import frechet_distance
from ddpm.evaluation.moments import statistics_of
from ddpm.evaluation.statfile import load

SHIPPED = Path(str(resources.files("ddpm") / "evaluation" / "shipped"))


@pytest.fixture(scope="module")
def features() -> ClassifierFeatures:
    return ClassifierFeatures()


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.randint(256, (7, 1, 28, 28), generator=torch.Generator().manual_seed(0)).to(torch.uint8)


def test_features_are_128_numbers_an_image(features: ClassifierFeatures, images: torch.Tensor) -> None:
    found = features(images)
    assert found.shape == (7, features.dimension) == (7, 128)
    assert found.dtype == torch.float32
    assert (found < 0).any()  # before the ReLU
    assert features(images[:0]).shape == (0, 128)
    torch.testing.assert_close(found[3:4], features(images[3:4]))


def test_a_rim_and_repeated_channels_change_nothing(
    features: ClassifierFeatures, images: torch.Tensor
) -> None:
    rim = torch.nn.functional.pad(images, (2, 2, 2, 2))
    for same in (rim, images.repeat(1, 3, 1, 1), rim.repeat(1, 3, 1, 1)):
        assert torch.equal(features(same), features(images))


def test_three_channels_are_averaged() -> None:
    colours = torch.tensor([[10, 20, 31], [255, 255, 255], [0, 0, 1]], dtype=torch.uint8)
    grey = classifier.prepare(colours[:, :, None, None].expand(-1, -1, 28, 28))
    assert (grey[:, 0, 0, 0] * 255).round().tolist() == [20, 255, 0]


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ((2, 1, 27, 27), "28×28 or 32×32 pixels, not 27×27"),
        ((2, 1, 28, 32), "not 32×28"),
        ((2, 3, 30, 30), "not 30×30"),
        ((2, 2, 28, 28), r"uint8 images \(N,C,H,W\), not uint8 \(2, 2, 28, 28\)"),
        ((2, 28, 28), r"not uint8 \(2, 28, 28\)"),
    ],
)
def test_other_shapes_are_refused(features: ClassifierFeatures, shape: tuple[int, ...], told: str) -> None:
    with pytest.raises(EngineError, match=told):
        features(torch.zeros(shape, dtype=torch.uint8))


def test_what_was_not_rounded_is_refused(features: ClassifierFeatures) -> None:
    with pytest.raises(EngineError, match=r"not float32 \(1, 1, 28, 28\)"):
        features(torch.zeros(1, 1, 28, 28))


@pytest.mark.parametrize(
    ("values", "applies"),
    [
        ({"dataset": "mnist"}, True),
        ({"dataset": "mnist", "image_size": 32}, True),
        ({"dataset": "mnist", "image_size": 32, "channels": 3}, True),
        ({"dataset": "mnist", "image_size": 16}, False),
        ({"dataset": "fashion-mnist"}, False),
        ({"dataset": "digits", "image_size": 28}, False),
        ({"dataset": "cifar10"}, False),
    ],
)
def test_it_applies_to_mnist_alone(values: dict[str, object], applies: bool) -> None:
    assert applies_to(DataConfig.model_validate(values)) is applies


def test_standardised_features_have_mean_0_and_deviation_1(images: torch.Tensor) -> None:
    network, x = Classifier(), classifier.prepare(images)
    with torch.no_grad():
        found = network.features(x)
        network.standardise(found.mean(0), found.std(0))
        found = network.features(x)
    torch.testing.assert_close(found.mean(0), torch.zeros(128), atol=1e-4, rtol=0)
    torch.testing.assert_close(found.std(0), torch.ones(128), atol=1e-4, rtol=0)


def test_weights_of_a_file_are_known_by_their_hash(
    features: ClassifierFeatures, images: torch.Tensor, tmp_path: Path
) -> None:
    state = classifier.read().state_dict()
    save_file({name: state[name] for name in reversed(state)}, tmp_path / "same.safetensors")
    save_file({**state, "output.bias": state["output.bias"] + 1}, tmp_path / "other.safetensors")
    same = ClassifierFeatures(tmp_path / "same.safetensors")
    assert same.identity == features.identity
    assert torch.equal(same(images), features(images))
    assert ClassifierFeatures(tmp_path / "other.safetensors").identity != features.identity


def test_files_that_are_no_classifier_are_named(tmp_path: Path) -> None:
    (tmp_path / "text.safetensors").write_bytes(b"no weights")
    save_file({"first.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    for name, told in (
        ("none.safetensors", "none.safetensors does not exist"),
        ("text.safetensors", "text.safetensors: not safetensors"),
        ("other.safetensors", "other.safetensors: does not fit this network"),
        ("", "cannot be read"),
    ):
        with pytest.raises(EngineError, match=told) as raised:
            ClassifierFeatures(tmp_path / name)
        assert "\n" not in str(raised.value)


def test_what_comes_along_is_small_and_told_by_its_hash(features: ClassifierFeatures) -> None:
    weights = SHIPPED / "mnist-classifier.safetensors"
    assert weights.stat().st_size < 1_000_000
    assert features.identity["network"] == "mnist-classifier"
    assert json.loads(json.dumps(features.identity)) == features.identity
    assert (
        re.findall(r"\b[0-9a-f]{64}\b", (SHIPPED / "README.md").read_text())[0]
        == (features.identity["weights"])
    )


def test_shipped_statistics_are_of_the_shipped_weights(features: ClassifierFeatures) -> None:
    statistics, meta = load(SHIPPED / "mnist-train-classifier.npz")
    assert meta["features"] == features.identity
    assert statistics.count == meta["reference"]["images"] == 60_000
    assert statistics.covariance.shape == (128, 128)
    # As the weights were standardised over just these images:
    assert statistics.mean.abs().max() < 1e-3
    torch.testing.assert_close(
        statistics.covariance.diagonal(), torch.ones(128, dtype=torch.float64), atol=1e-3, rtol=0
    )


@pytest.mark.real_data
def test_it_tells_digits(real_data: Path) -> None:
    test = data.load(DataConfig(dataset="mnist"), real_data, "test")
    assert test.labels is not None
    chosen = slice(2000, 3000)  # the harder half
    right = accuracy(classifier.read(), data.ImageSet(test.images[chosen], test.labels[chosen]))
    assert right >= 0.985


@pytest.mark.real_data
def test_shipped_statistics_come_from_mnist(features: ClassifierFeatures, real_data: Path) -> None:
    """10,000 at random: as near to all as chance allows (even-numbered images alone are not)."""
    mnist = DataConfig(dataset="mnist")
    chosen = torch.randperm(60_000, generator=torch.Generator().manual_seed(0))[:10_000]
    train = data.load(mnist, real_data).images[chosen]
    shipped, meta = load(SHIPPED / "mnist-train-classifier.npz")
    found = statistics_of(features(train).numpy())
    assert frechet_distance(found, shipped) < 0.15
    noisy = (train[:2000].float() + 32 * torch.randn(2000, 1, 28, 28)).clamp(0, 255).to(torch.uint8)
    assert frechet_distance(statistics_of(features(noisy).numpy()), shipped) > 1
    test = statistics_of(features(data.load(mnist, real_data, "test").images).numpy())
    assert frechet_distance(test, shipped) == pytest.approx(meta["floor"]["fid"], rel=1e-4)
