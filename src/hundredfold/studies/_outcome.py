"""What a study has: finished runs, their comparison, and its files."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hundredfold import files, metrics, run
from hundredfold.comparison import Comparison, compare
from hundredfold.errors import HundredfoldError, UsageError
from hundredfold.run import Run
from hundredfold.studies._definition import Member, Study


@dataclass(frozen=True)
class LeftOut:
    """A member that is not compared, and why."""

    label: str
    seed: int
    reason: str
    run: str = ""


def find(
    wanted: Iterable[Member], out: Path, digests: Mapping[str, str]
) -> tuple[dict[Member, Run], dict[Member, Run]]:
    """Return which members have a finished run in a folder, and which an unfinished one.

    digests: a recipe's data ("cifar100") -> the digest of those data.

    A run belongs to a member when recipe and data have the same digests; the newest counts.
    """
    runs: dict[tuple[str, str], list[tuple[bool, str, Run]]] = {}
    for one in run.all_runs(out):
        try:
            key = (one.recipe.digest, str(one.info["data"]["digest"]))
            order = (one.info["status"] == "done", str(one.info.get("finished", "")), one)
        except (HundredfoldError, KeyError, TypeError):
            continue  # a run of another version, or one whose files are damaged
        runs.setdefault(key, []).append(order)
    done: dict[Member, Run] = {}
    begun: dict[Member, Run] = {}
    for member in wanted:
        places = runs.get((member.recipe.digest, digests[str(member.recipe.data)]), [])
        if places:
            finished, _, one = max(places, key=lambda place: place[:2])
            (done if finished else begun)[member] = one
    return done, begun


def conclude(
    study: Study, folder: Path, runs: Mapping[Member, Run], left_out: Sequence[LeftOut] = ()
) -> Comparison:
    """Compare finished runs; write study.toml, study.json and comparison.json into a folder.

    Compared are the test scores where every run has been evaluated on the test split, else
    the validation scores.

    Raises UsageError where no run can be compared.
    """
    tested = bool(runs) and all(f"test.{study.metric}" in one.scores for one in runs.values())
    key = f"{'test' if tested else 'validation'}.{study.metric}"
    kept = {member: one for member, one in runs.items() if key in one.scores}
    lacking = (
        LeftOut(member.label, member.seed, _why_not(one, key), one.name)
        for member, one in runs.items()
        if member not in kept
    )
    absent = [*left_out, *lacking]
    if not kept:
        raise UsageError(
            f"the study {study.name!r} has no run to compare",
            found="; ".join(f"{o.label}, seed {o.seed}: {o.reason}" for o in absent[:3]) or None,
            remedy=_to_open(runs),
        )
    found = _compared(study, key, kept)
    folder.mkdir(parents=True, exist_ok=True)
    if study.file:
        files.write_text(folder / "study.toml", Path(study.file).read_text(encoding="utf-8"))
    files.write_json(folder / "comparison.json", found.to_json())
    stored = {
        "name": study.name,
        "title": study.title or study.name,
        "metric": key,
        "seeds": sorted({member.seed for member in kept}),
        "reference": study.reference.model_dump() if study.reference else None,
        "members": [_facts(member, one) for member, one in kept.items()],
        "left_out": [asdict(one) for one in absent],
    }
    files.write_json(folder / "study.json", stored)
    return found


def _why_not(one: Run, key: str) -> str:
    """Return why a run has no such score."""
    if key.startswith("validation") and _kept_none(one):
        return "it kept no images back for validation"
    return f"it has no {key}"


def _to_open(runs: Mapping[Member, Run]) -> str | None:
    """Name what gives runs without validation images a score, if that is what they lack."""
    if not runs or not all(_kept_none(one) for one in runs.values()):
        return None
    first = next(iter(runs.values())).folder
    return f"hundredfold evaluate {first} --split test, and so on for each of its runs"


def _kept_none(one: Run) -> bool:
    kept: int | None = one.info.get("data", {}).get("validation")
    return kept == 0


def _compared(study: Study, key: str, runs: Mapping[Member, Run]) -> Comparison:
    values: dict[str, dict[int, float]] = {}
    images: dict[str, dict[int, NDArray[np.bool_]]] = {}
    for member, one in runs.items():
        values.setdefault(member.label, {})[member.seed] = one.scores[key]["value"]
        right = _right(one, key.partition(".")[0]) if study.metric == "top_1" else None
        if right is not None:
            images.setdefault(member.label, {})[member.seed] = right
    metric = metrics.about(key)
    return compare(
        values,
        images=images,
        metric=key,
        words=metrics.words(key),
        higher_is_better=metric.higher_is_better,
        percent=metric.percent,
        within=metric.range,
    )


def _right(one: Run, split: str) -> NDArray[np.bool_] | None:
    """Return which images the stored logits have right, (n,)."""
    logits, labels = one.logits(split), one.labels(split)
    if logits is None or labels is None:
        return None
    right: NDArray[np.bool_] = logits.argmax(1) == labels
    return right


def _facts(member: Member, one: Run) -> dict[str, Any]:
    info = one.info
    cost = {key: info.get(key) for key in ("parameters", "macs", "epochs", "seconds")}
    return {"run": one.name, "label": member.label, "seed": member.seed, **cost}
