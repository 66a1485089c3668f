"""Inception's features are the field's, in both conventions."""

import os
from pathlib import Path

import pytest
import torch

from ddpm import data
from ddpm.config import DataConfig
from ddpm.evaluation.features import InceptionFeatures
from ddpm.evaluation.resize import CONVENTIONS, Convention

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def weights() -> Path:
    return Path(os.environ["DDPM_REAL_DATA"]) / "inception" / "pt-inception-trunk.pth"


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return data.load(DataConfig(dataset="cifar10"), Path(os.environ["DDPM_REAL_DATA"]), "test").images[:10]


@pytest.mark.peers
def test_pytorch_fid_computes_the_same(
    weights: Path, images: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pytorch_fid import inception as peer

    monkeypatch.setattr(
        peer, "load_state_dict_from_url", lambda *_, **__: torch.load(weights, weights_only=True)
    )
    network = peer.InceptionV3([peer.InceptionV3.BLOCK_INDEX_BY_DIM[2048]]).eval()
    with torch.inference_mode():
        expected = network(images.float() / 255)[0].flatten(1)
    found = InceptionFeatures(weights, "pytorch-fid")(images)
    assert torch.linalg.norm(found - expected) < 1e-5 * torch.linalg.norm(expected)


@pytest.mark.peers
def test_torch_fidelity_computes_the_same(weights: Path, images: torch.Tensor) -> None:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    network = FeatureExtractorInceptionV3("peer", ["2048"], feature_extractor_weights_path=str(weights))
    with torch.inference_mode():
        expected = network(images)[0]
    found = InceptionFeatures(weights, "tensorflow")(images)
    assert torch.linalg.norm(found - expected) < 1e-5 * torch.linalg.norm(expected)


def test_grey_is_colour_repeated_and_neighbours_change_nothing(weights: Path, images: torch.Tensor) -> None:
    features = InceptionFeatures(weights)
    grey = images[:, :1]
    together = features(grey)
    assert together.shape == (10, 2048)
    assert together.dtype == torch.float32
    assert torch.equal(together, features(grey.repeat(1, 3, 1, 1)))
    torch.testing.assert_close(together[9:], features(grey[9:]), atol=1e-5, rtol=1e-4)
    assert features(grey[:0]).shape == (0, 2048)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_the_identity_says_what_was_computed(weights: Path, convention: Convention) -> None:
    identity = InceptionFeatures(weights, convention).identity
    assert identity["convention"] == convention
    assert len(identity["weights"]) == 64


def test_precision_is_never_lowered_from_outside(weights: Path, images: torch.Tensor) -> None:
    features = InceptionFeatures(weights)
    with torch.autocast("cpu", torch.bfloat16):
        found = features(images[:2])
    assert torch.equal(found, features(images[:2]))


def test_tf32_is_off_while_features_are_computed(weights: Path, images: torch.Tensor) -> None:
    """CUDA's convolutions use it unless told not to; what was set before comes back."""
    features, seen = InceptionFeatures(weights), []
    features._network.register_forward_pre_hook(lambda *_: seen.append(torch.backends.cudnn.allow_tf32))
    before = torch.backends.cudnn.allow_tf32
    features(images[:1])
    assert seen == [False]
    assert torch.backends.cudnn.allow_tf32 == before
