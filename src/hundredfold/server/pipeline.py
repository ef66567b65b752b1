"""From the file of an image to its prediction: a bounded queue, decoders, workers, reloading."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hundredfold.errors import HundredfoldError
from hundredfold.server.decoders import Decoders
from hundredfold.server.jobs import Job, Problem, Refusal
from hundredfold.server.metrics import Metrics
from hundredfold.server.settings import Settings
from hundredfold.server.stage import Event
from hundredfold.server.stamps import stamp_of
from hundredfold.server.workers import Workers

_PATIENCE = 60.0  # seconds that an image waits at most
_BUSY = Refusal(Problem.NOT_NOW, "the server has as many images as it can hold")


class Pipeline:
    """Predict images with one ONNX file. facts: what the file says of itself, once it is loaded."""

    facts: dict[str, Any]

    def __init__(self, path: Path, settings: Settings, event: Event) -> None:
        self.path, self.settings = path, settings
        self.metrics = Metrics()
        self.facts = {}
        self.held = 0
        self._event = event
        self._decoders = Decoders(
            settings.decoder_count, settings.decode_timeout, event, self._decoded
        )
        self._workers = self._new_workers()
        self._loading = asyncio.Lock()
        self._bad: list[int] = []  # the stamp of a file that could not be loaded

    def start_early(self) -> None:
        """Start processes before there is an event loop, to load while the front does."""
        self._workers.start_early()
        self._decoders.start_early()

    async def start(self) -> None:
        """Load the file. Raises HundredfoldError where it cannot be served."""
        both = await asyncio.gather(self._workers.start(), self._decoders.start())
        self._take(both[0])

    @property
    def is_ready(self) -> bool:
        return bool(self.facts) and self._workers.alive > 0 and self._decoders.alive > 0

    async def predict(self, files: Sequence[bytes], top: int) -> list[bytes | Refusal]:
        """Return for each file its prediction as JSON, or why there is none.

        Where the queue has no room for all of them, all are refused.
        """
        if self.held + len(files) > self.settings.queue:
            self.metrics.refused += 1
            return [_BUSY] * len(files)
        loop = asyncio.get_running_loop()
        jobs = [Job(file, top, loop.create_future()) for file in files]
        self.held += len(jobs)
        try:
            for job in jobs:
                self._decoders.put(job)
            answers = [await job.answer for job in jobs]
            self.metrics.images += sum(isinstance(answer, bytes) for answer in answers)
            return answers
        finally:
            self.held -= len(jobs)
            for job in jobs:
                job.answer.cancel()  # the client may be gone before

    async def reload_if_changed(self, *, always: bool = False) -> None:
        """Load the file in place of the one that is served, where it was replaced.

        Where it cannot be loaded, the one that is served stays. always: even if it is the same.
        """
        stamp = stamp_of(self.path)
        if not always and (not stamp or stamp in (self._workers.stamp, self._bad)):
            return
        async with self._loading:
            began, workers = time.monotonic(), self._new_workers()
            try:
                facts = await workers.start()
            except HundredfoldError as error:
                self._bad = stamp
                self._event("reload_failed", reason=error.message)
                workers.end()
                return
            old, self._workers, self._bad = self._workers, workers, []
            self._take(facts)
            old.retire()
            self.metrics.reloads += 1
            self._event("reloaded", seconds=round(time.monotonic() - began, 3), **_said(facts))

    def give_up(self) -> None:
        """Refuse images that wait for too long: there may be no process that could take them."""
        for stage in (self._decoders, self._workers):
            stage.give_up(time.monotonic() - _PATIENCE)

    def end(self) -> None:
        """End all processes, whatever they do."""
        self._workers.end()
        self._decoders.end()

    def gauges(self) -> dict[str, tuple[str, float]]:
        """Return what metrics show of this moment."""
        return {
            "images_held": ("Images that are taken and not answered yet.", self.held),
            "queue_limit": ("Images that are held at most.", self.settings.queue),
            "workers_alive": ("Workers that are ready or busy.", self._workers.alive),
            "decoders_alive": ("Decoders that are ready or busy.", self._decoders.alive),
            "worker_deaths": ("Workers of this file that ended.", self._workers.deaths),
            "decoder_deaths": ("Decoders that ended.", self._decoders.deaths),
            "ready": ("Whether images are predicted.", self.is_ready),
        }

    def _new_workers(self) -> Workers:
        settings = self.settings
        return Workers(
            self.path,
            settings.worker_count,
            settings.threads,
            most=settings.max_batch,
            wait=settings.max_wait / 1000,
            event=self._event,
            metrics=self.metrics,
            successor=self._decoded,
        )

    def _take(self, facts: dict[str, Any]) -> None:
        self.facts = facts
        self._decoders.set_size(facts["size"], facts["resize"])

    def _decoded(self, job: Job) -> None:
        """Send a job to the workers; anew to the decoders if its pixels are for another network."""
        if job.is_over:
            return
        if job.shape == self._decoders.shape:
            self._workers.put(job)
        else:
            self._decoders.put(job)


def _said(facts: dict[str, Any]) -> dict[str, Any]:
    """Return what the log says of a file."""
    return {"classes": len(facts["labels"]), "size": facts["size"], "resize": facts["resize"]}
