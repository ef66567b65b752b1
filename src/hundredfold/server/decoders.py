"""The stage that decodes: a few small files at a time, or one that is not small."""

import json
from collections.abc import Callable

from hundredfold.server.channel import Blob
from hundredfold.server.children import Child
from hundredfold.server.jobs import Job, Problem, Refusal
from hundredfold.server.stage import Event, Stage

_FILES, _SMALL = 16, 64 * 2**10  # files of one message, and their bytes together


class Decoders(Stage):
    """Decode files. decoded: called with each job that has pixels.

    size, resize: of the network, as in `data.decode`; they may change while jobs wait.
    """

    name = "decoder"
    attempts = 3

    def __init__(
        self, count: int, seconds: float, event: Event, decoded: Callable[[Job], None]
    ) -> None:
        super().__init__(count, seconds, event)
        self.size, self.resize = "", ""  # not known until a worker has loaded the file
        self._decoded = decoded

    def set_size(self, size: str, resize: str) -> None:
        """Decode for a network from now on."""
        self.size, self.resize = size, resize
        self.feed()

    def feed(self) -> None:
        if self.size:
            super().feed()

    def start_child(self) -> Child:
        return Child("hundredfold.server.decoder")

    def take(self) -> list[Job]:
        """Take files as long as they are small: one that is not keeps a process for a while.

        One over which a process may have died goes alone, so that it alone is blamed.
        """
        jobs = [self.waiting.popleft()]
        room = 0 if jobs[0].attempts else _SMALL - len(jobs[0].data)
        while self.waiting and len(jobs) < _FILES and self._fits(self.waiting[0], room):
            room -= len(self.waiting[0].data)
            jobs.append(self.waiting.popleft())
        return jobs

    @staticmethod
    def _fits(job: Job, room: int) -> bool:
        return len(job.data) <= room and not job.attempts

    def message(self, jobs: list[Job]) -> list[Blob]:
        for job in jobs:
            job.shape = self.shape
        how = json.dumps({"size": self.size, "resize": self.resize}).encode()
        return [how, *(job.data for job in jobs)]

    @property
    def shape(self) -> str:
        """What pixels are decoded for: another network may need others of the same file."""
        return f"{self.size} {self.resize}"

    def done(self, job: Job, word: str, payload: memoryview) -> None:
        if word == "pixels":
            job.pixels = bytes(payload)
            self._decoded(job)
        else:
            job.finish(Refusal(Problem.UNREADABLE, str(payload, "utf-8")))

    def overdue(self) -> Refusal:
        return Refusal(Problem.TOO_COSTLY, f"the image takes over {self.deadline:g} s to decode")

    def deadly(self) -> Refusal:
        return Refusal(Problem.UNREADABLE, "the image cannot be decoded: the decoder ended on it")
