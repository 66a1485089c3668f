"""Bodies of requests: read whole, up to a size, within a time; and clients that go away meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from ddpm.serving.limits import Limits, NoTime, Refusal, TooMuch

_FIELDS = 64


class Gone(Exception):
    """The client closed its connection."""


async def read(request: Request, limits: Limits, most: int) -> bytes:
    """The body, of at most so many bytes. Raises Refusal where it is larger or slow, Gone."""
    told = request.headers.get("content-length", "")
    if told.isdecimal() and int(told) > most:
        raise _too_large(most)
    found = bytearray()
    try:
        async with asyncio.timeout(limits.upload_seconds):
            while True:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise Gone
                found += message.get("body", b"")
                if len(found) > most:
                    raise _too_large(most)
                if not message.get("more_body", False):
                    return bytes(found)
    except TimeoutError:
        raise NoTime(f"the body was not there within {limits.upload_seconds:g} s") from None


async def parts(
    request: Request, body: bytes, limits: Limits
) -> tuple[dict[str, bytes], list[tuple[str, str]]]:
    """Files by their fields' names, and the other fields, of a multipart body. Raises Refusal."""

    async def stream() -> AsyncGenerator[bytes, None]:
        yield body

    parser = MultiPartParser(request.headers, stream(), max_files=2, max_fields=_FIELDS)
    parser.spool_max_size = limits.body_bytes  # nothing of a client's is written to disk
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError) as error:
        raise Refusal(f"the multipart body cannot be read: {' '.join(str(error).split())[:200]}") from None
    files: dict[str, bytes] = {}
    fields: list[tuple[str, str]] = []
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            files[name] = await value.read()
        else:
            fields.append((name, value))
    await form.close()
    return files, fields


async def gone(request: Request) -> None:
    """Returns when the client has gone away; the body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _too_large(most: int) -> TooMuch:
    return TooMuch(f"the body is larger than {most:,} bytes")
