"""What a search found: its own score beside that of fresh seeds, its verdict, what it cost."""

from collections.abc import Mapping
from typing import Any

from hundredfold import wording
from hundredfold.reports.exhibit import Exhibit, missing
from hundredfold.reports.html import Child, Markup, join, number, paragraph, table, tag
from hundredfold.reports.search_marks import text_of
from hundredfold.reports.study_evidence import StudyEvidence

TITLE = "The search"
ORDER = 10
NEEDS = "search.json"

_WH = 3600.0  # joules


def search(study: StudyEvidence) -> Exhibit:
    """Say what the search found, which options, and how much time and energy it took."""
    stored, trials = study.search, study.trials
    if not trials:
        return missing("The search has no trial yet.")
    result = stored.get("result") or {}
    sentences = [tag("li", {}, text) for text in result.get("sentences") or ()]
    body = [
        paragraph(_about(stored, trials), kind="lead"),
        tag("ul", {"class": "verdicts"}, *sentences) if sentences else "",
        _options(stored, trials, result) if result else _unfinished(stored),
        paragraph(_honesty(), kind="quiet") if result else "",
    ]
    return Exhibit(join(body))


def _about(stored: Mapping[str, Any], trials: list[dict[str, Any]]) -> str:
    counts = dict.fromkeys(("done", "stopped", "failed", "running"), 0)
    for trial in trials:
        counts[trial["state"]] += 1
    words = {"done": "trained to the end", "stopped": "stopped early"}
    states = wording.listed([f"{n} {words.get(s, s)}" for s, n in counts.items() if n])
    trained = sum(float(trial.get("seconds") or 0.0) for trial in trials)
    return (
        f"{wording.plural(len(trials), 'trial')}: {states}. Everything took "
        f"{wording.seconds(stored.get('spent'))}, the trials alone {wording.seconds(trained)}"
        f"{_energy(stored)}."
    )


def _energy(stored: Mapping[str, Any]) -> str:
    """Return the energy as text; "" where no counter could be read."""
    joules = {name: value for name, value in (stored.get("energy") or {}).items() if value > 0}
    names = {"processor": "the processors", "gpu": "the GPUs"}
    parts = [f"{names.get(n, n)} {value / _WH:.3g} Wh" for n, value in joules.items()]
    return f"; meanwhile this machine's counters saw {wording.listed(parts)}" if parts else ""


def _options(
    stored: Mapping[str, Any], trials: list[dict[str, Any]], result: Mapping[str, Any]
) -> Markup:
    """Show the winner's options beside those of the untuned recipe and the bounds."""
    winner: dict[str, Any] = next((t for t in trials if t["number"] == result.get("winner")), {})
    untuned = stored.get("untuned") or {}
    rows: list[list[Child]] = [
        [
            tag("code", {}, dimension["option"]),
            number(text_of((winner.get("values") or {}).get(dimension["option"]))),
            number(text_of(untuned.get(dimension["option"]))),
            number(_bounds(dimension)),
        ]
        for dimension in stored.get("space") or ()
    ]
    head = ("Option", f"Tuned: trial {result.get('winner')}", "Untuned", "Searched")
    return table(head, rows, caption="The options of the winner")


def _bounds(dimension: Mapping[str, Any]) -> str:
    if choices := dimension.get("choices"):
        return ", ".join(map(str, choices))
    log = ", logarithmic" if dimension.get("log") else ""
    return f"{text_of(dimension.get('low'))} to {text_of(dimension.get('high'))}{log}"


def _unfinished(stored: Mapping[str, Any]) -> Markup:
    words = "The search still goes on" if stored.get("status") == "searching" else "It is compared"
    return paragraph(f"{words}; the same command continues it.", kind="absent")


def _honesty() -> str:
    return (
        "The score by which a search chooses is the largest of many, so it is too good on average. "
        "Fresh seeds chose nothing. All of this is on validation images; the test split is unread."
    )
