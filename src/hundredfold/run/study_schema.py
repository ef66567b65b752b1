"""The schema of the files of a study's folder, which lies among the runs."""

from typing import Annotated, Literal

from pydantic import Field, RootModel

from hundredfold.run.schema import Absent, Count, Line, Number, Row, Table, Text, Writer

RunName = Annotated[str, Field(max_length=255, pattern=r"^[^./\\\x00][^/\\\x00]*$")]
Members = Annotated[int, Field(ge=0, le=10**6)]


class Member(Table):
    """A compared run: an entry of `members` in study.json."""

    run: RunName
    label: Line
    seed: Count
    fold: Members = 0


class LeftOut(Table):
    """A training that is not compared: an entry of `left_out`."""

    label: Line
    seed: Count
    reason: Text = ""
    run: Line = ""


class CrossValidated(Table):
    """A score over all training images: an entry of `cross_validated`."""

    label: Line
    seed: Count
    value: Number
    low: Number | None = None
    high: Number | None = None
    n: Count


class Reference(Table):
    """Published figures of the variants."""

    source: Text
    values: Annotated[dict[Line, Number], Field(max_length=10_000)]


class Study(Table):
    """study.json: which runs a study compares."""

    name: Line = ""
    title: Text = ""
    metric: Line = Absent
    seeds: Annotated[list[Count], Field(max_length=10_000)] = Absent
    folds: Members = 0
    members: Annotated[list[Member], Field(max_length=10_000)]
    left_out: Annotated[list[LeftOut], Field(max_length=10_000)] = Absent
    cross_validated: Annotated[list[CrossValidated], Field(max_length=10_000)] = Absent
    reference: Reference | None = None


class System(Table):
    """A variant with its mean over seeds: an entry of `systems` in comparison.json."""

    label: Line
    mean: Number
    n: Members
    sd: Number | None = None
    low: Number | None = None
    high: Number | None = None


class Pair(Table):
    """Two variants: an entry of `pairs` in comparison.json."""

    first: Line
    second: Line
    difference: Number
    seeds: Members
    basis: Literal["seeds", "folds", "images"] = "seeds"
    low: Number | None = None
    high: Number | None = None
    p_holm: Number | None = None
    verdict: Line
    sentence: Text


class Comparison(Table):
    """comparison.json: the variants, best first, and their pairs."""

    metric: Line
    percent: bool = True
    systems: Annotated[list[System], Field(max_length=10_000)]
    pairs: Annotated[list[Pair], Field(max_length=10_000)]


class Planned(Table):
    """A training of a study: an entry of `members` in plan.json."""

    run: RunName
    label: Line
    seed: Count
    fold: Members = 0


class Plan(Table):
    """plan.json: the trainings of a study, from its start on, and how far the command is."""

    name: Line = ""
    title: Text = ""
    metric: Line = "top_1"
    status: Literal["running", "done", "stopped"]
    started: Line = ""
    writer: Writer = Absent
    members: Annotated[list[Planned], Field(max_length=10_000)]


class Elsewhere(Table):
    """A training on another machine: an entry of progress.json."""

    node: Line
    epochs: Number
    curve: Annotated[list[Row], Field(max_length=100_000)]


class Progress(RootModel[Annotated[dict[RunName, Elsewhere], Field(max_length=10_000)]]):
    """progress.json: the trainings of a study whose folders are not here yet, by run."""
