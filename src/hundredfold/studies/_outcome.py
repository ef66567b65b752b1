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
    study: Study,
    folder: Path,
    runs: Mapping[Member, Run],
    left_out: Sequence[LeftOut] = (),
    *,
    on_validation: bool = False,
) -> Comparison:
    """Compare finished runs; write study.toml, study.json and comparison.json into `folder`.

    The test scores are compared if every run has one, else, or `on_validation`, the validation
    scores.

    Raises UsageError where no run can be compared.
    """
    tested = (
        not on_validation
        and bool(runs)
        and all(f"test.{study.metric}" in trained.scores for trained in runs.values())
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
        "folds": study.folds,
        "cross_validated": cross_validated(study, kept),
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
        values.setdefault(member.label, {})[member.unit] = trained.scores[key]["value"]
        correct = _correct(trained, key.partition(".")[0]) if study.metric == "top_1" else None
        if correct is not None:
            images.setdefault(member.label, {})[member.unit] = correct
    metric = metrics.about(key)
    return compare(
        values,
        images=images,
        metric=key,
        words=metrics.words(key),
        higher_is_better=metric.higher_is_better,
        percent=metric.percent,
        within=metric.range,
        folds=study.folds if key.startswith("validation") else 0,
    )


def cross_validated(study: Study, runs: Mapping[Member, Run]) -> list[dict[str, Any]]:
    """Return the scores over all training images, each scored by the training that held it out.

    One entry per variant and seed of which every fold has a run: "label", "seed", and the score's
    value, low, high and n in the study's metric. Without folds there is none.
    """
    grouped: dict[tuple[str, int], list[Run]] = {}
    for member, trained in runs.items():
        if study.folds and trained.logits("validation") is not None:
            grouped.setdefault((member.label, member.seed), []).append(trained)
    entries = []
    for (label, seed), trainings in grouped.items():
        if len(trainings) == study.folds:
            logits = np.concatenate([trained.logits("validation") for trained in trainings])
            labels = np.concatenate([trained.labels("validation") for trained in trainings])
            call = str(metrics.about(study.metric).call)
            coarse = trainings[0].info["data"]["superclass_of"]
            scored = metrics.scores(
                logits, labels, superclass_of=coarse, metrics={study.metric: call}
            )
            if score := scored.get(study.metric):
                entries.append({"label": label, "seed": seed, **score.to_json()})
    return entries


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
    fold = {"fold": member.recipe.fold} if member.recipe.folds else {}
    return {"run": trained.name, "label": member.label, "seed": member.seed, **fold, **cost}
