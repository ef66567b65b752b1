"""The application on uvicorn, with the project's own protocol, signals and log."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import uvicorn

from hundredfold.server import protocol
from hundredfold.server.app import Application
from hundredfold.server.logs import Log
from hundredfold.server.pipeline import Pipeline

_KEEP_ALIVE = 30  # seconds that a connection may wait for its next request
_END = 8  # seconds in which requests are answered after SIGTERM
_BACKLOG = 2048


class Server(uvicorn.Server):  # type: ignore[misc]
    """A server that leaves signals to its caller."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def make_server(pipeline: Pipeline, log: Log) -> tuple[Server, Callable[[], None]]:
    """Return a server of a pipeline, and what gives unfinished bodies a last moment."""
    _take_files()
    logger = logging.getLogger("uvicorn.error")
    logger.handlers, logger.propagate = [logging.NullHandler()], False  # texts of clients
    application = Application(pipeline, log)
    config = uvicorn.Config(
        application,
        http=protocol.of(pipeline.settings.timeout),
        loop="none",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=_END,
        backlog=_BACKLOG,
    )
    return Server(config), application.intake.end


def _take_files() -> None:
    """Allow as many open files as the system grants: each connection is one."""
    try:
        import resource
    except ImportError:  # Windows
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * protocol.MOST_CONNECTIONS
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
