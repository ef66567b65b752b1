"""Learning curves: loss and top-1 of the training and validation images, epoch by epoch."""

import math
from collections.abc import Sequence

from hundredfold import wording
from hundredfold.reports import _svg
from hundredfold.reports._evidence import Evidence, Exhibit
from hundredfold.reports._html import Markup, details, join, paragraph, table, tag
from hundredfold.reports._svg import Frame, Line, Scale

MARGINS = (14, 84, 40, 52)
SPLITS = (("train", 1), ("validation", 0))


def curves(evidence: Evidence) -> Exhibit:
    """Show how the run learned, and which epoch's weights were kept."""
    curve = evidence.curve
    if not curve:
        return Exhibit(
            "Learning curves",
            paragraph("No epoch is finished yet, so there is no curve.", kind="absent"),
        )
    best = evidence.info.get("best_epoch")
    figures = curve_charts(curve, best)
    body = join(
        [
            paragraph(_sentence(evidence), kind="lead"),
            tag("div", {"class": "pair"}, *figures.values()),
            details(f"The numbers of {wording.plural(len(curve), 'epoch')}", _numbers(curve, best)),
        ]
    )
    return Exhibit("Learning curves", body, figures)


def curve_charts(curve: list[dict[str, float]], best: object) -> dict[str, Markup]:
    """Return name -> drawing of top-1 and of the loss, as far as there are numbers."""
    return {
        f"curve-{metric}": _chart(curve, metric, best)
        for metric in ("top_1", "loss")
        if any(has(curve, f"{split}.{metric}") for split, _ in SPLITS)
    }


def y_scale(values: Sequence[float], metric: str) -> Scale:
    """Return a scale for shares in [0, 1], or for losses from the smallest to the largest.

    One bad epoch must not flatten all others: the top is at most 1.5 times the value that
    nine of ten stay under.
    """
    finite = sorted(v for v in values if math.isfinite(v))
    if not finite:
        return Scale(0, 1)
    high = (
        finite[-1]
        if metric != "loss"
        else min(finite[-1], 1.5 * finite[int(0.9 * (len(finite) - 1))])
    )
    low = 0.0 if metric == "loss" or finite[0] < 0.4 * high else finite[0]
    room = 0.06 * ((high - low) or 1.0)
    return Scale(max(low - room, 0.0), min(high + room, 1.0) if metric != "loss" else high + room)


def x_scale(epochs: Sequence[float]) -> Scale:
    """Return a scale over epochs; a single epoch stands in the middle."""
    low, high = min(epochs), max(epochs)
    return Scale(low, high) if high > low else Scale(low - 1, high + 1)


def y_text(metric: str) -> tuple[str, str]:
    """Return the axis' words and the unit of a metric."""
    return ("right (top-1), %", "%") if metric == "top_1" else ("loss", "")


def tick(metric: str, value: float) -> str:
    """Return a tick of the y axis: percent without the sign, or a loss."""
    return f"{round(100 * value, 1):g}" if metric == "top_1" else f"{value:g}"


def whole_ticks(scale: Scale, count: int = 6) -> list[float]:
    """Return ticks that are whole epochs."""
    return [t for t in scale.ticks(count) if t == round(t)]


def clipped(values: Sequence[float], scale: Scale) -> list[float]:
    """Return values with those beyond the frame brought to its edge."""
    return [min(max(v, scale.low), scale.high) if math.isfinite(v) else math.nan for v in values]


def column(curve: Sequence[dict[str, float]], key: str) -> list[float]:
    """Return one number an epoch; NaN where an epoch has none."""
    values = (row.get(key) for row in curve)
    return [float(v) if wording.finite(v) else math.nan for v in values]


def has(curve: Sequence[dict[str, float]], key: str) -> bool:
    """Say whether any epoch has such a number."""
    return any(math.isfinite(v) for v in column(curve, key))


def _images(parts: Sequence[tuple[str, int]]) -> str:
    return " and ".join(split.replace("train", "training") for split, _ in parts)


def _chart(curve: list[dict[str, float]], metric: str, best: object) -> Markup:
    epochs = column(curve, "epoch")
    parts = [(split, hue) for split, hue in SPLITS if has(curve, f"{split}.{metric}")]
    series = [(split, hue, column(curve, f"{split}.{metric}")) for split, hue in parts]
    scale = y_scale([v for _, _, values in series for v in values], metric)
    frame = Frame(x_scale(epochs), scale, 480, 290, MARGINS)
    label, unit = y_text(metric)
    lines = [Line(epochs, clipped(v, scale), colour, split) for split, colour, v in series]
    return _svg.drawing(
        frame.width,
        frame.height,
        f"{'Top-1' if metric == 'top_1' else 'Loss'} of {_images(parts)} images by epoch",
        _svg.axes(
            frame,
            "epoch",
            label,
            lambda v: f"{v:g}",
            lambda v: tick(metric, v),
            x_ticks=whole_ticks(frame.x),
        ),
        _best_mark(frame, best, epochs),
        _svg.curves(frame, lines),
        data={"hover": _svg.hover(frame, epochs, series, "epoch", unit)},
    )


def _best_mark(frame: Frame, best: object, epochs: list[float]) -> Markup:
    if not isinstance(best, int) or best not in epochs:
        return Markup()
    x = frame.at(best, frame.y.low)[0]
    left = x > (frame.left + frame.right) / 2
    words = _svg.text(
        x + (-6 if left else 6),
        frame.bottom - 8,
        f"kept: epoch {best}",
        "note",
        anchor="end" if left else "",
    )
    return join([_svg.path([(x, frame.top), (x, frame.bottom)], "mark"), words])


def _sentence(evidence: Evidence) -> str:
    curve, info = evidence.curve, evidence.info
    best, last = info.get("best_epoch"), int(curve[-1]["epoch"])
    took = wording.seconds(info.get("seconds", curve[-1].get("seconds")))
    ran = f"{wording.plural(last, 'epoch')} in {took}."
    row = next((r for r in curve if r.get("epoch") == best), curve[-1])
    train, validation = row.get("train.top_1"), row.get("validation.top_1")
    kept = f" Epoch {best} was kept" if best else f" At epoch {last}"
    if not wording.finite(train):
        return ran + (f"{kept}." if best else "")
    first = (
        f"{wording.percent(validation)} of the validation images right, "
        if wording.finite(validation)
        else ""
    )
    return (
        f"{ran}{kept}: {first}{wording.percent(train)} of the training images "
        f"{'' if first else 'right '}as they were seen (augmented, with weights still moving)."
    )


def _scores(row: dict[str, float], split: str) -> tuple[str, str]:
    loss, right = row.get(f"{split}.loss"), row.get(f"{split}.top_1")
    return wording.decimal(loss), wording.percent(right)


def _numbers(curve: list[dict[str, float]], best: object) -> Markup:
    parts = [split for split, _ in SPLITS if has(curve, f"{split}.loss")]
    scores = (f"{split.capitalize()} {score}" for split in parts for score in ("loss", "top-1"))
    head = ["Epoch", "Learning rate", *scores, "Seconds"]
    rows = []
    for row in curve:
        cells = [
            f"{int(row['epoch'])}{' ★' if row['epoch'] == best else ''}",
            f"{row['lr']:.3g}" if wording.finite(row.get("lr")) else wording.NOTHING,
            *(cell for split in parts for cell in _scores(row, split)),
            wording.decimal(row.get("seconds"), 1),
        ]
        rows.append(
            [
                tag("th" if not k else "td", {"class": "number"}, cell)
                for k, cell in enumerate(cells)
            ]
        )
    return table(
        head, rows, kind="numbers", caption="Each epoch; ★ is the one whose weights were kept"
    )
