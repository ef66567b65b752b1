"""The page of a training or a study while it goes on: live.html, which renews itself from disk.

live.html is whole in itself. Beside it, live.js holds its number and a beat; the page reads it
every few seconds and reloads itself for another number. Both are replaced atomically, the page
first, so that copies by rsync renew themselves too.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files as package_files
from pathlib import Path

from hundredfold import files, metrics, wording
from hundredfold.data import Source
from hundredfold.reports import charts, epochs
from hundredfold.reports.charts import Frame, Line
from hundredfold.reports.exhibit import Exhibit, missing
from hundredfold.reports.exhibits import Section
from hundredfold.reports.exhibits.curves import curve_charts
from hundredfold.reports.html import Child, Markup, join, number, paragraph, table, tag
from hundredfold.reports.layout import page
from hundredfold.reports.run_evidence import RunEvidence
from hundredfold.run import Run, plain
from hundredfold.run.standing import Standing

PAGE, BEAT = "live.html", "live.js"
_LINES, _LONGEST_LOG = 12, 1 << 22  # of the log; bytes of a log that is read
_DRAWN = 40  # curves of a study
_STATES = {
    "waiting": "Waiting for the first files.",
    "running": "Training.",
    "done": "Done.",
    "stopped": "Stopped; it can be resumed.",
    "failed": "Failed.",
}


@dataclass(frozen=True)
class Member:
    """A training of a study on its live page. label: its variant. curve: a row an epoch."""

    label: str
    unit: str
    standing: Standing
    curve: Sequence[dict[str, float]] = ()


def write_live_run(run: Run, standing: Standing, *, number: int, every: float) -> Path:
    """Write live.html of a run; return it. number: of this page. every: seconds between looks."""
    evidence = RunEvidence(run, Source(offline=True))
    curve = [] if standing.status == "waiting" else evidence.curve
    title = run.folder.name if standing.status == "waiting" else evidence.title
    drawings = curve_charts(curve, None) if curve else {}
    body = tag("div", {"class": "pair"}, *drawings.values())
    sections = [
        Section("standing", "", _headline(standing)),
        Section("curves", "Learning curves", Exhibit(body) if curve else _no_curve()),
        Section("log", "Log", _log(run)),
    ]
    return _write(run.folder, "run", title, sections, number, every, standing.ended)


def write_live_study(
    folder: Path, title: str, members: Sequence[Member], *, number: int, every: float, ended: bool
) -> Path:
    """Write live.html of a study; return it."""
    sections = [
        Section("standing", "", _overall(members, ended)),
        Section("runs", "Runs", _members(members)),
        Section("curves", "Accuracy by epoch", _curves(members)),
    ]
    return _write(folder, "study", title, sections, number, every, ended)


def beat(folder: Path, number: int) -> None:
    """Write live.js: the number of the newest page, and the time of this beat."""
    now = round(datetime.now().timestamp())
    files.write_text(folder / BEAT, f"hundredfold({number}, {now});\n")


def _write(
    folder: Path,
    kind: str,
    title: str,
    sections: Sequence[Section],
    number: int,
    every: float,
    ended: bool,
) -> Path:
    facts = {"number": number, "every": round(1000 * every), "ended": ended}
    script = package_files("hundredfold.reports").joinpath(BEAT).read_text(encoding="utf-8")
    renewed = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
    words = "The training has ended." if ended else "This page renews itself."
    note = paragraph(f"As of {renewed}. {words}", kind="live")
    with_note = [sections[0], Section("live", "", Exhibit(note)), *sections[1:]]
    text = page(kind, folder.resolve().name, title, with_note, live=json.dumps(facts), own=script)
    files.write_text(folder / PAGE, text)
    beat(folder, number)
    return folder / PAGE


def _headline(standing: Standing) -> Exhibit:
    state = _STATES[standing.status]
    why = f" ({standing.reason})" if standing.reason else ""
    accuracy = standing.accuracy
    big = paragraph(
        tag("strong", {}, _percent(accuracy), tag("span", {"class": "unit"}, " %")),
        tag("span", {}, f"accuracy after epoch {standing.epoch}; best {_percent(standing.best)} %"),
        kind="big",
    )
    facts = [
        f"epoch {standing.epoch} of {math.ceil(standing.epochs)}",
        f"loss {standing.loss:.4f}" if math.isfinite(standing.loss) else "",
        f"{wording.seconds(standing.seconds)} of training" if standing.seconds else "",
        "" if standing.remaining is None else f"about {wording.seconds(standing.remaining)} left",
    ]
    body = [
        paragraph(f"{state[:-1]}{why}: {', '.join(filter(None, facts))}.", kind="subtitle"),
        big if math.isfinite(accuracy) else "",
        _bar(standing.progress),
    ]
    return Exhibit(join(body))


def _overall(members: Sequence[Member], ended: bool) -> Exhibit:
    counts = dict.fromkeys(("done", "running", "waiting", "stopped", "failed"), 0)
    for member in members:
        counts[member.standing.status] += 1
    states = wording.listed([f"{n:,} {status}" for status, n in counts.items() if n])
    done = sum(member.standing.progress for member in members) / max(len(members), 1)
    variants = wording.plural(len({member.label for member in members}), "variant")
    line = f"{wording.plural(len(members), 'run')} of {variants}: {states}."
    big = paragraph(
        tag("strong", {}, f"{100 * done:.0f}", tag("span", {"class": "unit"}, " %")),
        tag("span", {}, "of all epochs." if not ended else "of all epochs; the study has ended."),
        kind="big",
    )
    return Exhibit(join([paragraph(line, kind="subtitle"), big, _bar(done)]))


def _bar(share: float) -> Markup:
    fill = tag("span", {"style": f"width:{100 * min(max(share, 0.0), 1.0):.1f}%"})
    words = f"{100 * share:.0f} % of the epochs are done"
    return tag("div", {"class": "progress", "role": "img", "aria-label": words}, fill)


def _members(members: Sequence[Member]) -> Exhibit:
    head = ("Run", "Variant", "Status", "Epoch", "Accuracy, %", "Best, %", "Time", "Left")
    colours = _colours(members)
    rows = [_member(member, colours[member.label]) for member in members]
    return Exhibit(table(head, rows, kind="sortable", caption="The trainings of the study"))


def _member(member: Member, colour: int) -> list[Child]:
    now = member.standing
    of = f"{now.epoch} / {math.ceil(now.epochs)}" if now.epochs else wording.NOTHING
    left = wording.NOTHING if now.remaining is None else wording.seconds(now.remaining)
    kind = {"running": "settled", "failed": "settled"}.get(now.status, "open")
    state = tag("span", {"class": f"verdict {kind}"}, now.status)
    where = f" {now.reason}" if now.status == "running" and now.reason else ""
    name = tag("th", {"scope": "row"}, tag("i", {"class": f"swatch b{colour % 8}"}), now.name)
    return [
        name,
        f"{member.label}, {member.unit}",
        tag("td", {"title": now.reason or None}, state, where),
        number(of, sort=now.progress, bar=now.progress),
        number(_percent(now.accuracy), sort=_sortable(now.accuracy)),
        number(_percent(now.best), sort=_sortable(now.best)),
        number(wording.seconds(now.seconds), sort=now.seconds),
        number(left, sort=now.remaining),
    ]


def _curves(members: Sequence[Member]) -> Exhibit:
    """Draw the accuracy of each training by epoch, in the colour of its variant."""
    metric, colours = metrics.default()["top_1"], _colours(members)
    key = "validation.top_1"
    drawn = []
    for member in members:
        curve = member.curve
        if epochs.has(curve, key):
            drawn.append((member, epochs.column(curve, "epoch"), epochs.column(curve, key)))
    if not drawn:
        return _no_curve()
    shown = drawn[:_DRAWN]
    scale = epochs.y_scale([v for _, _, values in shown for v in values], metric)
    x_scale = epochs.x_scale([e for _, x, _ in shown for e in x])
    frame = Frame(x_scale, scale, 780, 330, (14, 150, 40, 52))
    last = {member.label: k for k, (member, _, _) in enumerate(shown)}
    lines = [
        Line(x, epochs.clipped(y, scale), colours[m.label], m.label if last[m.label] == k else "")
        for k, (m, x, y) in enumerate(shown)
    ]
    svg = charts.drawing(
        frame.width,
        frame.height,
        "Validation accuracy of each training by epoch",
        epochs.axes(frame, metric, "validation"),
        charts.curves(frame, lines),
        kind="wide",
    )
    note = f"The first {_DRAWN} of {len(drawn)} curves." if len(drawn) > _DRAWN else ""
    return Exhibit(join([charts.sideways(svg), paragraph(note, kind="quiet") if note else ""]))


def _colours(members: Sequence[Member]) -> dict[str, int]:
    labels = dict.fromkeys(member.label for member in members)
    return {label: index for index, label in enumerate(labels)}


def _log(run: Run) -> Exhibit:
    if not plain.exists(run.folder / "log.txt"):
        return missing("There is no log yet.")
    text = plain.content(run.folder, "log.txt", _LONGEST_LOG).decode(errors="replace")
    lines = "\n".join(text.splitlines()[-_LINES:])
    return Exhibit(tag("pre", {}, tag("code", {}, lines)))


def _no_curve() -> Exhibit:
    return missing("No epoch is finished yet, so there is no curve.")


def _percent(fraction: float) -> str:
    return wording.percent(fraction, 2).removesuffix(" %")


def _sortable(value: float) -> float | None:
    return value if math.isfinite(value) else None
