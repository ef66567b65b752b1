"""What the metadata of an exported ONNX file say, read for a page."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hundredfold import wording
from hundredfold.errors import DataError, HundredfoldError
from hundredfold.size import Size

_POLICIES = ("crop", "pad", "stretch")
_FACTS = ("kind", "recipe_digest", "data_digest", "weights_sha256")


@dataclass(frozen=True)
class Facts:
    """Metadata by their meaning.

    reject: {"rule", "threshold"}; sets: {"coverage", "threshold"}; scores: name -> {"value", "low",
    "high", "n"}; licenses: what -> license; other: digests and the kind of the file, where given.
    """

    labels: list[str]
    size: Size
    resize: str
    model: str
    temperature: float = 1.0
    reject: dict[str, Any] | None = None
    sets: dict[str, Any] | None = None
    scores: dict[str, dict[str, Any]] = field(default_factory=dict)
    licenses: list[tuple[str, str]] = field(default_factory=list)
    other: dict[str, str] = field(default_factory=dict)


def read(metadata: Mapping[str, str]) -> Facts:
    """Return the facts of metadata_props; raises DataError where they are missing or damaged."""
    try:
        facts = Facts(
            labels=[wording.visible(str(label)) for label in json.loads(metadata["labels"])],
            size=Size.of(metadata["image_size"]),
            resize=metadata["resize"],
            model=metadata.get("model", "a network"),
            temperature=float(metadata.get("temperature", 1)),
            reject=_numbers(metadata, "reject", "threshold"),
            sets=_numbers(metadata, "sets", "coverage", "threshold"),
            scores=_scores(json.loads(metadata.get("scores", "{}"))),
            licenses=_licenses(json.loads(metadata.get("license", "[]"))),
            other={name: metadata[name] for name in _FACTS if metadata.get(name)},
        )
    except (LookupError, TypeError, ValueError, AttributeError, HundredfoldError) as error:
        raise _damaged(f"{type(error).__name__}: {error}") from None
    if not facts.labels or facts.resize not in _POLICIES or not facts.size:
        raise _damaged(f"{len(facts.labels)} labels, size {facts.size}, resize {facts.resize!r}")
    return facts


def _numbers(metadata: Mapping[str, str], name: str, *numbers: str) -> dict[str, Any] | None:
    """Return one entry as a dict whose named values are numbers; None where it is not there."""
    if name not in metadata:
        return None
    value = json.loads(metadata[name])
    return {**value, **{key: float(value[key]) for key in numbers}}


def _scores(stored: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    scores = {name: value for name, value in stored.items() if isinstance(value, dict)}
    return {name: score for name, score in scores.items() if wording.finite(score.get("value"))}


def _licenses(stored: list[dict[str, str]]) -> list[tuple[str, str]]:
    return [(str(entry["what"]), str(entry["license"])) for entry in stored]


def _damaged(found: str) -> DataError:
    return DataError(
        "the metadata of the ONNX file cannot be used",
        found=found,
        remedy="export the run again",
    )
