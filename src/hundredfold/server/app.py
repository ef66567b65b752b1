"""The ASGI application: routes, authorisation, limits; one answer for each request.

A framework would be asked for a table of nine paths; decision 23 has what it would cost.
"""

import hmac
import json
import os
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from urllib.parse import parse_qs

from hundredfold.server.answers import Answer, predictions, refused
from hundredfold.server.bodies import RETRY, BadRequest, uploads
from hundredfold.server.documents import document
from hundredfold.server.intake import Body, Intake, Receive
from hundredfold.server.logs import Log
from hundredfold.server.metrics import TYPE
from hundredfold.server.pipeline import Pipeline

Scope = dict[str, Any]
Send = Callable[[dict[str, Any]], Awaitable[None]]

TOP = 5  # classes of an answer unless ?top= says otherwise
_OPEN = ("/", "/docs", "/health", "/openapi.json", "/ready")  # without the token


class Application:
    """Answer requests from a pipeline. Nothing raised here reaches a client, or the server."""

    def __init__(self, pipeline: Pipeline, log: Log) -> None:
        self._pipeline, self._log = pipeline, log
        self._settings = pipeline.settings
        self.intake = Intake(self._settings.max_bytes, self._settings.timeout)
        self._token = b"Bearer " + self._settings.token.encode() if self._settings.token else b""
        self._prefix, self._number = os.urandom(4).hex(), 0
        self._routes: dict[str, Callable[[], Answer]] = {
            "/": partial(document, "page.html"),
            "/docs": partial(document, "docs.html"),
            "/openapi.json": partial(document, "openapi.json"),
            "/health": lambda: Answer(200, b'{"status": "alive"}'),
            "/labels": self._labels,
            "/metrics": self._metrics,
            "/ready": self._ready,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        began, self._number = time.perf_counter(), self._number + 1
        identity, path = f"{self._prefix}{self._number:08x}", scope["path"]
        known = path == "/predict" or path in self._routes
        headers = dict(scope["headers"])
        body = self.intake.body(headers, receive)
        try:
            answer = await self._answer(scope, headers, body, known)
        except BadRequest as problem:
            answer = refused(problem, identity)
        except Exception as error:
            self._log.event("internal_error", id=identity, **_where(error))
            answer = refused(BadRequest(500, "internal error", "the log has its place"), identity)
        finally:
            body.release()
        await _send(answer, identity, body, send)
        seconds, route = time.perf_counter() - began, path if known else "other"
        self._pipeline.metrics.request(route, answer.status, seconds)
        self._log.event(
            "request", id=identity, path=route, status=answer.status,
            ms=round(1000 * seconds, 1), images=answer.images,
        )  # fmt: skip

    async def _answer(
        self, scope: Scope, headers: dict[bytes, bytes], body: Body, known: bool
    ) -> Answer:
        path, method = scope["path"], scope["method"]
        if not known:
            raise BadRequest(404, "there is no such path", "/docs lists them")
        allowed = ("POST",) if path == "/predict" else ("GET", "HEAD")
        if method not in allowed:
            names = ", ".join(allowed)
            raise BadRequest(405, f"{path} takes {allowed[0]} only", headers={"allow": names})
        sent = headers.get(b"authorization", b"")
        if self._token and path not in _OPEN and not hmac.compare_digest(sent, self._token):
            raise BadRequest(
                401,
                "a token is needed",
                "send the header Authorization: Bearer TOKEN",
                headers={"www-authenticate": "Bearer"},
            )
        if path == "/predict":
            return await self._predict(scope, headers, body)
        return self._routes[path]()

    async def _predict(self, scope: Scope, headers: dict[bytes, bytes], body: Body) -> Answer:
        top = _top(scope["query_string"])
        if self._pipeline.held >= self._settings.queue:  # before its body is read
            self._pipeline.metrics.refused += 1
            raise BadRequest(503, "the server is full", "send it again", headers=RETRY)
        sent = await body.read()
        images = uploads(headers.get(b"content-type", b""), sent, self._settings.queue)
        answers = await self._pipeline.predict([image.data for image in images], top)
        return predictions(images, answers)

    def _ready(self) -> Answer:
        if self._pipeline.is_ready:
            return Answer(200, b'{"status": "ready"}')
        return Answer(503, b'{"status": "not ready"}', headers=RETRY)

    def _labels(self) -> Answer:
        facts = self._pipeline.facts
        if not facts:
            raise BadRequest(503, "the file is not loaded yet", headers=RETRY)
        return Answer(200, json.dumps({"labels": facts["labels"]}).encode())

    def _metrics(self) -> Answer:
        text = self._pipeline.metrics.text(self._pipeline.gauges())
        return Answer(200, text.encode(), TYPE)


def _top(query: bytes) -> int:
    """Return how many classes are asked for. Raises BadRequest."""
    if not query:
        return TOP
    try:
        values = parse_qs(query.decode("ascii"), max_num_fields=10).get("top", [str(TOP)])
    except ValueError:
        raise BadRequest(400, "the query cannot be read") from None
    text = values[-1]
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:6]) <= 10_000):
        raise BadRequest(400, "top is no whole number from 1 to 10,000")
    return int(text[:6])


def _where(error: Exception) -> dict[str, Any]:
    """Return the kind of an error and its place: its text may hold what a client sent."""
    places, trace = [], error.__traceback__
    while trace is not None:
        places.append(f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}")
        trace = trace.tb_next
    return {"error": type(error).__name__, "at": places[-5:]}


async def _send(answer: Answer, identity: str, body: Body, send: Send) -> None:
    """Send a response; where the body was not read to its end, the connection closes with it."""
    headers = [
        (b"content-type", answer.kind.encode()),
        (b"content-length", str(len(answer.body)).encode()),
        (b"x-request-id", identity.encode()),
        *((name.encode(), value.encode()) for name, value in answer.headers.items()),
    ]
    closes = body.is_unread
    if closes:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": closes})
    if closes:
        await body.drain()
        await send({"type": "http.response.body", "body": b"", "more_body": False})
