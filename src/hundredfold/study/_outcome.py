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
from hundredfold.study._definition import Member, Study


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
        places = runs.get((member.recipe.digest, digests[member.recipe.data]), [])
        if places:
            finished, _, one = max(places, key=lambda place: place[:2])
            (done if finished else begun)[member] = one
    return done, begun


def conclude(
    study: Study,
    folder: Path,
    runs: Mapping[Member, Run],
    left_out: Sequence[LeftOut] = (),
) -> Comparison:
    """Compare finished runs and write study.json and comparison.json into the study's folder.

    Compared are the test scores where every run has been evaluated on the test split, else
    the validation scores.

    Raises UsageError where no member has a run.
    """
    if not runs:
        reasons = "; ".join(f"{one.label}, seed {one.seed}: {one.reason}" for one in left_out)
        raise UsageError(
            f"the study {study.name!r} has no finished run to compare", found=reasons or None
        )
    tested = all(f"test.{study.metric}" in one.scores for one in runs.values())
    split = "test" if tested else "validation"
    kept = {m: one for m, one in runs.items() if f"{split}.{study.metric}" in one.scores}
    lacking = [
        LeftOut(m.label, m.seed, f"it has no {split}.{study.metric}", one.name)
        for m, one in runs.items()
        if m not in kept
    ]
    found = _compared(study, split, kept)
    folder.mkdir(parents=True, exist_ok=True)
    files.write_json(folder / "comparison.json", found.to_json())
    files.write_json(
        folder / "study.json",
        {
            "name": study.name,
            "title": study.title or study.name,
            "metric": f"{split}.{study.metric}",
            "seeds": sorted({member.seed for member in runs}),
            "members": [_facts(member, one) for member, one in kept.items()],
            "left_out": [asdict(one) for one in (*left_out, *lacking)],
        },
    )
    return found


def _compared(study: Study, split: str, runs: Mapping[Member, Run]) -> Comparison:
    key = f"{split}.{study.metric}"
    values: dict[str, dict[int, float]] = {}
    images: dict[str, dict[int, NDArray[np.bool_]]] = {}
    for member, one in runs.items():
        values.setdefault(member.label, {})[member.seed] = one.scores[key]["value"]
        if study.metric == "top_1" and (right := _right(one, split)) is not None:
            images.setdefault(member.label, {})[member.seed] = right
    return compare(
        values,
        images=images,
        metric=key,
        higher_is_better=metrics.higher_is_better(study.metric),
        percent=study.metric != "loss",
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
