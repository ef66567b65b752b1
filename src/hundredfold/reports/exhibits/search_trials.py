"""Every trial of a search: a line through its options to its accuracy, and a table."""

from collections.abc import Mapping, Sequence
from typing import Any

from hundredfold import wording
from hundredfold.reports import charts
from hundredfold.reports.charts import Scale
from hundredfold.reports.exhibit import Exhibit, missing
from hundredfold.reports.html import Child, Markup, details, join, number, paragraph, table, tag
from hundredfold.reports.search_marks import drawn_last, style, text_of
from hundredfold.reports.study_evidence import StudyEvidence

TITLE = "What was tried"
ORDER = 12
NEEDS = "search.json"

_GAP, _HEIGHT, _TOP, _BOTTOM = 130, 300, 44, 24  # pixels; the gap between two axes
_LEFT, _RIGHT = 64, 96
_LONGEST = 14  # letters of a choice beside its axis

Axis = tuple[str, Scale, Sequence[str]]  # name, scale, and the choices in their order


def search_trials(study: StudyEvidence) -> Exhibit:
    """Draw the options of all trials as parallel coordinates, and list the trials."""
    space, trials = study.search.get("space") or [], study.trials
    if not trials or not space:
        return missing("A trial appears here once it has begun.")
    drawing = _coordinates(study.search, space, trials)
    lead = (
        "A line is a trial, through its options to its validation accuracy: orange is the best "
        "trial, green the untuned recipe, blue a finished one, grey one that was stopped early."
    )
    listed = details("All trials as a table", _table(space, trials))
    return Exhibit(
        join([paragraph(lead, kind="lead"), charts.sideways(drawing), listed]),
        {"trials": drawing},
    )


def _coordinates(
    search: Mapping[str, Any],
    space: Sequence[Mapping[str, Any]],
    trials: Sequence[Mapping[str, Any]],
) -> Markup:
    axes: list[Axis] = [_axis(dimension) for dimension in space]
    reached = [_accuracy(t) for t in trials if wording.finite(_accuracy(t))]
    if reached:
        room = 0.05 * ((max(reached) - min(reached)) or 0.01)
        axes.append(("accuracy, %", Scale(min(reached) - room, max(reached) + room), ()))
    width = _LEFT + _GAP * (len(axes) - 1) + _RIGHT
    ranked = sorted(trials, key=lambda trial: drawn_last(search, trial))
    looks = {trial["number"]: style(search, trial) for trial in trials}
    lines = [_line(axes, space, t, looks[t["number"]], bool(reached)) for t in ranked]
    drawn = [_drawn(axis, index) for index, axis in enumerate(axes)]
    words = f"The options and the accuracy of {wording.plural(len(trials), 'trial')}"
    return charts.drawing(width, _HEIGHT, words, *lines, *drawn, kind="wide")


def _axis(dimension: Mapping[str, Any]) -> Axis:
    name = str(dimension["option"])
    if choices := dimension.get("choices"):
        return name, Scale(0, max(len(choices) - 1, 1)), [str(choice) for choice in choices]
    low, high = float(dimension["low"]), float(dimension["high"])
    return name, Scale(low, high, logarithmic=bool(dimension.get("log")) and low > 0), ()


def _drawn(axis: Axis, index: int) -> Markup:
    """Draw an axis: its name above, its ends, ticks or choices beside it."""
    name, scale, choices = axis
    x = _LEFT + _GAP * index
    field, _, option = name.partition(".")
    parts: list[Child] = [charts.path([(x, _TOP), (x, _HEIGHT - _BOTTOM)], "axis")]
    parts.append(charts.text(x, 14, option or field, "name", anchor="middle"))
    if option:
        parts.append(charts.text(x, 28, field, "tick", anchor="middle"))
    for value, words in _ticks(scale, choices, percent=name == "accuracy, %"):
        y = _at(scale, value)
        parts.append(charts.path([(x - 3, y), (x + 3, y)], "axis"))
        parts.append(charts.text(x - 7, y + 4, words, "tick", anchor="end"))
    return tag("g", {}, *parts)


def _ticks(scale: Scale, choices: Sequence[str], *, percent: bool) -> list[tuple[float, str]]:
    if choices:
        return [(float(k), choice[:_LONGEST]) for k, choice in enumerate(choices)]
    if percent:
        return [(v, f"{round(100 * v, 1):g}") for v in scale.ticks()]
    ticks = scale.ticks(4)
    return [(v, text_of(v)) for v in ticks]


def _line(
    axes: Sequence[Axis],
    space: Sequence[Mapping[str, Any]],
    trial: Mapping[str, Any],
    look: str,
    scored: bool,
) -> Markup:
    points = []
    for index, dimension in enumerate(space):
        _, scale, choices = axes[index]
        value = trial["values"].get(dimension["option"])
        place = _place(value, choices)
        y = _at(scale, place) if place is not None else float("nan")
        points.append((_LEFT + _GAP * index, y))
    if scored:
        value = _accuracy(trial)
        y = _at(axes[-1][1], float(value)) if wording.finite(value) else float("nan")
        points.append((_LEFT + _GAP * len(space), y))
    line = charts.path(points, f"line {look}")
    return tag("g", {}, tag("title", {}, _hint(trial)), line)


def _place(value: Any, choices: Sequence[str]) -> float | None:
    if choices:
        return float(choices.index(str(value))) if str(value) in choices else None
    return float(value) if wording.finite(value) else None


def _at(scale: Scale, value: float) -> float:
    height = _HEIGHT - _TOP - _BOTTOM
    return _HEIGHT - _BOTTOM - min(max(scale.fraction(value), -0.02), 1.02) * height


def _accuracy(trial: Mapping[str, Any]) -> Any:
    score = trial.get("score")
    return trial.get("accuracy") if score is None else score


def _hint(trial: Mapping[str, Any]) -> str:
    options = ", ".join(f"{key} = {text_of(value)}" for key, value in trial["values"].items())
    return f"trial {trial['number']}: {wording.percent(_accuracy(trial))}; {options}"


def _table(space: Sequence[Mapping[str, Any]], trials: Sequence[Mapping[str, Any]]) -> Markup:
    names = [str(dimension["option"]) for dimension in space]
    head = ["Trial", *names, "Accuracy, %", "State", "Seconds"]
    rows: list[list[Child]] = []
    for trial in trials:
        value, seconds = _accuracy(trial), trial.get("seconds")
        state = trial["state"]
        if state == "stopped" and trial.get("epochs"):
            state = f"stopped after epoch {trial['epochs']}"
        rows.append(
            [
                str(trial["number"]),
                *(number(text_of(trial["values"].get(name))) for name in names),
                number(wording.percent(value, 2).removesuffix(" %"), sort=value),
                tag("td", {"title": trial.get("reason") or None}, state),
                number(wording.seconds(seconds), sort=seconds),
            ]
        )
    return table(head, rows, kind="sortable", caption="All trials of the search")
