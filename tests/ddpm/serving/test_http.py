"""What clients see: answers, errors in one line, patience that ends, names that are refused."""

from __future__ import annotations

import base64
import http.client
import io
import json
import socket
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
import uvicorn
from PIL import Image

from ddpm import checkpoint
from ddpm.serving.app import create
from ddpm.serving.guard import LOOPBACK
from ddpm.serving.limits import Limits
from ddpm.serving.server import listen, settings
from ddpm.serving.service import Service
from tests.ddpm.serving.test_service import png
from tests.ddpm.test_training import run, tiny

LIMITS = Limits(count=4, side=32, header_seconds=0.5, upload_seconds=0.5, queue=8)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Of a real server in a thread."""
    directory = tmp_path_factory.mktemp("trained")
    run(tiny("training.steps=20", "training.checkpoint_every=100"), directory)
    service = Service(checkpoint.folder(directory, 20), tiny(), device="cpu", limits=LIMITS)
    listening = listen("127.0.0.1", 0)
    server = uvicorn.Server(settings(create(service, title="digits", hosts=LOOPBACK), LIMITS))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield listening.getsockname()[1]
    server.should_exit = True
    thread.join()


def ask(
    port: int, method: str, path: str, body: bytes | str = b"", **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, body, {key.replace("_", "-"): value for key, value in headers.items()})
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response, content


def test_health_says_what_can_be_asked(port: int) -> None:
    response, content = ask(port, "GET", "/health")
    found = json.loads(content)
    assert response.status == 200
    assert found["step"] == 20
    assert found["shape"] == [1, 8, 8]
    assert "colorize" not in found["tasks"]


def test_one_image_is_a_png_and_several_are_json(port: int) -> None:
    response, content = ask(port, "POST", "/generate", '{"steps": 2}')
    assert (response.status, response.getheader("content-type")) == (200, "image/png")
    one = np.asarray(Image.open(io.BytesIO(content)))
    response, content = ask(port, "POST", "/generate", '{"steps": 2, "count": 3}')
    found = json.loads(content)["images"]
    assert len(found) == 3
    first = np.asarray(Image.open(io.BytesIO(base64.b64decode(found[0]))))
    assert abs(one.astype(int) - first).max() <= 1


def test_an_image_is_restored_as_body_or_form(port: int) -> None:
    response, content = ask(port, "POST", "/restore?task=denoise&sigma=0.2&steps=2", png())
    assert (response.status, response.getheader("X-sigma")) == (200, "0.2")
    assert Image.open(io.BytesIO(content)).size == (8, 8)
    edge = "edge"
    form = (
        f'--{edge}\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'.encode()
        + png()
        + f'\r\n--{edge}\r\nContent-Disposition: form-data; name="task"\r\n\r\ndeblur\r\n'.encode()
        + f'--{edge}\r\nContent-Disposition: form-data; name="steps"\r\n\r\n2\r\n--{edge}--\r\n'.encode()
    )
    kind = f"multipart/form-data; boundary={edge}"
    response, content = ask(
        port, "POST", "/restore?degrade=true", form, Content_Type=kind, Accept="application/json"
    )
    found = json.loads(content)
    assert response.status == 200
    assert found["psnr"] is not None
    assert Image.open(io.BytesIO(base64.b64decode(found["image"]))).size == (8, 8)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("GET", "/nowhere", "", 404, "there is no /nowhere; see /docs"),
        ("GET", "/generate", "", 405, "not with this method"),
        ("POST", "/generate", '{"count": 5}', 413, "count: 5 is above 4"),
        ("POST", "/generate", "no json", 422, "the body is no JSON"),
        ("POST", "/generate", "x" * 70_000, 413, "the body is larger than"),
        ("POST", "/restore", "", 422, "there is no image"),
        ("POST", "/restore", "text", 422, "is no image"),
        ("POST", "/restore?task=denoize", "text", 422, "did you mean denoise?"),
        ("POST", "/restore?sigma=1&sigma=2", "text", 422, "sigma: given twice"),
        ("POST", "/restore?mask=/etc/passwd", "text", 422, "mask: it is box, random, or an image"),
        ("GET", "/docs/../../secret", "", 404, "there is no"),
    ],
)
def test_errors_are_one_line(port: int, method: str, path: str, body: str, status: int, words: str) -> None:
    response, content = ask(port, method, path, body)
    assert response.status == status
    text = json.loads(content)["error"]
    assert words in text
    assert len(text.splitlines()) == 1


def test_other_names_and_pages_of_others_are_refused(port: int) -> None:
    assert ask(port, "GET", "/health", Host=f"localhost:{port}")[0].status == 200
    assert ask(port, "GET", "/health", Host="evil.example")[0].status == 400
    assert ask(port, "GET", "/health", Host=f"127.0.0.1.evil.example:{port}")[0].status == 400
    assert ask(port, "POST", "/generate", "{}", Origin="http://evil.example")[0].status == 403


def test_the_page_asks_no_other_machine(port: int) -> None:
    _, page = ask(port, "GET", "/docs")
    assert b"http://" not in page
    assert b"https://" not in page
    assert ask(port, "GET", "/docs/swagger-ui-bundle.js")[0].status == 200
    described = json.loads(ask(port, "GET", "/openapi.json")[1])
    assert set(described["paths"]) == {"/health", "/generate", "/restore"}


def test_who_never_ends_a_request_is_let_go_and_keeps_nobody_waiting(port: int) -> None:
    with (
        socket.create_connection(("127.0.0.1", port)) as slow,
        socket.create_connection(("127.0.0.1", port)) as slower,
    ):
        slow.sendall(b"POST /generate HTTP/1.1\r\nHost: localhost\r\n")
        slower.sendall(b"POST /restore HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc")
        assert ask(port, "POST", "/generate", '{"steps": 2}')[0].status == 200
        for waiting in (slow, slower):
            waiting.settimeout(10)
            told = b""
            while part := waiting.recv(4096):
                told += part
        assert b" 408 " in told
        assert b"the body was not there within" in told


def test_many_at_once_all_get_their_own(port: int) -> None:
    found: dict[int, bytes] = {}

    def work(seed: int) -> None:
        response, content = ask(port, "POST", "/generate", json.dumps({"steps": 3, "seed": seed}))
        assert response.status == 200
        found[seed] = content

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    for seed in (0, 5):
        alone = ask(port, "POST", "/generate", json.dumps({"steps": 3, "seed": seed}))[1]
        one, other = (np.asarray(Image.open(io.BytesIO(file))).astype(int) for file in (alone, found[seed]))
        assert abs(one - other).max() <= 1


def test_a_port_that_is_taken_is_told(port: int) -> None:
    from ddpm.errors import EngineError

    with pytest.raises(EngineError, match=f"--port: {port} is taken"):
        listen("127.0.0.1", port)
    with pytest.raises(EngineError, match="is no address of this machine"):
        listen("nonsense.invalid", 0)


def test_a_body_that_is_too_large_is_refused_before_it_is_sent(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(
            b"POST /restore HTTP/1.1\r\nHost: localhost\r\n"
            + f"Content-Length: {LIMITS.body_bytes + 1}\r\n\r\n".encode()
        )
        told = b""
        while part := client.recv(4096):
            told += part
    assert b" 413 " in told
    assert b"larger than" in told
