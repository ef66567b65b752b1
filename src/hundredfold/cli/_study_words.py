"""What `hundredfold study` says: the plan, what it would cost, the verdict."""

import sys
from collections.abc import Mapping
from statistics import fmean
from typing import Any

from hundredfold import wording
from hundredfold.api.studying import Plan, Result, System, value_text
from hundredfold.cli._table import table

_STATES = ("finished", "unfinished", "missing")
_SENTENCES = 6  # at most; beyond that only those about the best variant


def say_plan(plan: Plan) -> None:
    """Say how many runs there are, and how many are still to be trained."""
    what = plan.study
    variants = len({member.label for member in plan.members})
    counts = [f"{variants} variants x {what.seeds} seeds", f"{len(plan.done)} runs finished"]
    if plan.begun:
        counts.append(f"{len(plan.begun)} to go on with")
    counts.append(f"{len(plan.missing) - len(plan.begun)} to train")
    sys.stdout.write(f"{what.title or what.name}: {', '.join(counts)}\n")
    sys.stdout.flush()


def say_estimate(cost: Mapping[str, Any]) -> None:
    """Say what `estimate` found."""
    lines = [f"  {state:<11} {one}\n" for state in _STATES for one in cost[state]]
    total = f"at most {wording.seconds(cost['seconds'])} and {wording.memory(cost['bytes'])} more\n"
    sys.stdout.write("".join(lines) + total)


def say_result(plan: Plan, result: Result) -> None:
    """Print the table of variants and what may be said of each pair."""
    found = result.comparison
    head = [found.metric, "n", "mean ± sd", "95 % interval", "seconds", "parameters"]
    rows = [_row(plan, found.metric, system) for system in found.systems]
    reference, note = plan.study.reference, ""
    if reference:
        head.append("reference")
        rows = [(*row, value_text(found.metric, reference.values.get(row[0]))) for row in rows]
        note = f"reference: {reference.source}\n"
    pairs = found.pairs if len(found.pairs) <= _SENTENCES else found.against_best()
    said = "".join(f"{pair.sentence}\n" for pair in pairs)
    sys.stdout.write(f"\n{table(head, rows)}{note}\n{said}\n{result.page}\n")


def _row(plan: Plan, metric: str, system: System) -> tuple[str, ...]:
    infos = [one.info for member, one in plan.runs.items() if member.label == system.label]
    mean, sd = value_text(metric, system.mean), system.sd
    low, high = value_text(metric, system.low), value_text(metric, system.high)
    return (
        system.label,
        str(system.n),
        mean if sd is None else f"{mean.removesuffix(' %')} ± {value_text(metric, sd)}",
        "-" if system.low is None else f"{low.removesuffix(' %')} to {high}",
        f"{fmean(info['seconds'] for info in infos):.1f}",
        f"{infos[0]['parameters']:,}",
    )
