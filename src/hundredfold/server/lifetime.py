"""Start, reload and end of a server.

The socket is bound and the first processes are started before the front loads what it needs
itself. SIGTERM and SIGINT end it once what it took is answered; SIGHUP loads the file anew.
"""

import asyncio
import gc
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from hundredfold import machine
from hundredfold.errors import HundredfoldError, MissingError, UsageError, pip_install
from hundredfold.server.logs import Log
from hundredfold.server.pipeline import Pipeline
from hundredfold.server.settings import Settings

_POLL = 1.0  # seconds between two looks at the file


def run(
    path: Path, settings: Settings, *, refresh: Callable[[], object], say: Callable[[str], object]
) -> dict[str, Any]:
    """Serve a file until a signal ends it; return what was done.

    refresh: renews the file, called in a thread before SIGHUP loads it anew; HundredfoldError is
    logged. say: called with the URL once the file is loaded.

    Raises UsageError where the address cannot be used, MissingError without the extra, and what
    the file cannot be loaded for.
    """
    began = time.monotonic()
    log = Log()
    with bound(settings) as listener:
        pipeline = Pipeline(path, settings, log.event)
        try:
            pipeline.start_early()
            try:
                import uvloop

                from hundredfold.server.asgi import make_server
            except ImportError as error:
                raise MissingError(
                    f"a server needs {error.name}",
                    remedy=pip_install("uvicorn", "httptools", "uvloop", "onnxruntime"),
                ) from None
            server, end_bodies = make_server(pipeline, log)
            life = _Life(pipeline, server, log, end_bodies)
            url = _url(listener)
            uvloop.run(life.live(listener, url, refresh, lambda: say(url)))
        finally:
            pipeline.end()
            log.close()
    seconds = round(time.monotonic() - began, 1)
    done = {"requests": pipeline.metrics.requests, "images": pipeline.metrics.images}
    return {"url": url, "file": str(path), "seconds": seconds, **done}


def bound(settings: Settings) -> socket.socket:
    """Return a socket at the address of the settings. Raises UsageError where that is not free."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except (OSError, UnicodeError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise UsageError(
            f"cannot listen on {settings.host}:{settings.port}: {reason}",
            remedy="another --port, 0 for any that is free, or another --host",
        ) from None
    return listener


class _Life:
    """What one server does from its start to its end."""

    def __init__(
        self, pipeline: Pipeline, server: Any, log: Log, end_bodies: Callable[[], None]
    ) -> None:
        self._pipeline, self._server, self._log = pipeline, server, log
        self._end_bodies = end_bodies
        self._renew = asyncio.Event()

    async def live(
        self,
        listener: socket.socket,
        url: str,
        refresh: Callable[[], object],
        ready: Callable[[], object],
    ) -> None:
        began = time.monotonic()
        self._handle_signals()
        serving = asyncio.create_task(self._server.serve(sockets=[listener]))
        watching: asyncio.Task[None] | None = None
        try:
            loading = asyncio.create_task(self._pipeline.start())
            await asyncio.wait((serving, loading), return_when=asyncio.FIRST_COMPLETED)
            if loading.done():
                await loading
                facts, settings = self._pipeline.facts, self._pipeline.settings
                self._log.event(
                    "ready", url=url, seconds=round(time.monotonic() - began, 3),
                    classes=len(facts["labels"]), size=facts["size"],
                    workers=settings.worker_count, threads=settings.threads,
                )  # fmt: skip
                ready()
                gc.freeze()  # what is loaded stays, and need not be looked through
                watching = asyncio.create_task(self._watch(refresh))
            else:
                loading.cancel()
            await serving
        finally:
            self._server.should_exit = True
            if watching is not None:
                watching.cancel()
            await asyncio.wait((serving,), timeout=1)
            self._pipeline.end()
            self._log.event("ended")

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, facts: self._unexpected(facts.get("exception")))
        for number in machine.handled_signals("SIGTERM", "SIGINT"):
            loop.add_signal_handler(number, self._stop, number)
        for number in machine.handled_signals("SIGHUP"):
            loop.add_signal_handler(number, self._renew.set)

    def _unexpected(self, error: BaseException | None) -> None:
        """Log an error that nobody waits for, without its text: that may be a client's."""
        self._log.event("internal_error", error=type(error).__name__)

    def _stop(self, number: int) -> None:
        self._log.event("ending", signal=signal.Signals(number).name, held=self._pipeline.held)
        self._end_bodies()
        self._server.should_exit = True

    async def _watch(self, refresh: Callable[[], object]) -> None:
        """Load the file anew after SIGHUP, or once it was replaced; refuse what waits too long."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._renew.wait(), _POLL)
            self._pipeline.give_up()
            asked = self._renew.is_set()
            self._renew.clear()
            try:
                if asked:
                    await asyncio.to_thread(refresh)
                await self._pipeline.reload_if_changed(always=asked)
            except HundredfoldError as error:
                self._log.event("reload_failed", reason=error.message)
            except Exception as error:
                self._log.event("reload_failed", reason=type(error).__name__)


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
