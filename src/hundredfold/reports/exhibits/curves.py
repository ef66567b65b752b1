"""Learning curves: the metrics of the training and validation images, epoch by epoch."""

from hundredfold import wording
from hundredfold.metrics import Metric
from hundredfold.reports import charts, epochs
from hundredfold.reports.charts import Frame, Line
from hundredfold.reports.exhibit import Exhibit, missing
from hundredfold.reports.html import Markup, details, join, paragraph, table, tag
from hundredfold.reports.run_evidence import RunEvidence

TITLE = "Learning curves"
ORDER = 10

COLOURS = {"train": 1, "validation": 0}


def curves(evidence: RunEvidence) -> Exhibit:
    """Show the learning curves, and the epoch whose weights were kept."""
    curve = evidence.curve
    if not curve and evidence.info.get("status") == "done":
        return missing("The head was fitted to features at once, so there is no curve.")
    if not curve:
        return missing("No epoch is finished yet, so there is no curve.")
    best = evidence.info.get("best_epoch")
    figures = curve_charts(curve, best)
    summary = f"The numbers of {wording.plural(len(curve), 'epoch')}"
    body = join(
        [
            paragraph(_sentence(evidence), kind="lead"),
            tag("div", {"class": "pair"}, *figures.values()),
            details(summary, _numbers(curve, best)),
        ]
    )
    return Exhibit(body, figures)


def curve_charts(curve: list[dict[str, float]], best: object) -> dict[str, Markup]:
    """Return name -> drawing of each metric that the curve has."""
    metrics = epochs.watched([curve])
    return {f"curve-{metric.name}": _chart(curve, metric, best) for metric in metrics}


def _sentence(evidence: RunEvidence) -> str:
    curve, info = evidence.curve, evidence.info
    best, last = info.get("best_epoch"), int(curve[-1]["epoch"])
    took = wording.seconds(info.get("seconds", curve[-1].get("seconds")))
    ran = f"{wording.plural(last, 'epoch')} in {took}."
    kept = f"Epoch {best} was kept" if best else f"At epoch {last}"
    row = next((r for r in curve if r.get("epoch") == best), curve[-1])
    reached = _reached(row)
    if not reached:
        return f"{ran} {kept}." if best else ran
    return f"{ran} {kept}: accuracy {', '.join(reached)}."


def _reached(row: dict[str, float]) -> list[str]:
    """Return the accuracies of an epoch as phrases, validation first."""
    validation, train = row.get("validation.top_1"), row.get("train.top_1")
    accuracies = []
    if wording.finite(validation):
        accuracies.append(f"{wording.percent(validation)} on the validation images")
    if wording.finite(train):
        augmented = "augmented, while the weights were still changing"
        accuracies.append(f"{wording.percent(train)} on the training images ({augmented})")
    return accuracies


def _chart(curve: list[dict[str, float]], metric: Metric, best: object) -> Markup:
    x = epochs.column(curve, "epoch")
    splits = [split for split in epochs.SPLITS if epochs.has(curve, f"{split}.{metric.name}")]
    series = [(s, COLOURS[s], epochs.column(curve, f"{s}.{metric.name}")) for s in splits]
    scale = epochs.y_scale([v for _, _, values in series for v in values], metric)
    frame = Frame(epochs.x_scale(x), scale, 480, 290, epochs.MARGINS)
    lines = [Line(x, epochs.clipped(v, scale), colour, split) for split, colour, v in series]
    images = " and ".join(splits).replace("train", "training")
    return charts.drawing(
        frame.width,
        frame.height,
        f"{metric.heading} of {images} images by epoch",
        epochs.axes(frame, metric),
        _best_mark(frame, best, x),
        charts.curves(frame, lines),
        data={"hover": charts.hover(frame, x, series, "epoch", "%" if metric.percent else "")},
    )


def _best_mark(frame: Frame, best: object, x: list[float]) -> Markup:
    if not isinstance(best, int) or best not in x:
        return Markup()
    pixel = frame.at(best, frame.y.low)[0]
    left = pixel > (frame.left + frame.right) / 2
    words = charts.text(
        pixel + (-6 if left else 6),
        frame.bottom - 8,
        f"kept: epoch {best}",
        "note",
        anchor="end" if left else "",
    )
    return join([charts.path([(pixel, frame.top), (pixel, frame.bottom)], "mark"), words])


def _numbers(curve: list[dict[str, float]], best: object) -> Markup:
    columns = [
        (f"{split}.{metric.name}", f"{split.capitalize()} {metric.title}", metric)
        for split in epochs.SPLITS
        for metric in epochs.watched([curve])
        if epochs.has(curve, f"{split}.{metric.name}")
    ]
    rows = []
    for row in curve:
        cells = [
            f"{int(row['epoch'])}{' ★' if row['epoch'] == best else ''}",
            f"{row['lr']:.3g}" if wording.finite(row.get("lr")) else wording.NOTHING,
            *(metric.text(row.get(key)) for key, _, metric in columns),
            wording.decimal(row.get("seconds"), 1),
        ]
        names = ["th", *["td"] * (len(cells) - 1)]
        pairs = zip(names, cells, strict=True)
        rows.append([tag(name, {"class": "number"}, cell) for name, cell in pairs])
    head = ["Epoch", "Learning rate", *(heading for _, heading, _ in columns), "Seconds"]
    caption = "Each epoch; ★ is the one whose weights were kept"
    return table(head, rows, kind="numbers", caption=caption)
