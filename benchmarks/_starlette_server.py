"""The server's own processes behind Starlette: what the front costs is the difference.

python benchmarks/_starlette_server.py FILE PORT

Uvicorn, its protocol, decoders, workers, log and metrics are those of `hundredfold serve`.
"""

import sys
import time
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hundredfold.server import asgi, lifetime
from hundredfold.server.answers import predictions
from hundredfold.server.bodies import BadRequest, uploads
from hundredfold.server.intake import Intake
from hundredfold.server.logs import Log
from hundredfold.server.pipeline import Pipeline
from hundredfold.server.settings import Settings


class Application:
    """What `server.app.Application` is to uvicorn."""

    def __init__(self, pipeline: Pipeline, log: Log) -> None:
        settings = pipeline.settings
        self.intake = Intake(settings.max_bytes, settings.timeout)
        number = 0

        async def predict(request: Request) -> Response:
            nonlocal number
            began, number = time.perf_counter(), number + 1
            kind = request.headers.get("content-type", "").encode()
            try:
                images = uploads(kind, await request.body(), settings.queue)
                found = await pipeline.predict([image.data for image in images], 5)
                answer = predictions(images, found)
            except BadRequest as problem:
                return JSONResponse({"error": problem.message}, problem.status)
            seconds = time.perf_counter() - began
            pipeline.metrics.request("/predict", answer.status, seconds)
            log.event("request", id=number, path="/predict", status=answer.status,
                      ms=round(1000 * seconds, 1), images=answer.images)  # fmt: skip
            return Response(
                answer.body, answer.status, {"x-request-id": f"{number:08x}"}, answer.kind
            )

        self._application = Starlette(routes=[Route("/predict", predict, methods=["POST"])])

    async def __call__(self, scope, receive, send) -> None:  # type: ignore[no-untyped-def]
        await self._application(scope, receive, send)


if __name__ == "__main__":
    asgi.Application = Application  # type: ignore[assignment, misc]
    lifetime.run(
        Path(sys.argv[1]), Settings(port=int(sys.argv[2])), refresh=lambda: 0, say=lambda _url: 0
    )
