"""The outcome of a study: its finished runs, their comparison, and the study's files."""

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
    """A member that is not compared, and the reason. run: its folder's name, if any."""

    label: str
    seed: int
    reason: str
    run: str = ""


def find(
    wanted: Iterable[Member], out: Path, digests: Mapping[str, str]
) -> tuple[dict[Member, Run], dict[Member, Run]]:
    """Return the members that have a finished run in `out`, and those with an unfinished one.

    digests: a recipe's data ("cifar100") -> the digest of that data set.

    A run belongs to a member if recipe and data have the same digests. The newest run is taken.
    """
    runs: dict[tuple[str, str], list[tuple[bool, str, Run]]] = {}
    for candidate in run.all_runs(out):
        try:
            key = (candidate.recipe.digest, str(candidate.info["data"]["digest"]))
            order = (
                candidate.info["status"] == "done",
                str(candidate.info.get("finished", "")),
                candidate,
            )
        except (HundredfoldError, KeyError, TypeError):
            continue  # the run is damaged or comes from another version
        runs.setdefault(key, []).append(order)
    done: dict[Member, Run] = {}
    begun: dict[Member, Run] = {}
    for member in wanted:
        candidates = runs.get((member.recipe.digest, digests[str(member.recipe.data)]), [])
        if candidates:
            finished, _, candidate = max(candidates, key=lambda entry: entry[:2])
            (done if finished else begun)[member] = candidate
    return done, begun


def conclude(
    study: Study, folder: Path, runs: Mapping[Member, Run], left_out: Sequence[LeftOut] = ()
) -> Comparison:
    """Compare finished runs; write study.toml, study.json and comparison.json into `folder`.

    The test scores are compared if every run has one, else the validation scores.

    Raises UsageError where no run can be compared.
    """
    tested = bool(runs) and all(
        f"test.{study.metric}" in trained.scores for trained in runs.values()
    )
    key = f"{'test' if tested else 'validation'}.{study.metric}"
    kept = {member: trained for member, trained in runs.items() if key in trained.scores}
    lacking = (
        LeftOut(member.label, member.seed, _reason(trained, key), trained.name)
        for member, trained in runs.items()
        if member not in kept
    )
    excluded = [*left_out, *lacking]
    if not kept:
        raise UsageError(
            f"the study {study.name!r} has no run to compare",
            found="; ".join(f"{o.label}, seed {o.seed}: {o.reason}" for o in excluded[:3]) or None,
            remedy=_remedy(runs),
        )
    comparison = _compared(study, key, kept)
    folder.mkdir(parents=True, exist_ok=True)
    if study.file:
        files.write_text(folder / "study.toml", Path(study.file).read_text(encoding="utf-8"))
    files.write_json(folder / "comparison.json", comparison.to_json())
    stored = {
        "name": study.name,
        "title": study.title or study.name,
        "metric": key,
        "seeds": sorted({member.seed for member in kept}),
        "reference": study.reference.model_dump() if study.reference else None,
        "members": [_facts(member, trained) for member, trained in kept.items()],
        "left_out": [asdict(member) for member in excluded],
    }
    files.write_json(folder / "study.json", stored)
    return comparison


def _reason(trained: Run, key: str) -> str:
    """Return the reason why a run has no score of a key."""
    if key.startswith("validation") and _has_no_validation(trained):
        return "it has no validation images"
    return f"it has no {key}"


def _remedy(runs: Mapping[Member, Run]) -> str | None:
    """Return the command that scores runs without validation images, where none has any."""
    if not runs or not all(_has_no_validation(trained) for trained in runs.values()):
        return None
    first = next(iter(runs.values())).folder
    return f"hundredfold evaluate {first} --split test, and so on for each of its runs"


def _has_no_validation(trained: Run) -> bool:
    kept: int | None = trained.info.get("data", {}).get("validation")
    return kept == 0


def _compared(study: Study, key: str, runs: Mapping[Member, Run]) -> Comparison:
    values: dict[str, dict[int, float]] = {}
    images: dict[str, dict[int, NDArray[np.bool_]]] = {}
    for member, trained in runs.items():
        values.setdefault(member.label, {})[member.seed] = trained.scores[key]["value"]
        correct = _correct(trained, key.partition(".")[0]) if study.metric == "top_1" else None
        if correct is not None:
            images.setdefault(member.label, {})[member.seed] = correct
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


def _correct(trained: Run, split: str) -> NDArray[np.bool_] | None:
    """Return (n,), whether the stored logits classify each image correctly; None without logits."""
    logits, labels = trained.logits(split), trained.labels(split)
    if logits is None or labels is None:
        return None
    correct: NDArray[np.bool_] = logits.argmax(1) == labels
    return correct


def _facts(member: Member, trained: Run) -> dict[str, Any]:
    info = trained.info
    cost = {key: info.get(key) for key in ("parameters", "macs", "epochs", "seconds")}
    return {"run": trained.name, "label": member.label, "seed": member.seed, **cost}
