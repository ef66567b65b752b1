"""What the score cost: size, arithmetic, time and memory beside accuracy."""

from hundredfold import wording
from hundredfold.reports._evidence import Evidence, Exhibit
from hundredfold.reports._html import Child, Markup, paragraph, table, tag

SCORES = (
    ("top_1", "Top-1"),
    ("top_5", "Top-5"),
    ("coarse_top_1", "Superclass top-1"),
    ("ece", "Calibration error (ECE)"),
    ("loss", "Loss"),
)


def cost(evidence: Evidence) -> Exhibit:
    """List the scores with their intervals, and what training and one image cost."""
    scores = _scores(evidence)
    boxes = [scores] if scores else [paragraph("No split has been scored yet.", kind="absent")]
    return Exhibit("Scores and cost", tag("div", {"class": "pair"}, *boxes, _cost(evidence)))


def _scores(evidence: Evidence) -> Markup:
    splits = [s for s in ("test", "validation") if evidence.score("top_1", s)]
    rows: list[list[Child]] = []
    for metric, name in SCORES:
        found = [evidence.score(metric, split) for split in splits]
        if any(found):
            rows.append([name, *(_score(metric, score) for score in found)])
    heads = [
        f"{split.capitalize()} ({wording.count(evidence.score('top_1', split).get('n'))} images)"
        for split in splits
    ]
    return (
        table(["", *heads], rows, kind="facts", caption="Scores, with 95 % intervals")
        if rows
        else Markup()
    )


def _score(metric: str, score: object) -> Markup:
    if not isinstance(score, dict) or not score:
        return tag("td", {"class": "number"}, wording.NOTHING)
    loss = metric == "loss"
    value = wording.decimal(score.get("value")) if loss else wording.percent(score.get("value"))
    low, high = score.get("low"), score.get("high")
    bounds = f"{wording.decimal(low)}–{wording.decimal(high)}" if loss else wording.interval(score)
    known = wording.finite(low) and wording.finite(high)
    small = tag("small", {}, bounds) if known else ""
    return tag("td", {"class": "number"}, value, small)


def _cost(evidence: Evidence) -> Markup:
    info, summary, recipe = evidence.info, evidence.summary, evidence.recipe
    waiting = info.get("waiting_share")
    rows = [
        ("Parameters", wording.count(info.get("parameters", summary.get("parameters")))),
        ("Multiply-adds of one image", wording.short(info.get("macs", summary.get("macs")))),
        ("Training time", wording.seconds(info.get("seconds"))),
        ("Training images a second", wording.count(info.get("images_per_second"))),
        ("Waiting for data", wording.percent(waiting) if waiting is not None else wording.NOTHING),
        ("Epochs, and the one kept", _epochs(evidence)),
        ("Peak memory", wording.memory(info.get("peak_memory_bytes"))),
        ("Precision", str(info.get("precision") or recipe.get("precision", wording.NOTHING))),
        ("Device", _device(evidence)),
    ]
    cells = [[name, tag("td", {"class": "number"}, value)] for name, value in rows]
    return table(["", ""], cells, kind="facts", caption="Cost")


def _epochs(evidence: Evidence) -> str:
    ran = len(evidence.curve) or evidence.info.get("epochs")
    best = evidence.info.get("best_epoch")
    return f"{wording.count(ran)}, {wording.count(best)}"


def _device(evidence: Evidence) -> str:
    threads = evidence.info.get("threads")
    device = str(evidence.info.get("device") or wording.NOTHING)
    return f"{device}, {wording.plural(int(threads), 'thread')}" if threads else device
