"""Every pair of variants: the difference, its interval, and the verdict."""

from typing import Any

from hundredfold import wording
from hundredfold.reports import charts
from hundredfold.reports.charts import Frame, Scale
from hundredfold.reports.exhibit import Exhibit, missing
from hundredfold.reports.html import Child, Markup, join, paragraph, table, tag
from hundredfold.reports.study_evidence import StudyEvidence

TITLE = "Paired differences"
ORDER = 20

MOST = 28  # pairs in the drawing: all those of eight variants
Pair = dict[str, Any]


def differences(study: StudyEvidence) -> Exhibit:
    """Draw the paired differences with their intervals, and list them in a table."""
    pairs: list[Pair] = study.comparison.get("pairs", [])
    if not pairs:
        return missing("A study of one variant has no differences to show.")
    svg = _forest(study, pairs[:MOST])
    lead = (
        f"Each difference is between runs of the same {study.units}. Grey pairs are not "
        "distinguishable: their interval contains zero, or their p value, corrected for all pairs, "
        "is too large."
    )
    return Exhibit(
        join([paragraph(lead, kind="lead"), charts.sideways(svg), _table(study, pairs)]),
        {"differences": svg},
    )


def _forest(study: StudyEvidence, pairs: list[Pair]) -> Markup:
    names = [f"{pair['first']} − {pair['second']}" for pair in pairs]
    left = min(max(map(len, names)) * 6.6, 320) + 24
    frame = Frame(
        _scale(pairs), charts.row_scale(len(pairs)), 780, 56 + 28 * len(pairs), (10, 20, 40, left)
    )
    rows = [
        _row(frame, k, pair, name) for k, (pair, name) in enumerate(zip(pairs, names, strict=True))
    ]
    zero = frame.at(0, 0)[0]
    label = f"difference in {study.metric_words}{', points' if study.unit else ''}"
    return charts.drawing(
        frame.width,
        frame.height,
        "Paired differences between variants, with 95 % intervals",
        charts.row_axes(frame, label, percent=study.percent),
        charts.path([(zero, frame.top), (zero, frame.bottom)], "mark"),
        *rows,
        kind="wide",
    )


def _scale(pairs: list[Pair]) -> Scale:
    """Return a scale with zero and all differences; intervals over three times that are clipped."""
    centre = max(abs(pair["difference"]) for pair in pairs) or 0.01
    ends = [abs(pair[k]) for pair in pairs for k in ("low", "high") if pair.get(k) is not None]
    reach = min(max(ends, default=centre), 3 * centre)
    lows = [max(_end(pair, "low"), -reach) for pair in pairs]
    highs = [min(_end(pair, "high"), reach) for pair in pairs]
    low, high = min(0.0, *lows), max(0.0, *highs)
    pad = 0.06 * (high - low)
    return Scale(low - pad, high + pad)


def _end(pair: Pair, side: str) -> float:
    """Return an end of the interval, or the difference if there is no interval."""
    return float(pair["difference"] if pair.get(side) is None else pair[side])


def _row(frame: Frame, row: int, pair: Pair, name: str) -> Markup:
    x, y = frame.at(pair["difference"], row)
    settled = pair["verdict"] in ("better", "worse")
    hue = "c0" if settled else "c3"
    parts: list[Child] = [
        charts.text(frame.left - 12, y + 4, name, "" if settled else "tick", anchor="end")
    ]
    if pair.get("low") is not None and pair.get("high") is not None:
        ends = [
            (frame.at(min(max(pair[k], frame.x.low), frame.x.high), row)[0], y)
            for k in ("low", "high")
        ]
        parts.append(charts.path(ends, f"line {hue}"))
    parts.append(charts.circle(x, y, 4.5, f"dot fill {hue}", str(pair["sentence"])))
    return tag("g", {}, *parts)


def _table(study: StudyEvidence, pairs: list[Pair]) -> Markup:
    head = [
        "Pair",
        f"Difference{', points' if study.unit else ''}",
        "95 % interval",
        "p (Holm)",
        "Seeds",
        "Verdict",
    ]
    rows: list[list[Child]] = []
    for pair in pairs:
        cells = (
            _amount(study, pair["difference"]),
            f"{_amount(study, pair.get('low'))} to {_amount(study, pair.get('high'))}"
            if pair.get("low") is not None
            else wording.NOTHING,
            f"{pair['p_holm']:.2g}" if pair.get("p_holm") is not None else wording.NOTHING,
            f"{pair['seeds']}" + (" (images)" if pair.get("basis") == "images" else ""),
        )
        verdict = str(pair["verdict"])
        kind = "settled" if verdict in ("better", "worse") else "open"
        rows.append(
            [
                f"{pair['first']} − {pair['second']}",
                *(tag("td", {"class": "number"}, cell) for cell in cells),
                tag("td", {}, tag("span", {"class": f"verdict {kind}"}, verdict)),
            ]
        )
    return table(head, rows, caption="All pairs; p values are Holm's over all of them")


def _amount(study: StudyEvidence, value: Any) -> str:
    if not wording.finite(value):
        return wording.NOTHING
    return wording.points(value, 2) if study.unit else f"{value:+.4g}".replace("-", "−")
