"""Counts and times of the server, in Prometheus' text format 0.0.4."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_IMAGES = (1, 2, 4, 8, 16, 32, 64, 128)
TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Histogram:
    """Counts of values up to each of the bounds, their number and their sum."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds, self.total = bounds, 0.0
        self.counts = [0] * (len(bounds) + 1)

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def lines(self, name: str) -> Iterable[str]:
        """Yield the lines of the format; the counts there are cumulative."""
        below = 0
        for bound, count in zip(self.bounds, self.counts, strict=False):
            below += count
            yield f'{name}_bucket{{le="{bound:g}"}} {below}'
        yield f'{name}_bucket{{le="+Inf"}} {sum(self.counts)}'
        yield f"{name}_sum {self.total:.6f}"
        yield f"{name}_count {sum(self.counts)}"


class Metrics:
    """What happened since the start."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, int]] = Counter()
        self._seconds = Histogram(_SECONDS)
        self._batches = Histogram(_IMAGES)
        self.images = self.refused = self.reloads = 0

    @property
    def requests(self) -> int:
        return sum(self._requests.values())

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count an answered request. route: one of the server's own; status 499: client gone."""
        self._requests[route, status] += 1
        if route == "/predict":
            self._seconds.add(seconds)

    def batch(self, images: int) -> None:
        """Count a batch that was sent to a worker."""
        self._batches.add(images)

    def text(self, gauges: Mapping[str, tuple[str, float]]) -> str:
        """Return all of it. gauges: name -> help and value at this moment."""
        lines = list(_head("requests_total", "counter", "Answered requests."))
        for (route, status), count in sorted(self._requests.items()):
            labels = f'path="{route}",status="{status}"'
            lines.append(f"hundredfold_requests_total{{{labels}}} {count}")
        for name, words, count in (
            ("images_total", "Images with a prediction.", self.images),
            ("refused_total", "Requests refused because the queue was full.", self.refused),
            ("reloads_total", "Files loaded in place of another.", self.reloads),
        ):
            lines += [*_head(name, "counter", words), f"hundredfold_{name} {count}"]
        for name, (words, value) in gauges.items():
            lines += [*_head(name, "gauge", words), f"hundredfold_{name} {value:g}"]
        lines += _head("predict_seconds", "histogram", "Seconds from headers to answer.")
        lines += self._seconds.lines("hundredfold_predict_seconds")
        lines += _head("batch_images", "histogram", "Images of a batch.")
        lines += self._batches.lines("hundredfold_batch_images")
        return "\n".join(lines) + "\n"


def _head(name: str, kind: str, words: str) -> Iterable[str]:
    yield f"# HELP hundredfold_{name} {words}"
    yield f"# TYPE hundredfold_{name} {kind}"
