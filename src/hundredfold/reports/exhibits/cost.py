"""The scores of a run, and their cost: parameters, arithmetic, time and memory."""

from collections.abc import Mapping

from hundredfold import metrics, wording
from hundredfold.metrics import Metric
from hundredfold.reports.exhibit import Exhibit
from hundredfold.reports.html import Child, Markup, paragraph, table, tag
from hundredfold.reports.run_evidence import RunEvidence

TITLE = "Scores and cost"
ORDER = 20


def cost(evidence: RunEvidence) -> Exhibit:
    """List the scores with their intervals, and the cost of training and of one image."""
    scores = _scores(evidence) or paragraph("No split has been scored yet.", kind="absent")
    return Exhibit(tag("div", {"class": "pair"}, scores, _cost(evidence)))


def _scores(evidence: RunEvidence) -> Markup | None:
    splits = [split for split in ("test", "validation") if evidence.score("top_1", split)]
    rows: list[list[Child]] = []
    for name, metric in metrics.default().items():
        scores = [evidence.score(name, split) for split in splits]
        if any(scores):
            rows.append([metric.heading, *(_score(metric, score) for score in scores)])
    if not rows:
        return None
    images = [wording.count(evidence.score("top_1", split).get("n")) for split in splits]
    heads = [f"{s.capitalize()} ({n} images)" for s, n in zip(splits, images, strict=True)]
    return table(["", *heads], rows, kind="facts", caption="Scores, with 95 % intervals")


def _score(metric: Metric, score: Mapping[str, float]) -> Markup:
    bounds = metric.interval(score)
    small = "" if bounds == wording.NOTHING else tag("small", {}, bounds)
    return tag("td", {"class": "number"}, metric.text(score.get("value")), small)


def _cost(evidence: RunEvidence) -> Markup:
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


def _epochs(evidence: RunEvidence) -> str:
    ran = len(evidence.curve) or evidence.info.get("epochs")
    best = evidence.info.get("best_epoch")
    return f"{wording.count(ran)}, {wording.count(best)}"


def _device(evidence: RunEvidence) -> str:
    threads = evidence.info.get("threads")
    device = str(evidence.info.get("device") or wording.NOTHING)
    return f"{device}, {wording.plural(int(threads), 'thread')}" if threads else device
