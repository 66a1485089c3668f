"""Inception weights: a file given, found, or downloaded from a real HTTP server on this machine."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ddpm.evaluation import locating, trunk
from ddpm.evaluation import places as where
from ddpm.evaluation.places import Places
from ddpm.evaluation.progress import Progress
from ddpm.evaluation.trunk import WeightsError
from tests.ddpm.evaluation.watching import watched

CONTENT = bytes(range(256)) * 10_000  # 2.56 MB: more than one piece
PUBLISHED = f"weights-{hashlib.sha256(CONTENT).hexdigest()[:8]}.pth"


class Server:
    """Answers every request with `content`, its length told as `length`."""

    def __init__(self) -> None:
        self.content, self.length, self.status, self.requests = CONTENT, len(CONTENT), 200, 0
        state = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                state.requests += 1
                self.send_response(state.status)
                self.send_header("Content-Length", str(state.length))
                self.end_headers()
                self.wfile.write(state.content)

            def log_message(self, *_: object) -> None:
                """Stay quiet."""

        self._listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._listening.server_address[1]}/{PUBLISHED}"
        self._thread = threading.Thread(target=self._listening.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        self._listening.shutdown()
        self._thread.join()
        self._listening.server_close()


@pytest.fixture(autouse=True)
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    """Where the weights are published; nothing lies in torch.hub's folder."""
    state = Server()
    monkeypatch.setattr(trunk, "FILE", PUBLISHED)
    monkeypatch.setattr(where, "NAMES", (PUBLISHED, *where.NAMES[1:]))
    monkeypatch.setattr(trunk, "URL", state.url)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub-home"))
    yield state
    state.close()


def places(folder: Path, weights: Path | None = None) -> Places:
    return Places(folder / "data", weights, folder / "weights", folder / "references")


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != ".download.lock")


def test_a_file_that_was_given_goes_before_all_others(tmp_path: Path, server: Server) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / PUBLISHED).touch()
    given = tmp_path / "nowhere.pth"
    assert (
        locating.inception_weights(places(tmp_path, given)) == given
    )  # `trunk.read` says that it is missing
    assert server.requests == 0


@pytest.mark.parametrize("name", where.NAMES[1:])
def test_it_is_found_by_any_of_its_names(tmp_path: Path, server: Server, name: str) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / name).touch()
    assert locating.inception_weights(places(tmp_path)) == tmp_path / "weights" / name
    assert server.requests == 0


def test_downloads_of_other_tools_are_found(tmp_path: Path, server: Server) -> None:
    hub = tmp_path / "hub-home" / "hub" / "checkpoints"
    hub.mkdir(parents=True)
    (hub / PUBLISHED).touch()
    assert locating.inception_weights(places(tmp_path)) == hub / PUBLISHED
    assert server.requests == 0


def test_it_is_downloaded_once_and_told(tmp_path: Path, server: Server) -> None:
    told, found = watched(locating.obtain(places(tmp_path)))
    path = tmp_path / "weights" / PUBLISHED
    assert found == path
    assert path.read_bytes() == CONTENT
    assert told[0] == Progress(0, len(CONTENT))
    assert told[-1] == Progress(len(CONTENT), len(CONTENT))
    assert len(told) > 2
    assert left(path.parent) == [PUBLISHED]
    assert locating.inception_weights(places(tmp_path)) == path
    assert server.requests == 1


def refused(folder: Path, reason: str) -> None:
    with pytest.raises(WeightsError, match=reason) as error:
        locating.inception_weights(places(folder))
    message = str(error.value)
    assert len(message.splitlines()) == 1
    assert f"put {PUBLISHED} (from {trunk.URL}) into {folder / 'weights'}" in message
    assert "DDPM_INCEPTION" in message


def test_another_file_is_not_kept(tmp_path: Path, server: Server) -> None:
    server.content = CONTENT[::-1]
    refused(tmp_path, "another file: its SHA-256 begins [0-9a-f]{8}, not [0-9a-f]{8}")
    assert left(tmp_path / "weights") == []
    server.content = CONTENT  # mended
    assert locating.inception_weights(places(tmp_path)).read_bytes() == CONTENT


def test_a_connection_that_breaks_is_said(tmp_path: Path, server: Server) -> None:
    server.content = CONTENT[:1_500_000]
    refused(tmp_path, "the connection ended after 1,500,000 of 2,560,000 bytes")
    assert left(tmp_path / "weights") == []


def test_an_error_of_the_server_is_said(tmp_path: Path, server: Server) -> None:
    server.status = 404
    refused(tmp_path, "the server answers 404")


def test_no_network_is_said(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trunk, "URL", "http://127.0.0.1:9/weights")
    refused(tmp_path, "Connection refused")


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path, server: Server) -> None:
    (tmp_path / "weights").write_text("a file is in the way")
    with pytest.raises(WeightsError, match=r"weights: File exists"):
        locating.inception_weights(places(tmp_path))
    assert server.requests == 0


def test_whoever_leaves_half_way_leaves_nothing(tmp_path: Path, server: Server) -> None:
    work = locating.obtain(places(tmp_path))
    next(work)
    next(work)
    assert left(tmp_path / "weights") == [f".{PUBLISHED}.part"]
    work.close()
    assert left(tmp_path / "weights") == []


def test_of_two_one_downloads_and_the_other_waits(tmp_path: Path, server: Server) -> None:
    first = locating.obtain(places(tmp_path))
    next(first)
    found: list[Path] = []
    other = threading.Thread(target=lambda: found.append(locating.inception_weights(places(tmp_path))))
    other.start()
    for _ in first:
        assert not found
    other.join(20)
    assert found == [tmp_path / "weights" / PUBLISHED]
    assert server.requests == 1
