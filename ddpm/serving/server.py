"""The server as a process: `python -m ddpm.serving CHECKPOINT CONFIG.toml` until Ctrl-C or SIGTERM.

Prints the address on one line of standard output once it answers; what goes wrong before is one line on
standard error and exit status 1. `ddpm-tui serve` runs it.
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import ipaddress
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from ddpm import configfiles
from ddpm.errors import EngineError
from ddpm.serving.app import create
from ddpm.serving.guard import LOOPBACK
from ddpm.serving.limits import Limits
from ddpm.serving.service import Service

_HEADER_BYTES = 16_384
_KEEP_ALIVE, _LAST_WORDS = 5, 10  # seconds


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve as the command line says; the exit status."""
    args = _parser().parse_args(arguments)
    try:
        return _serve(args)
    except (EngineError, configfiles.ConfigError) as error:
        print(f"{args.program}: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    own = Limits()
    parser = argparse.ArgumentParser(
        prog="python -m ddpm.serving", description="Serve a checkpoint over HTTP."
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("config", type=Path, help="the run's config.toml")
    parser.add_argument("--name", help="what the model is called (default: the end of the checkpoint's path)")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--max-count", type=int, default=own.count)
    parser.add_argument("--max-side", type=int, default=own.side)
    parser.add_argument("--max-queue", type=int, default=own.queue)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--batch-window", type=float, default=5.0, help="milliseconds")
    parser.add_argument("--program", default="ddpm.serving", help=argparse.SUPPRESS)
    return parser


def _serve(args: argparse.Namespace) -> int:
    listening = listen(args.host, args.port)
    limits = Limits(args.max_count, args.max_side, args.max_queue)
    service = Service(
        args.checkpoint,
        configfiles.load(args.config),
        device=args.device,
        batch_size=args.batch_size,
        window=args.batch_window / 1000,
        limits=limits,
    )
    name = args.name or service.origin
    address = listening.getsockname()
    own = {*LOOPBACK, address[0], args.host.lower()}
    hosts = own if ipaddress.ip_address(address[0]).is_loopback else None
    app = create(service, title=name, hosts=hosts)
    for number in (signal.SIGINT, signal.SIGTERM):  # uvicorn raises what it caught again, at its end
        signal.signal(number, lambda *_: None)
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    server = _Server(settings(app, limits), service, f"{name} is served at http://{host}:{address[1]}")
    server.run(sockets=[listening])
    return 0 if server.started else 1


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to the address. Raises EngineError where it cannot be."""
    if not 0 <= port < 2**16:  # the system would take its last 16 bits
        raise EngineError(f"--port: {port} is not between 0 and 65535")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, OverflowError, UnicodeError):
        raise EngineError(f"--host: {host!r} is no address of this machine") from None
    family, kind, protocol, _, address = found[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(128)
    except OSError as error:
        bound.close()
        raise EngineError(_why_not(error, host, port)) from None
    return bound


def _why_not(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"--port: {port} is taken; choose another, or 0 for any that is free"
    if error.errno == errno.EACCES:
        return f"--port: {port} needs more rights; choose one from 1024 on"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"--host: {host!r} is no address of this machine"
    return f"{host}:{port} cannot be served at: {error.strerror}"


def settings(app: Any, limits: Limits) -> uvicorn.Config:
    """One process, HTTP/1.1, small headers, patience that ends."""

    class Protocol(Impatient):
        header_seconds, download_seconds = limits.header_seconds, limits.download_seconds

    return uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=limits.connections,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=_LAST_WORDS,
        h11_max_incomplete_event_size=_HEADER_BYTES,
    )


class _Server(uvicorn.Server):
    """Says where it is once it answers, and keeps nobody waiting at its end."""

    def __init__(self, config: uvicorn.Config, service: Service, told: str) -> None:
        super().__init__(config)
        self._service, self._told = service, told

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(f"{self._told} (its page: /docs; Ctrl-C ends it)", flush=True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await asyncio.to_thread(self._service.close)  # who waits is told so
        await super().shutdown(sockets)


class Impatient(H11Protocol):
    """uvicorn's, and who never ends its headers, or never takes its answer, is let go."""

    header_seconds = 10.0
    download_seconds = 60.0
    _headers_due: asyncio.TimerHandle | None = None
    _taken_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_headers()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._cancel()
        elif self._headers_due is None:
            self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel()
        self._cancel_taken()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._taken_due = self.loop.call_later(self.download_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        self._cancel_taken()
        super().resume_writing()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():  # once all is taken
            self.loop.call_later(self.download_seconds, self.transport.abort)

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self.loop.call_later(self.download_seconds, self.transport.abort)

    def _await_headers(self) -> None:
        self._headers_due = self.loop.call_later(self.header_seconds, self.transport.abort)

    def _cancel_taken(self) -> None:
        if self._taken_due is not None:
            self._taken_due.cancel()
            self._taken_due = None

    def _cancel(self) -> None:
        if self._headers_due is not None:
            self._headers_due.cancel()
            self._headers_due = None
