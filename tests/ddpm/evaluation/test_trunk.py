"""The FID Inception weights are one and the same in every file, and nothing else is taken for them."""

import shutil
import warnings
from pathlib import Path

import pytest
import safetensors.torch
import torch

from ddpm.evaluation import trunk
from ddpm.evaluation.inception import Inception
from ddpm.evaluation.trunk import WeightsError

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def folder() -> Path:
    import os

    return Path(os.environ["DDPM_REAL_DATA"]) / "inception"


@pytest.fixture(scope="module")
def state(folder: Path) -> dict[str, torch.Tensor]:
    loaded: dict[str, torch.Tensor] = torch.load(folder / "pt-inception-trunk.pth", weights_only=True)
    return loaded


def test_three_kinds_of_file_hold_the_same_weights(
    folder: Path, state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    """The published file has a classifier besides, which is not part of the trunk."""
    published = {**state, "fc.weight": torch.randn(1008, 2048), "fc.bias": torch.randn(1008)}
    torch.save(published, tmp_path / trunk.FILE)
    safetensors.torch.save_file({k: v.contiguous() for k, v in state.items()}, tmp_path / "w.safetensors")
    paths = [folder / "fid-inception-2015-12-05.pt", tmp_path / trunk.FILE, tmp_path / "w.safetensors"]
    first, *others = (trunk.read(path) for path in paths)
    assert trunk.trunk_hash(first) == trunk.HASH
    for other in others:
        assert first.keys() == other.keys()
        assert all(torch.equal(first[name], other[name]) for name in first)
    Inception(first)


def test_other_weights_are_refused(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    name = "Mixed_7c.branch_pool.conv.weight"
    changed = state[name].clone()
    changed[0, 0, 0, 0] += 1e-6
    torch.save({**state, name: changed}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match=r"other.pth does not hold the FID Inception weights.*hash is"):
        trunk.read(tmp_path / "other.pth")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no weights at all",
        b"PK\x03\x04 half a zip",
        b"PK\x05\x06" + b"\xff" * 18,  # the end of a zip without its beginning
        b"0.1 0.2 0.3",  # pickle's code for: drop the last of what there is
        b"Go away",  # and for: a float follows
    ],
)
def test_what_is_no_file_of_weights(content: bytes, tmp_path: Path) -> None:
    for name in ("file.pth", "file.safetensors", "file.pt"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(WeightsError, match=rf"{name} is not a file of weights"):
            trunk.read(tmp_path / name)


def test_what_is_not_there(tmp_path: Path) -> None:
    for name in ("gone.pth", "gone.safetensors"):
        with pytest.raises(WeightsError, match=rf"{name} does not exist"):
            trunk.read(tmp_path / name)
    with pytest.raises(WeightsError, match="cannot be read: Is a directory"):
        trunk.read(tmp_path)


def test_a_pickle_that_runs_code_is_refused(tmp_path: Path) -> None:
    torch.save({"a": shutil.rmtree}, tmp_path / "evil.pth")
    with pytest.raises(WeightsError, match="not a file of weights"):
        trunk.read(tmp_path / "evil.pth")


def test_code_of_unknown_origin_is_not_opened(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(torch.nn.ReLU()).save(str(tmp_path / "script.pt"))
    with pytest.raises(WeightsError, match="archive of unknown code"):
        trunk.read(tmp_path / "script.pt")


def test_tensors_of_another_network_are_called_so(tmp_path: Path) -> None:
    torch.save({"layer.weight": torch.ones(2)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="holds no tensor of the FID Inception network's names"):
        trunk.read(tmp_path / "other.pth")
