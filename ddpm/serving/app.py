"""The HTTP side of a server: paths, answers, errors as {"error": "one line"}."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import fastapi_offline
from fastapi import FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException
from torch import Tensor

from ddpm.errors import EngineError
from ddpm.serving import bodies, requests
from ddpm.serving.batching import Job
from ddpm.serving.guard import Guard
from ddpm.serving.limits import Busy, Refusal
from ddpm.serving.service import Service

T = TypeVar("T")

#: Files of Swagger UI, which a package brings: the page works without the internet.
_ASSETS = Path(fastapi_offline.__file__).parent / "static"
_SWAGGER = ("swagger-ui-bundle.js", "swagger-ui.css", "favicon.png")
#: Bytes of a JSON body.
_JSON_BYTES = 65_536
#: Threads that read images, and threads that write them.
_HANDS = 2
_TYPES = ("image/png", "image/jpeg", "image/webp", "image/gif", "image/bmp", "image/tiff")

_ABOUT = """Images by a diffusion model, and images restored with it. An image alone is answered as a PNG,
or with `Accept: application/json` as JSON with the PNG in base64. Errors are `{"error": "one line"}`."""


def create(service: Service, *, title: str, hosts: Collection[str] | None) -> FastAPI:
    """The application. hosts: names it answers to, None for any. It closes the service when it ends."""
    # Two of them: what is slow to read keeps no finished image waiting.
    readers, writers = (ThreadPoolExecutor(_HANDS, name) for name in ("readers", "writers"))

    @asynccontextmanager
    async def living(_: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(service.close)
        readers.shutdown(cancel_futures=True)
        writers.shutdown(cancel_futures=True)

    app = FastAPI(
        title=title, description=_ABOUT, version="1", docs_url=None, redoc_url=None, lifespan=living,
        separate_input_output_schemas=False,
    )  # fmt: skip
    app.add_middleware(Guard, hosts=hosts)
    _add_errors(app)
    _add_docs(app, title)
    _add_work(app, service, title, readers, writers)
    return app


async def _by(threads: ThreadPoolExecutor, work: Callable[..., T], *arguments: Any) -> T:
    return await asyncio.get_running_loop().run_in_executor(threads, work, *arguments)


def _add_work(
    app: FastAPI, service: Service, title: str, readers: ThreadPoolExecutor, writers: ThreadPoolExecutor
) -> None:
    config, limits = service.config, service.limits

    @app.get("/health", summary="What this server is, and whether it has much to do")
    async def health() -> dict[str, Any]:
        return {"run": title, **service.health()}

    @app.post(
        "/generate",
        summary="Draw images",
        response_class=Response,
        responses=_answers(
            "count 1: the image; else, or with `Accept: application/json`: `images`, in base64"
        ),
        openapi_extra={
            "requestBody": {
                "content": {"application/json": {"schema": requests.generate_schema(config, limits)}}
            }
        },
    )
    async def generate(request: Request) -> Response:
        body = await bodies.read(request, limits, _JSON_BYTES)
        asked = requests.generation(body, config, limits)
        x = await _done(service.generate(asked), request)
        files = await _by(writers, service.generated, asked, x)
        if len(files) == 1 and not _wants_json(request):
            return Response(files[0], media_type="image/png")
        seed = asked.config.sampling.seed
        told = {"seed": seed, "first": asked.first, "images": [b64encode(file).decode() for file in files]}
        return JSONResponse(told)

    @app.post(
        "/restore",
        summary="Restore an image: the body is its file, or a form with `image`, `mask` and options",
        response_class=Response,
        responses=_answers("the image; sigma, PSNR and SSIM are headers, or members of the JSON"),
        openapi_extra={"parameters": requests.restore_parameters(config), "requestBody": _uploads()},
    )
    async def restore(request: Request) -> Response:
        options = request.query_params.multi_items()
        requests.restoration(options, config)  # before the image is read
        body = await bodies.read(request, limits, limits.body_bytes)
        files: dict[str, bytes] = {}
        if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
            files, fields = await bodies.parts(request, body, limits)
            body = files.pop("image", b"")
            options = [*options, *fields]
        if not body:
            raise Refusal("there is no image: it is the body, or the field `image` of a form")
        wanted = requests.restoration(options, config)
        asked = await _by(readers, service.restore, wanted, body, files.get("mask"))
        x = await _done(asked.job, request)
        file, told = await _by(writers, service.restored, asked, x)
        if _wants_json(request):
            return JSONResponse({**told, "image": b64encode(file).decode()})
        headers = {
            f"X-{key.replace('_', '-')}": f"{value:.6g}" for key, value in told.items() if value is not None
        }
        return Response(file, media_type="image/png", headers=headers)


async def _done(job: Job, request: Request) -> Tensor:
    """The images of a job; it is dropped where the client goes away."""
    away = asyncio.ensure_future(bodies.gone(request))
    done = asyncio.wrap_future(job.done)
    try:
        await asyncio.wait((away, done), return_when=asyncio.FIRST_COMPLETED)
        if not done.done() or done.cancelled():
            raise bodies.Gone
        return done.result()
    finally:
        away.cancel()
        job.leave()


def _wants_json(request: Request) -> bool:
    accepted = request.headers.get("accept", "")
    return "application/json" in accepted and "image/png" not in accepted


# -- errors -----------------------------------------------------------------------------------------


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(EngineError)
    async def refused(_: Request, error: EngineError) -> JSONResponse:
        status = error.status if isinstance(error, Refusal) else 422
        if isinstance(error, Busy):
            return _error(status, str(error), {"Retry-After": str(error.retry_after)})
        # What is left of a body is not read: the connection is of no more use.
        return _error(status, str(error), {"Connection": "close"} if status in (408, 413) else None)

    @app.exception_handler(HTTPException)
    async def known(request: Request, error: HTTPException) -> JSONResponse:
        texts = {
            404: f"there is no {request.url.path[:80]}; see /docs",
            405: "not with this method; see /docs",
        }
        return _error(error.status_code, texts.get(error.status_code, str(error.detail)), error.headers)

    @app.exception_handler(bodies.Gone)
    async def nobody(_: Request, __: Exception) -> JSONResponse:
        return _error(503, "not answered: the server ends, or nobody waits")

    @app.exception_handler(Exception)
    async def ours(_: Request, __: Exception) -> JSONResponse:
        return _error(500, "the server failed at this; its log says why")


def _error(status: int, text: str, headers: Any = None) -> JSONResponse:
    return JSONResponse({"error": " ".join(text.split())}, status, headers)


# -- documentation ----------------------------------------------------------------------------------


def _add_docs(app: FastAPI, title: str) -> None:
    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title=title,
            swagger_js_url="/docs/swagger-ui-bundle.js",
            swagger_css_url="/docs/swagger-ui.css",
            swagger_favicon_url="/docs/favicon.png",
            swagger_ui_parameters={"validatorUrl": None},
        )

    @app.get("/docs/{name}", include_in_schema=False)
    async def asset(name: str) -> FileResponse:
        if name not in _SWAGGER:
            raise HTTPException(404)
        return FileResponse(_ASSETS / name)


def _answers(description: str) -> dict[int | str, dict[str, Any]]:
    error = {"application/json": {"schema": {"type": "object", "properties": {"error": {"type": "string"}}}}}
    image = {"image/png": {"schema": {"type": "string", "format": "binary"}}, "application/json": {}}
    return {
        200: {"description": description, "content": image},
        413: {"description": "larger than this server takes", "content": error},
        422: {"description": "not what can be done, and why", "content": error},
        503: {"description": "too many requests are waiting; see Retry-After", "content": error},
    }


def _uploads() -> dict[str, Any]:
    file = {"type": "string", "format": "binary"}
    form = {"type": "object", "properties": {"image": file, "mask": file}, "required": ["image"]}
    content = {kind: {"schema": file} for kind in _TYPES} | {"multipart/form-data": {"schema": form}}
    return {"required": True, "content": content}
