"""The output of `hundredfold study`: the plan, its cost, the verdict."""

import sys
from collections.abc import Mapping
from statistics import fmean
from typing import Any

from hundredfold import wording
from hundredfold.api.studying import Plan, Result, System, cross_validated, value_text
from hundredfold.cli._table import table

_STATES = ("finished", "unfinished", "missing")
_SENTENCES = 6  # with more pairs, only those of the best variant are printed


def say_plan(plan: Plan) -> None:
    """Print how many runs are finished, and how many remain to be trained."""
    study = plan.study
    variants = len({member.label for member in plan.members})
    folds = f" x {study.folds} folds" if study.folds else ""
    counts = [
        f"{variants} variants x {study.seeds} seeds{folds}",
        f"{len(plan.done)} runs finished",
    ]
    if plan.begun:
        counts.append(f"{len(plan.begun)} to resume")
    counts.append(f"{len(plan.missing) - len(plan.begun)} to train")
    sys.stdout.write(f"{study.title or study.name}: {', '.join(counts)}\n")
    reasons = {one.label: one.reason for one in plan.left_out}
    sys.stdout.writelines(f"left out {label}: {reason}\n" for label, reason in reasons.items())
    sys.stdout.flush()


def say_estimate(cost: Mapping[str, Any]) -> None:
    """Print the result of `estimate`."""
    lines = [f"  {state:<11} {folder}\n" for state in _STATES for folder in cost[state]]
    total = f"at most {wording.seconds(cost['seconds'])} and {wording.memory(cost['bytes'])} more\n"
    sys.stdout.write("".join(lines) + total)


def say_result(plan: Plan, result: Result) -> None:
    """Print the table of variants, and the verdict on each pair."""
    comparison = result.comparison
    head = [comparison.metric, "n", "mean ± sd", "95 % interval", "seconds", "parameters"]
    rows = [_row(plan, comparison.metric, system) for system in comparison.systems]
    reference, note = plan.study.reference, ""
    if reference:
        head.append("reference")
        rows = [(*row, value_text(comparison.metric, reference.values.get(row[0]))) for row in rows]
        note = f"reference: {reference.source}\n"
    pairs = comparison.pairs if len(comparison.pairs) <= _SENTENCES else comparison.against_best()
    sentences = "".join(f"{pair.sentence}\n" for pair in pairs)
    entries = cross_validated(plan.study, plan.runs)
    over_all = "".join(_over_all(plan.study.metric, entry) for entry in entries)
    sys.stdout.write(f"\n{table(head, rows)}{note}{over_all}\n{sentences}\n{result.page}\n")


def _over_all(metric: str, entry: Mapping[str, Any]) -> str:
    """Return a line with a variant's score over all images, each scored by one fold."""
    value, low, high = (value_text(metric, entry[key]) for key in ("value", "low", "high"))
    return (
        f"{entry['label']}, seed {entry['seed']}: {value} over all {entry['n']:,} images "
        f"(95 % interval {low} to {high})\n"
    )


def _row(plan: Plan, metric: str, system: System) -> tuple[str, ...]:
    infos = [run.info for member, run in plan.runs.items() if member.label == system.label]
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
