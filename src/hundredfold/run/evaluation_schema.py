"""The schema of the files that evaluations add to a run: calibration, corruptions, unlike."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from hundredfold.run.schema import Absent, Count, Fraction, Line, Name, Positive, Size, Table, Text


class Accuracy(Table):
    """A fraction of images with its 95 % interval."""

    value: Fraction
    low: Fraction
    high: Fraction
    n: Positive


class Rejection(Table):
    """The bound of the unknown-score: `reject` in calibration.json."""

    rule: Annotated[str, Field(pattern=r"^(accuracy|coverage)=[0-9.e-]{1,30}$")]
    threshold: Fraction


class LabelSets(Table):
    """The bound of probabilities of label sets: `sets` in calibration.json."""

    coverage: Annotated[float, Field(gt=0, lt=1)]
    threshold: Fraction


class Calibration(Table):
    """calibration.json: how logits become probabilities; "logits" digests what it is fitted on."""

    temperature: Annotated[float, Field(ge=0.01, le=100)]
    n: Count
    logits: Line = ""
    reason: Text = ""
    reject: Rejection = Absent
    sets: LabelSets = Absent


class Corruptions(Table):
    """corruptions.json: accuracies under corruptions, at five strengths each."""

    split: Literal["test", "validation"]
    n: Positive
    images: Positive
    size: Size
    weights: Line = ""
    undisturbed: Accuracy
    corruptions: Annotated[
        dict[Name, Annotated[list[Accuracy], Field(min_length=5, max_length=5)]],
        Field(min_length=1, max_length=100),
    ]


class Kind(Table):
    """A kind of unlike images: an entry of `kinds` in unlike.json."""

    name: Name
    n: Positive
    auroc: Accuracy


class Unlike(Table):
    """unlike.json: how well the unknown-score tells unlike images from a run's own."""

    split: Literal["test", "validation"]
    n: Positive
    weights: Line = ""
    kinds: Annotated[list[Kind], Field(max_length=100)]


# files that evaluations add, by stem; they go with the scores
STORED: dict[str, type[BaseModel]] = {
    "calibration": Calibration,
    "corruptions": Corruptions,
    "unlike": Unlike,
}
