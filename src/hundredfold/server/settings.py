"""The settings of a server."""

from dataclasses import dataclass

from hundredfold import machine
from hundredfold.errors import UsageError

_CORES = 4  # of a worker by default; more threads help a batch of small images less and less
_MOST_DECODERS = 8


@dataclass(frozen=True)
class Settings:
    """Where a server listens, and the bounds of what it takes.

    port: 0 takes any that is free. workers: processes that infer; 0 takes one for each 4 cores.
    max_batch: images of a batch. max_wait: milliseconds in which an idle worker lets a batch fill.
    queue: images that are taken and not answered yet. token: what clients have to send; "" none.
    max_bytes: of a request. timeout: seconds in which a client sends the headers of a request, and
    again its body. decode_timeout: seconds in which an image is decoded.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 0
    max_batch: int = 32
    max_wait: float = 0.0
    queue: int = 256
    token: str = ""
    max_bytes: int = 32 * 2**20
    timeout: float = 20.0
    decode_timeout: float = 5.0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("port", 0, 65535),
            ("workers", 0, 256),
            ("max_batch", 1, 1024),
            ("max_wait", 0, 1000),
            ("queue", 1, 100_000),
            ("max_bytes", 1, 2**30),
            ("timeout", 0.1, 3600),
            ("decode_timeout", 0.1, 600),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                flag = f"--{name.replace('_', '-')}"
                raise UsageError(
                    f"{flag} {value} is out of range", remedy=f"a number from {low:g} to {high:,}"
                )
        if not (self.token.isascii() and self.token.isprintable() and " " not in self.token):
            raise UsageError("--token has characters that a header cannot carry")

    @property
    def worker_count(self) -> int:
        return self.workers or max(1, machine.cores() // _CORES)

    @property
    def threads(self) -> int:
        """Threads of a worker: all workers together take every core."""
        return max(1, machine.cores() // self.worker_count)

    @property
    def decoder_count(self) -> int:
        return max(1, min(_MOST_DECODERS, machine.cores() // 2))
