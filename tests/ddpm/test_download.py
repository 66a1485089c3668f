"""Downloads from a real HTTP server on this machine, by torchvision's own code."""

from __future__ import annotations

import gzip
import hashlib
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from torchvision import datasets

from ddpm import cifar, data, datafiles
from ddpm.config import DataConfig
from ddpm.data import DataError, ImageSet
from tests.ddpm.writers import cifar_like, cifar_python, mnist_like, tar_gz, write_mnist


@dataclass
class Server:
    """Serves `files` by their last name; of those in `stalling` only the first half, and then silence."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    stalling: set[str] = field(default_factory=set)
    cut_short: set[str] = field(default_factory=set)
    served: Counter[str] = field(default_factory=Counter)
    reached: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        name = request.path.rpartition("/")[2]
        content = self.files.get(name)
        if content is None:
            request.send_error(404)
            return
        self.served[name] += 1
        request.send_response(200)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        partly = name in self.stalling | self.cut_short
        try:
            request.wfile.write(content[: len(content) // 2] if partly else content)
        except OSError:  # the first of torchvision's two requests reads only the header
            return
        if name in self.stalling:
            self.reached.set()
            self.over.wait()


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.answer(self)

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{listening.server_address[1]}/"
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield state
    state.over.set()
    listening.shutdown()
    thread.join()
    listening.server_close()


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


@pytest.fixture
def mnist(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The server has a small MNIST and a small Fashion-MNIST, and torchvision knows their checksums."""
    write_mnist(tmp_path / "served", ".gz")
    server.files = {path.name: path.read_bytes() for path in (tmp_path / "served").iterdir()}
    for dataset in (datasets.MNIST, datasets.FashionMNIST):
        monkeypatch.setattr(dataset, "mirrors", [server.url])
        monkeypatch.setattr(dataset, "resources", [(name, md5(server.files[name])) for name in server.files])
    return server


@pytest.fixture
def cifar10(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    files = cifar_python(3) | {"batches.meta": b"meta"}
    archive = tar_gz(files, "cifar-10-batches-py")
    server.files = {"cifar-10-python.tar.gz": archive}
    monkeypatch.setattr(cifar, "IMAGES_PER_FILE", 3)
    monkeypatch.setattr(datasets.CIFAR10, "url", f"{server.url}cifar-10-python.tar.gz")
    monkeypatch.setattr(datasets.CIFAR10, "tgz_md5", md5(archive))
    names = [
        [name, md5(content)] for name, content in files.items() if "batch_" in name or name == "test_batch"
    ]
    monkeypatch.setattr(datasets.CIFAR10, "train_list", names[:5])
    monkeypatch.setattr(datasets.CIFAR10, "test_list", names[5:])
    monkeypatch.setattr(datasets.CIFAR10, "_load_meta", lambda _: None)
    return server


def load(root: Path, dataset: str, split: str = "train") -> ImageSet:
    return data.load(DataConfig.model_validate({"dataset": dataset}), root, split)


def names_below(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


@pytest.mark.parametrize(("dataset", "folder"), [("mnist", "MNIST"), ("fashion-mnist", "FashionMNIST")])
def test_missing_idx_sets_are_downloaded_once(
    mnist: Server, tmp_path: Path, dataset: str, folder: str
) -> None:
    root = tmp_path / "not/yet/there"
    assert np.array_equal(load(root, dataset).images[:, 0].numpy(), mnist_like(12)[0])
    assert datafiles.present(root)[dataset]
    assert names_below(root) == [
        ".download.lock",
        f"{folder}/raw/t10k-images-idx3-ubyte",
        f"{folder}/raw/t10k-labels-idx1-ubyte",
        f"{folder}/raw/train-images-idx3-ubyte",
        f"{folder}/raw/train-labels-idx1-ubyte",
    ]
    served = mnist.served.copy()
    assert len(load(root, dataset, "test").images) == 5
    assert mnist.served == served


def test_missing_test_split_is_downloaded_and_files_there_are_kept(mnist: Server, tmp_path: Path) -> None:
    root = tmp_path / "root"
    write_mnist(root / "mnist", train=3)
    for path in (root / "mnist").glob("t10k-*"):
        path.unlink()
    assert len(load(root, "mnist", "test").images) == 5
    assert (root / "mnist/train-images-idx3-ubyte").stat().st_size == 16 + 3 * 784


def test_missing_cifar10_is_downloaded(cifar10: Server, tmp_path: Path) -> None:
    assert np.array_equal(
        load(tmp_path, "cifar10").images.numpy(), cifar_like(3)[0][:5].reshape(-1, 3, 32, 32)
    )
    assert len(load(tmp_path, "cifar10", "test").images) == 3
    assert "cifar-10-batches-py/data_batch_1" in names_below(tmp_path)
    assert not (tmp_path / "cifar-10-python.tar.gz").exists()


def test_unreachable_server_is_one_line_that_says_what_to_do(
    mnist: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets.MNIST, "mirrors", ["http://127.0.0.1:9/"])  # the discard port: refused
    root = tmp_path / "root"
    with pytest.raises(DataError) as caught:
        load(root, "mnist")
    message = str(caught.value)
    assert "\n" not in message
    assert f"data set mnist is not in {root} and cannot be downloaded" in message
    assert "([Errno 111] Connection refused)" in message
    assert message.endswith(
        f"put train-images-idx3-ubyte and train-labels-idx1-ubyte (or their .gz) into {root}/MNIST/raw"
    )
    assert names_below(root) == [".download.lock"]


def test_cifar10_not_found_on_the_server(cifar10: Server, tmp_path: Path) -> None:
    cifar10.files.clear()
    with pytest.raises(
        DataError,
        match=r"cifar10 is not in .*404.*put cifar-10-binary\.tar\.gz or cifar-10-python\.tar\.gz into",
    ):
        load(tmp_path, "cifar10")


@pytest.mark.parametrize("damage", ["other bytes", "cut short"])
def test_damaged_download_is_not_kept(mnist: Server, tmp_path: Path, damage: str) -> None:
    name = "t10k-images-idx3-ubyte.gz"
    if damage == "cut short":
        mnist.cut_short.add(name)
    else:
        mnist.files[name] = gzip.compress(b"<html>log in to the guest network</html>")
    root = tmp_path / "root"
    with pytest.raises(DataError, match="corrupted"):
        load(root, "mnist")
    assert names_below(root) == [".download.lock"]


def test_silent_server_is_given_up(mnist: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ddpm import download

    monkeypatch.setattr(download, "PATIENCE", 0.3)
    mnist.stalling.add("train-images-idx3-ubyte.gz")
    start = time.monotonic()
    with pytest.raises(DataError, match="timed out"):
        load(tmp_path / "root", "mnist")
    assert time.monotonic() - start < 5


def test_root_that_cannot_be_written(mnist: Server, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        DataError, match=r"mnist is not in .*file/data and cannot be downloaded \(.*Not a dir"
    ):
        load(tmp_path / "file/data", "mnist")


def test_of_two_that_want_the_same_set_one_downloads(mnist: Server, tmp_path: Path) -> None:
    root = tmp_path / "root"
    loaded: list[ImageSet] = []
    threads = [threading.Thread(target=lambda: loaded.append(load(root, "mnist"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(images.images) for images in loaded] == [12, 12, 12]
    assert set(mnist.served.values()) == {2}  # torchvision asks once for the address, once for the file


@pytest.mark.slow
def test_killed_download_leaves_nothing_that_counts_and_the_next_one_succeeds(
    mnist: Server, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    mnist.stalling.add("t10k-labels-idx1-ubyte.gz")
    code = f"""
from pathlib import Path
from torchvision import datasets
from ddpm import data
from ddpm.config import DataConfig
datasets.MNIST.mirrors, datasets.MNIST.resources = [{mnist.url!r}], {datasets.MNIST.resources!r}
data.load(DataConfig(dataset="mnist"), Path({str(root)!r}))
"""
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    try:
        assert mnist.reached.wait(60)
        time.sleep(0.3)
    finally:
        process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not datafiles.present(root)["mnist"]
    mnist.stalling.clear()
    assert len(load(root, "mnist").images) == 12
    assert not (root / ".download").exists()
