"""An image on its way: the bytes of its file, then its pixels, then its answer."""

import asyncio
import time
from dataclasses import dataclass, field
from enum import Enum


class Problem(Enum):
    """Why an image has no answer; the value is the HTTP status."""

    UNREADABLE = 400
    TOO_COSTLY = 413
    FAILED = 500
    NOT_NOW = 503


@dataclass(frozen=True)
class Refusal:
    """What is answered in place of a prediction. message: one sentence for the client."""

    problem: Problem
    message: str


@dataclass(eq=False)
class Job:
    """One image of a request.

    data: bytes of its file. top: classes in the answer. pixels: once decoded, uint8 of `shape`.
    attempts: how often a process died that had it. since: when it was taken, `time.monotonic`.
    answer: the prediction as JSON without its file, or a refusal.
    """

    data: bytes
    top: int
    answer: "asyncio.Future[bytes | Refusal]"
    pixels: bytes = b""
    shape: str = ""
    attempts: int = 0
    since: float = field(default_factory=time.monotonic)

    def finish(self, answer: bytes | Refusal) -> None:
        """Give the answer, unless the client is gone."""
        if not self.answer.done():
            self.answer.set_result(answer)
        self.data = self.pixels = b""

    @property
    def is_over(self) -> bool:
        return self.answer.done()
