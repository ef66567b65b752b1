"""Charts over epochs: the common code of the learning curves of runs and studies."""

import math
from collections.abc import Iterable, Sequence

from hundredfold import metrics, wording
from hundredfold.metrics import Metric
from hundredfold.reports import charts
from hundredfold.reports.charts import Frame, Scale
from hundredfold.reports.html import Markup

Curve = Sequence[dict[str, float]]
MARGINS = (14, 84, 40, 52)
SPLITS = ("train", "validation")


def column(curve: Curve, key: str) -> list[float]:
    """Return one number per epoch; NaN where an epoch has none."""
    values = (row.get(key) for row in curve)
    return [float(v) if wording.finite(v) else math.nan for v in values]


def has(curve: Curve, key: str) -> bool:
    """Return whether any epoch has a number of this key."""
    return any(math.isfinite(v) for v in column(curve, key))


def watched(curves: Iterable[Curve]) -> list[Metric]:
    """Return the metrics that any epoch has, in the order of tables."""
    keys = {key for curve in curves for row in curve for key in row}
    return [m for m in metrics.default().values() if any(f"{s}.{m.name}" in keys for s in SPLITS)]


def x_scale(epochs: Sequence[float]) -> Scale:
    """Return a scale over epochs; a single epoch is in the middle."""
    low, high = min(epochs), max(epochs)
    return Scale(low, high) if high > low else Scale(low - 1, high + 1)


def y_scale(values: Sequence[float], metric: Metric) -> Scale:
    """Return a scale that contains the values of a metric, within the metric's range.

    If the metric has no largest value, the top is at most 1.5 times the 90th percentile, so
    that one bad epoch does not flatten all others.
    """
    finite = sorted(v for v in values if math.isfinite(v))
    if not finite:
        return Scale(0, 1)
    least, most = metric.range
    high = finite[-1]
    if most is None:
        high, most = min(high, 1.5 * finite[int(0.9 * (len(finite) - 1))]), math.inf
    low = least if not metric.percent or finite[0] < 0.4 * high else finite[0]
    room = 0.06 * ((high - low) or 1.0)
    return Scale(max(low - room, least), min(high + room, most))


def clipped(values: Sequence[float], scale: Scale) -> list[float]:
    """Return the values clipped to a scale; values that are not finite become NaN."""
    return [min(max(v, scale.low), scale.high) if math.isfinite(v) else math.nan for v in values]


def axes(frame: Frame, metric: Metric, split: str = "") -> Markup:
    """Return the grid and labels of a chart of a metric over whole epochs."""
    label = f"{split} {metric.title}{', %' if metric.percent else ''}".strip()
    return charts.axes(
        frame,
        "epoch",
        label,
        lambda epoch: f"{epoch:g}",
        lambda value: f"{round(100 * value, 1):g}" if metric.percent else f"{value:g}",
        x_ticks=[tick for tick in frame.x.ticks(6) if tick == round(tick)],
    )
