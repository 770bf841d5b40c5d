"""The page and its questions over HTTP, for one person on this machine.

Nothing but JSON goes in and out of ``/api``. The page may load nothing from anywhere else (Content-Security-Policy). Only
requests to ``127.0.0.1`` or ``localhost`` are answered, so that no page of the web can reach the server under a name of
its own (DNS rebinding).
"""

from __future__ import annotations

import logging
import sys
import traceback
from asyncio import CancelledError
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import uvicorn
from h11 import LocalProtocolError
from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from anyorder.errors import AnyOrderError
from anyorder.playground.replies import reply
from anyorder.playground.scene import Scenes
from anyorder.playground.wire import AgentRequest, AnswerRequest, EpisodeRequest, complaint

RequestT = TypeVar("RequestT", bound=BaseModel)

HOST = "127.0.0.1"
MOST_BYTES = 2_000_000
PAGE = Path(str(files("anyorder.playground"))) / "page"
SHARED = Path(str(files("anyorder.pages"))) / "assets"
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


def application(scenes: Scenes, about: dict[str, Any]) -> Starlette:
    """The server.

    Args:
        scenes: the episodes, with the model that is asked.
        about: what the page offers, plain values; see `anyorder.playground.about`.
    """
    drawn = ThreadPoolExecutor(1).submit(scenes.pictures)  # often done before the page is loaded

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(scenes.close)

    def episode(request: EpisodeRequest) -> dict[str, Any]:
        return scenes.scene(request.source).to_json()

    def answer(request: AnswerRequest) -> dict[str, Any]:
        return reply(scenes.scene(request.source), request)

    def agent(request: AgentRequest) -> dict[str, Any]:
        return scenes.scene(request.source).next_action(request.roles, request.rebuilds)

    return Starlette(
        routes=[
            Route("/", lambda request: FileResponse(PAGE / "index.html")),
            Route("/api/about", lambda request: JSONResponse(about)),
            Route("/api/atlas", lambda request: JSONResponse(drawn.result())),
            Route("/api/episode", _endpoint(EpisodeRequest, episode), methods=["POST"]),
            Route("/api/answer", _endpoint(AnswerRequest, answer), methods=["POST"]),
            Route("/api/agent", _endpoint(AgentRequest, agent), methods=["POST"]),
            Mount("/page", StaticFiles(directory=PAGE)),
            Mount("/shared", StaticFiles(directory=SHARED)),
        ],
        lifespan=lifespan,
        middleware=[Middleware(_Headers), Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])],
    )


def web_server(app: Starlette) -> uvicorn.Server:
    """The server that runs the application. It prints no traceback for a client that leaves or breaks the protocol, nor when it
    is stopped in the middle of an answer."""
    config = uvicorn.Config(app, http="h11", log_level="warning", access_log=False, timeout_graceful_shutdown=1)
    logging.getLogger("uvicorn.error").addFilter(_somebody_listens)
    return uvicorn.Server(config)


def _somebody_listens(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, (CancelledError, LocalProtocolError))


def _endpoint(kind: type[RequestT], answer: Callable[[RequestT], dict[str, Any]]) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint: a checked request in, plain values out; whatever is wrong comes back as one sentence."""

    async def endpoint(request: Request) -> Response:
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return _error("the content-type of a request must be application/json; found another", 415)
        body = bytearray()
        try:
            async for chunk in request.stream():
                body += chunk
                if len(body) > MOST_BYTES:
                    return _error(f"a request must have at most {MOST_BYTES:,} bytes; found more", 413)
        except ClientDisconnect:
            return _error("the whole request must arrive; found its end missing", 400)  # nobody is there to read this
        try:
            asked = kind.model_validate_json(bytes(body))
            return JSONResponse(await run_in_threadpool(answer, asked))
        except ValidationError as error:
            return _error(complaint(error), 422)
        except AnyOrderError as error:
            return _error(str(error), 400)
        except Exception as error:  # a bug: the terminal gets the traceback, the page a sentence
            traceback.print_exc(file=sys.stderr)
            return _error(f"the server failed ({type(error).__name__}: {error}); its terminal says more", 500)

    return endpoint


def _error(sentence: str, status: int) -> JSONResponse:
    return JSONResponse({"error": sentence}, status)


class _Headers:
    """Adds `HEADERS` to every response."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self.app(scope, receive, send_with_headers)
