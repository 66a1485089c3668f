"""Clients that leave, that never read, and those who wait when the server ends."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ddpm import checkpoint
from ddpm.serving.app import create
from ddpm.serving.guard import LOOPBACK
from ddpm.serving.limits import Limits
from ddpm.serving.server import _Server, listen, settings
from ddpm.serving.service import Service
from tests.ddpm.serving.test_http import ask
from tests.ddpm.serving.test_service import counting
from tests.ddpm.test_training import run, tiny

LIMITS = Limits(count=64, side=32, download_seconds=0.5, queue=8)
#: A request of some seconds.
LONG = json.dumps({"count": 64, "sampler": "ddpm", "steps": 1000})


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("trained")
    run(tiny("training.steps=20", "training.checkpoint_every=100"), directory)
    return checkpoint.folder(directory, 20)


class Running:
    """A real server in a thread."""

    def __init__(self, trained: Path) -> None:
        config = tiny("diffusion.timesteps=1000")
        self.service = Service(trained, config, device="cpu", limits=LIMITS)
        listening = listen("127.0.0.1", 0)
        self.port = listening.getsockname()[1]
        app = create(self.service, title="digits", hosts=LOOPBACK)
        self.server = _Server(settings(app, LIMITS), self.service, "told")
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [listening]})
        self.thread.start()
        until(lambda: self.server.started)

    def end(self) -> None:
        self.server.should_exit = True
        self.thread.join(30)
        assert not self.thread.is_alive()


@pytest.fixture
def running(trained: Path) -> Iterator[Running]:
    found = Running(trained)
    yield found
    found.end()


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.01)


def post(port: int, path: str, body: str) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=20)
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    client.sendall((head + body).encode())
    return client


def test_the_work_of_a_client_that_goes_away_is_dropped(running: Running) -> None:
    sizes = counting(running.service)
    client = post(running.port, "/generate", LONG)
    until(lambda: len(sizes) > 3)
    client.close()
    until(lambda: len(running.service._batching) == 0)
    time.sleep(0.2)
    before = len(sizes)
    time.sleep(0.3)
    assert len(sizes) == before


def test_who_never_reads_is_let_go_and_keeps_nobody_waiting(running: Running) -> None:
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.connect(("127.0.0.1", running.port))
    with slow:
        slow.sendall(b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n")
        until(lambda: running.server.server_state.connections)
        assert ask(running.port, "POST", "/generate", '{"steps": 2}')[0].status == 200
        until(lambda: not running.server.server_state.connections)
    assert not running.server.server_state.tasks


def test_short_requests_are_answered_while_long_ones_are_computed(running: Running) -> None:
    long = [post(running.port, "/generate", LONG) for _ in range(4)]
    until(lambda: len(running.service._batching) == 4)
    assert ask(running.port, "POST", "/generate", '{"steps": 3}')[0].status == 200
    assert json.loads(ask(running.port, "GET", "/health")[1])["queue"] == 4
    for client in long:
        client.close()


def test_a_full_queue_says_when_to_come_again(running: Running) -> None:
    waiting = [post(running.port, "/generate", LONG) for _ in range(LIMITS.queue)]
    until(lambda: len(running.service._batching) == LIMITS.queue)
    response, content = ask(running.port, "POST", "/generate", '{"steps": 3}')
    assert response.status == 503
    assert int(response.getheader("Retry-After") or 0) >= 1
    assert "too many requests are waiting" in json.loads(content)["error"]
    for client in waiting:
        client.close()


def test_who_waits_when_the_server_ends_is_told(trained: Path) -> None:
    running = Running(trained)
    with post(running.port, "/generate", LONG) as client:
        until(lambda: len(running.service._batching) == 1)
        running.end()
        told = client.recv(4096)
    assert b" 503 " in told
    assert b"the server ends" in told
