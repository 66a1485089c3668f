"""Training the digit classifier: it learns, gives the same bytes again, and says what is wrong."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ddpm import data, weights
from ddpm.config import DataConfig
from ddpm.data import ImageSet
from ddpm.errors import EngineError
from ddpm.evaluation import classifier
from ddpm.evaluation.classifier_training import accuracy, require_writable, train
from ddpm.evaluation.hashing import tensors_hash
from ddpm.evaluation.progress import Progress, finish
from tests.ddpm.writers import write_mnist

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    """The bundled digits at the size of MNIST's."""
    return data.load(DataConfig(dataset="digits", image_size=28), tmp_path_factory.mktemp("none"))


def part(images: ImageSet, chosen: slice) -> ImageSet:
    assert images.labels is not None
    return ImageSet(images.images[chosen], images.labels[chosen])


def test_it_learns_digits_and_standardises_its_features(digits: ImageSet) -> None:
    known, unknown = part(digits, slice(0, 1408)), part(digits, slice(1408, None))
    network = finish(train(known, seed=0, epochs=4, device=CPU))
    assert accuracy(network, unknown) > 0.85
    with torch.inference_mode():
        features = network.features(classifier.prepare(known.images))
    torch.testing.assert_close(features.mean(0), torch.zeros(128), atol=1e-3, rtol=0)
    torch.testing.assert_close(features.std(0), torch.ones(128), atol=1e-3, rtol=0)


def test_a_seed_gives_the_same_bytes_and_another_others(digits: ImageSet) -> None:
    few = part(digits, slice(0, 300))

    def trained(seed: int) -> bytes:
        torch.rand(seed + 3)  # where the global generator stands does not matter
        return weights.to_bytes(finish(train(few, seed=seed, epochs=2, device=CPU)))

    first = trained(0)
    assert trained(0) == first
    assert trained(1) != first


def test_progress_is_told_in_images(digits: ImageSet) -> None:
    told = list(train(part(digits, slice(0, 300)), seed=0, epochs=2, device=CPU))
    assert told == [Progress(done, 512) for done in (128, 256, 384, 512)]


def test_too_few_images_and_images_that_are_all_the_same(digits: ImageSet) -> None:
    with pytest.raises(EngineError, match="at least 128 images; there are 100"):
        finish(train(part(digits, slice(0, 100)), seed=0, epochs=1, device=CPU))
    alike = ImageSet(torch.zeros(128, 1, 28, 28, dtype=torch.uint8), torch.zeros(128, dtype=torch.int64))
    with pytest.raises(EngineError, match="has learned nothing"):
        finish(train(alike, seed=0, epochs=1, device=CPU))


def test_where_nothing_could_be_written_is_told_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, told in (
        (tmp_path, "is a folder; the weights need a file's name"),
        (tmp_path / "none" / "w.safetensors", "the folder .*none does not exist"),
        (tmp_path / "file" / "w.safetensors", "the folder .*file does not exist"),
    ):
        with pytest.raises(EngineError, match=told):
            require_writable(path)


def call(*arguments: str) -> tuple[int, list[dict[str, object]]]:
    """Exit status and the JSON lines of the module, run as a program."""
    done = subprocess.run(
        [sys.executable, "-m", "ddpm.evaluation.classifier_training", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert not done.stderr, done.stderr
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def test_as_a_program_it_prints_json_lines(tmp_path: Path) -> None:
    write_mnist(tmp_path, train=260, test=40)
    out = tmp_path / "w.safetensors"
    status, lines = call("--out", str(out), "--data-root", str(tmp_path), "--epochs", "2", "--seed", "3")
    assert status == 0
    assert lines[-2] == {"done": 512, "total": 512}
    result = lines[-1]
    assert (result["path"], result["seed"], result["epochs"], result["tested"]) == (str(out), 3, 2, 40)
    network = classifier.read(out)
    assert result["hash"] == tensors_hash(network.state_dict())
    test = data.load(DataConfig(dataset="mnist"), tmp_path, "test")
    assert result["accuracy"] == accuracy(network, test)
    assert list(tmp_path.glob(".*.tmp")) == []


def test_as_a_program_it_says_in_one_line_what_is_wrong(tmp_path: Path) -> None:
    write_mnist(tmp_path, train=260, test=40)
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(b"damaged")
    status, lines = call("--out", str(tmp_path / "w.safetensors"), "--data-root", str(tmp_path))
    assert status == 1
    assert [list(line) for line in lines] == [["error"]]
    assert "t10k-images-idx3-ubyte" in str(lines[0]["error"])
    status, lines = call("--out", "w", "--data-root", str(tmp_path), "--device", "cuda:99")
    assert status == 1
    assert "device 'cuda:99' is not on this machine" in str(lines[0]["error"])
