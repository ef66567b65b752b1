"""Score against cost of training and inference: up and to the left is better."""

from collections.abc import Callable

from hundredfold import wording
from hundredfold.reports import charts
from hundredfold.reports.charts import Frame, Scale
from hundredfold.reports.exhibit import Exhibit, missing
from hundredfold.reports.html import Child, Markup, join, paragraph, tag
from hundredfold.reports.study_evidence import StudyEvidence, mean

TITLE = "Accuracy against cost"
ORDER = 40

TIMES = (1, 3, 10, 30, 60, 180, 600, 1800, 3600, 10800, 36000, 86400, 259200, 864000)


def _clock(value: float) -> str:
    for unit_seconds, word in ((86400, "d"), (3600, "h"), (60, "min")):
        if value >= unit_seconds:
            return f"{value / unit_seconds:g} {word}"
    return f"{value:g} s"


COSTS: tuple[tuple[str, str, Callable[[float], str]], ...] = (
    ("seconds", "training time", _clock),
    ("macs", "multiply-adds of an image", wording.short),
)


def tradeoff(study: StudyEvidence) -> Exhibit:
    """Plot each run's score against training time and against the size of the network."""
    figures = {
        f"cost-{key}": chart
        for key, words, text in COSTS
        if (chart := _chart(study, key, words, text))
    }
    if not figures:
        return missing("The runs of the study do not differ in their recorded costs.")
    lead = (
        "Small dots are runs, large ones the means of variants; costs are on a logarithmic scale."
    )
    body = join([paragraph(lead, kind="lead"), tag("div", {"class": "pair"}, *figures.values())])
    return Exhibit(body, figures)


def _chart(
    study: StudyEvidence, key: str, words: str, text: Callable[[float], str]
) -> Markup | None:
    spots = [
        (m.label, float(cost), study.values[m.label][m.unit])
        for m in study.members
        if m.unit in study.values[m.label]
        and wording.finite(cost := m.evidence.info.get(key, m.evidence.summary.get(key)))
        and cost > 0
    ]
    costs = [cost for _, cost, _ in spots]
    if not spots or max(costs) <= 1.02 * min(costs):
        return None
    values = [value for _, _, value in spots]
    room = 0.12 * ((max(values) - min(values)) or 0.01)
    frame = Frame(
        Scale(min(costs) / 1.5, max(costs) * 1.5, logarithmic=True),
        Scale(min(values) - room, max(values) + room),
        480, 300, (16, 20, 40, 52),
    )  # fmt: skip
    times = [t for t in TIMES if frame.x.low <= t <= frame.x.high]
    ticks = times if key == "seconds" and len(times) > 1 else None
    return charts.drawing(
        frame.width,
        frame.height,
        f"{study.metric_words} against {words}",
        charts.axes(
            frame,
            words,
            study.metric_words + (", %" if study.percent else ""),
            text,
            lambda v: f"{round(100 * v, 2):g}" if study.percent else f"{v:g}",
            x_ticks=ticks,
        ),
        _dots(study, frame, spots),
    )


def _dots(study: StudyEvidence, frame: Frame, spots: list[tuple[str, float, float]]) -> Markup:
    parts: list[Child] = []
    for label, cost, value in spots:
        hint = f"{label}: {study.text(value)}"
        parts.append(
            charts.circle(
                *frame.at(cost, value), 3, f"pale fill {charts.colour(study.colour(label))}", hint
            )
        )
    for label in dict.fromkeys(label for label, _, _ in spots):
        own = [(cost, value) for name, cost, value in spots if name == label]
        x, y = frame.at(mean([c for c, _ in own]) or 1, mean([v for _, v in own]) or 0)
        hue = charts.colour(study.colour(label))
        wide = len(label) * 6.8
        before = x + 10 + wide > frame.width
        parts.append(charts.circle(x, y, 6, f"dot fill {hue}", label))
        parts.append(
            charts.text(
                x + (-10 if before else 10),
                y - 7,
                label,
                f"name fill {hue}",
                anchor="end" if before else "",
            )
        )
    return tag("g", {}, *parts)
