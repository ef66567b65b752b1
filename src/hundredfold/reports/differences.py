"""Every pair of variants: how far apart, with the interval, and whether that may be said."""

from typing import Any

from hundredfold import wording
from hundredfold.reports import _svg
from hundredfold.reports._evidence import Exhibit, StudyEvidence
from hundredfold.reports._html import Child, Markup, join, paragraph, table, tag
from hundredfold.reports._study import metric_words, row_axes, row_scale, unit
from hundredfold.reports._svg import Frame, Scale

MOST = 28  # rows in the drawing: all pairs of eight variants
Pair = dict[str, Any]


def differences(study: StudyEvidence) -> Exhibit:
    """Draw the paired differences with their intervals, and list them in words."""
    title = "Paired differences"
    pairs: list[Pair] = study.comparison.get("pairs", [])
    if not pairs:
        words = "A study of one variant has no differences to show."
        return Exhibit(title, paragraph(words, kind="absent"))
    svg = _forest(study, pairs[:MOST])
    lead = (
        "Seeds are paired: each difference is between runs of the same seed. Grey pairs are not "
        "distinguishable: their interval holds zero, or would among so many comparisons."
    )
    return Exhibit(
        title,
        join([paragraph(lead, kind="lead"), _svg.sideways(svg), _table(study, pairs)]),
        {"differences": svg},
    )


def _forest(study: StudyEvidence, pairs: list[Pair]) -> Markup:
    names = [f"{pair['first']} − {pair['second']}" for pair in pairs]
    left = min(max(map(len, names)) * 6.6, 320) + 24
    frame = Frame(
        _scale(pairs), row_scale(len(pairs)), 780, 56 + 28 * len(pairs), (10, 20, 40, left)
    )
    rows = [
        _row(frame, k, pair, name) for k, (pair, name) in enumerate(zip(pairs, names, strict=True))
    ]
    zero = frame.at(0, 0)[0]
    label = f"difference in {metric_words(study.metric)}{', points' if unit(study) else ''}"
    return _svg.drawing(
        frame.width,
        frame.height,
        "Paired differences between variants, with 95 % intervals",
        row_axes(frame, label, share=bool(unit(study))),
        _svg.path([(zero, frame.top), (zero, frame.bottom)], "mark"),
        *rows,
        kind="wide",
    )


def _scale(pairs: list[Pair]) -> Scale:
    """Hold all differences and zero; an interval wider than thrice that runs off the edge."""
    centre = max(abs(pair["difference"]) for pair in pairs) or 0.01
    ends = [abs(pair[k]) for pair in pairs for k in ("low", "high") if pair.get(k) is not None]
    reach = min(max(ends, default=centre), 3 * centre)
    low = min(
        [
            0.0,
            *(
                max(pair["low"] if pair.get("low") is not None else pair["difference"], -reach)
                for pair in pairs
            ),
        ]
    )
    high = max(
        [
            0.0,
            *(
                min(pair["high"] if pair.get("high") is not None else pair["difference"], reach)
                for pair in pairs
            ),
        ]
    )
    pad = 0.06 * (high - low)
    return Scale(low - pad, high + pad)


def _row(frame: Frame, row: int, pair: Pair, name: str) -> Markup:
    x, y = frame.at(pair["difference"], row)
    settled = pair["verdict"] in ("better", "worse")
    hue = "c0" if settled else "c3"
    parts: list[Child] = [
        _svg.text(frame.left - 12, y + 4, name, "" if settled else "tick", anchor="end")
    ]
    if pair.get("low") is not None and pair.get("high") is not None:
        ends = [
            (frame.at(min(max(pair[k], frame.x.low), frame.x.high), row)[0], y)
            for k in ("low", "high")
        ]
        parts.append(_svg.path(ends, f"line {hue}"))
    parts.append(_svg.circle(x, y, 4.5, f"dot fill {hue}", str(pair["sentence"])))
    return tag("g", {}, *parts)


def _table(study: StudyEvidence, pairs: list[Pair]) -> Markup:
    head = [
        "Pair",
        f"Difference{', points' if unit(study) else ''}",
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
    return wording.points(value, 2) if unit(study) else f"{value:+.4g}".replace("-", "−")
