"""The options of bounds that are chosen on validation images, and what they do as text."""

from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import Parameter

from hundredfold import wording

_REJECT = (
    '"accuracy=0.95" or "coverage=0.95": the bound of "unknown" above which an image is said to be '
    "of no class, so that on validation images at least 95 % of the accepted ones are correct, or "
    "95 % are accepted. Images of classes close to the run's own are told apart about 80 % of the "
    "time."
)
_SETS = (
    "0.9 gives label sets that hold the true class of 90 % of the images (split conformal). It is "
    "promised for images that are exchangeable with the validation images: drawn in the same way."
)


@Parameter(name="*")
@dataclass(frozen=True)
class Bounds:
    """Bounds that are chosen on validation images."""

    reject_at: Annotated[str, Parameter(show_default="as stored", help=_REJECT)] = ""
    sets: Annotated[float, Parameter(show_default="as stored", help=_SETS)] = 0.0


def sentences(effect: dict[str, Any], split: str) -> list[str]:
    """Return what the bounds of a run do on a split, a sentence each."""
    said = []
    if reason := effect.get("reason"):
        said.append(f"the temperature stays at 1: {reason}")
    elif effect["n"]:
        said.append(f"temperature {effect['temperature']:.2f}, fitted on validation images; the "
                    "scores above are of the logits without it")  # fmt: skip
    if reject := effect.get("reject"):
        said.append(f"{reject['rule']}: {_share(reject['coverage'])} of the {split} images are "
                    f"accepted, and {_share(reject['accuracy'])} of those are correct")  # fmt: skip
    if sets := effect.get("sets"):
        said.append(
            f"sets for {wording.percent(sets['coverage'])}: {_share(sets['covered'])} of the "
            f"{split} images have their class in the set, of {sets['mean_size']:.2f} classes"
        )
    return said


def _share(score: dict[str, Any] | None) -> str:
    return f"{wording.percent(score['value'])} ({wording.interval(score)})" if score else "none"
