"""Compare two runs: their recipes, their scores, and their networks on the same images."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from hundredfold import metrics, spec, wording
from hundredfold.comparison import Pair, compare
from hundredfold.errors import UsageError
from hundredfold.recipe import PACKAGES
from hundredfold.run import Run

SPLITS = ("test", "validation")
_NETWORKS = (
    "The images tell two trained networks apart, not their recipes; for those, train both with "
    "several seeds: hundredfold study."
)


@dataclass(frozen=True)
class Difference:
    """A field of the recipe, or an option of its part, in which two runs differ; "" is absent."""

    field: str
    first: str
    second: str


@dataclass(frozen=True)
class TwoRuns:
    """The comparison of two runs; printing it gives its verdict.

    recipe: the differences of the recipes. scores: key -> the two scores, {} where a run has none.
    split:  the split whose stored logits are paired, "" where none can be. pair: the paired test
            over its images; None without. sentence: the verdict in plain English.
    """

    first: str
    second: str
    recipe: tuple[Difference, ...]
    scores: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]]
    sentence: str
    split: str = ""
    pair: Pair | None = field(default=None, repr=False)

    @property
    def verdict(self) -> str:
        """The verdict on `pair`, such as "ahead"; "not comparable" where no images are paired."""
        return self.pair.verdict if self.pair else "not comparable"

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as dictionaries and lists for JSON."""
        return {
            "first": self.first,
            "second": self.second,
            "recipe": [asdict(difference) for difference in self.recipe],
            "scores": {
                key: {"first": one or None, "second": other or None}
                for key, (one, other) in self.scores.items()
            },
            "split": self.split or None,
            "verdict": self.verdict,
            "sentence": self.sentence,
            "pair": None if self.pair is None else asdict(self.pair),
        }

    def __str__(self) -> str:
        return self.sentence


def two_runs(first: Run, second: Run) -> TwoRuns:
    """Return the comparison of two runs.

    Their accuracies are paired image by image where both have stored logits of the same images:
    of the test split, else of the validation images. Raises UsageError for a run and itself, and
    DataError for a damaged run.
    """
    if first.folder.resolve() == second.folder.resolve():
        raise UsageError(
            f"{str(first.folder)!r} and {str(second.folder)!r} are the same run",
            remedy="the names of two runs; hundredfold runs lists them",
        )
    names = _names(first, second)
    stated = first.stated[1], second.stated[1]
    differences = tuple(_differences(*stated))
    scores = _scores(first.scores, second.scores)
    reasons = []
    for split in SPLITS:
        reason = _unpaired(first, second, split)
        if not reason:
            pair = _paired(first, second, split, names)
            sentence = f"{pair.sentence} {_NETWORKS}"
            return TwoRuns(*names, differences, scores, sentence, split, pair)
        reasons.append(f"{split}: {reason}")
    sentence = f"Their images cannot be paired ({'; '.join(reasons)})."
    return TwoRuns(*names, differences, scores, sentence)


def _names(first: Run, second: Run) -> tuple[str, str]:
    """Return the names of the runs; the folders where the names are equal."""
    if first.name != second.name:
        return first.name, second.name
    return str(first.folder), str(second.folder)


def _differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[Difference]:
    """Yield what differs, part by part: "optimizer.lr" where only that option differs."""
    for key in dict.fromkeys([*first, *second]):
        one, other = first.get(key, ""), second.get(key, "")
        if one == other:
            continue
        options = _options(key, one, other)
        if options is None:
            yield Difference(key, _text(one), _text(other))
            continue
        for option in dict.fromkeys([*options[0], *options[1]]):
            values = (_text(side.get(option, "")) for side in options)
            if options[0].get(option) != options[1].get(option):
                yield Difference(f"{key}.{option}", *values)


def _options(
    key: str, first: Any, second: Any
) -> tuple[Mapping[str, Any], Mapping[str, Any]] | None:
    """Return the options of two parts of one name; None for anything else."""
    if key not in PACKAGES or not (isinstance(first, str) and isinstance(second, str)):
        return None
    try:
        one, other = spec.parse_chain(first), spec.parse_chain(second)
    except UsageError:
        return None
    if len(one) != 1 or len(other) != 1:
        return None
    same = (one[0].name, one[0].file) == (other[0].name, other[0].file)
    return (one[0].options, other[0].options) if same else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


def _scores(
    first: Mapping[str, Mapping[str, Any]], second: Mapping[str, Mapping[str, Any]]
) -> dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Return key -> both scores, the test split first, in the order of tables."""
    order = list(metrics.default())

    def rank(key: str) -> tuple[int, int, str]:
        split, _, name = key.partition(".")
        known = order.index(name) if name in order else len(order)
        return SPLITS.index(split) if split in SPLITS else len(SPLITS), known, key

    keys = sorted({*first, *second}, key=rank)
    return {key: (first.get(key, {}), second.get(key, {})) for key in keys}


def _unpaired(first: Run, second: Run, split: str) -> str:
    """Return why the images of a split cannot be paired; "" where they can."""
    lacking = [run.name for run in (first, second) if run.logits(split) is None]
    if lacking:
        return f"{wording.listed(lacking)} {'has' if len(lacking) == 1 else 'have'} no logits"
    if _classes(first) != _classes(second):
        return "the classes are not the same"
    digests = [run.scored(split).get("images") for run in (first, second)]
    if None in digests:
        return "which images the logits are of is not recorded"
    if digests[0] != digests[1]:
        return "the images are not the same"
    one, other = first.labels(split), second.labels(split)
    if one is None or other is None or not np.array_equal(one, other):
        return "the labels are not the same"
    return ""


def _classes(run: Run) -> list[str]:
    return list((run.info.get("data") or {}).get("classes", ()))


def _paired(first: Run, second: Run, split: str, names: tuple[str, str]) -> Pair:
    """Return the paired test over images of two runs, the better mean first."""
    key = f"{split}.top_1"
    images = {
        name: {0: _correct(run, split)} for name, run in zip(names, (first, second), strict=True)
    }
    values = {name: {0: float(np.mean(of[0]))} for name, of in images.items()}
    (pair,) = compare(values, images=images, metric=key, words=metrics.words(key)).pairs
    return pair


def _correct(run: Run, split: str) -> Any:
    logits, labels = run.logits(split), run.labels(split)
    assert logits is not None and labels is not None, "checked before"
    return logits.argmax(1) == labels
