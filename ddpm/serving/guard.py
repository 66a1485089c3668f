"""Who may ask: programs that mean this server, and no web page of another one."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("localhost", "127.0.0.1", "::1")

#: Pages are this server's own from the first byte to the last.
_HEADERS = (
    (b"content-security-policy", b"default-src 'self' 'unsafe-inline'; img-src 'self' data: blob:"),
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
)


class Guard:
    """Refuses names of this machine that are not `hosts` (None: any), by which a web page could reach a
    server bound to loopback (DNS rebinding), and requests that pages of other servers make."""

    def __init__(self, app: ASGIApp, hosts: Collection[str] | None) -> None:
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
            await send(message)

        refused = self._refused(Headers(scope=scope))
        app = self._app if refused is None else JSONResponse({"error": refused[1]}, refused[0])
        await app(scope, receive, guarded)

    def _refused(self, headers: Headers) -> tuple[int, str] | None:
        host, origin = headers.get("host", ""), headers.get("origin")
        if self._hosts is not None and _name(host) not in self._hosts:
            return 400, "this server answers to localhost, 127.0.0.1 and [::1] alone"
        if origin is not None and origin.partition("://")[2] != host:
            return 403, "pages of other servers may not ask this one"
        return None


def _name(host: str) -> str:
    """Without port and brackets; "" for what is no name."""
    try:
        parts = urlsplit(f"//{host}")
        return (parts.hostname or "") if parts.netloc == host and parts.username is None else ""
    except ValueError:
        return ""
