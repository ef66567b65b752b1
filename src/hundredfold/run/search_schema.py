"""The schema of search.json, which lies in the folder of a study that `tune` has made."""

from typing import Annotated, Any, Literal

from pydantic import Field

from hundredfold.run.schema import Absent, Count, Line, Number, Table, Text
from hundredfold.run.study_schema import Members, RunName

Value = int | float | bool | Line  # of an option


class Dimension(Table):
    """An option that a search varies: an entry of `space` in search.json."""

    option: Line
    low: Number | None = None
    high: Number | None = None
    log: bool = False
    choices: Annotated[list[Line], Field(max_length=1000)] = Absent


class Trial(Table):
    """A trial of a search: an entry of `trials`."""

    number: Members
    run: RunName
    state: Literal["running", "done", "stopped", "failed"]
    values: Annotated[dict[Line, Value], Field(max_length=1000)]
    epochs: Count = 0
    accuracy: Number | None = None
    score: Number | None = None
    seconds: Number = 0.0
    reason: Text = ""


class Importance(Table):
    """How much an option mattered, with its interval: an entry of `importance`."""

    option: Line
    value: Number
    low: Number
    high: Number


class SearchResult(Table):
    """What a search found: `result`; {} until the comparison is done."""

    winner: Members = 0
    search: Number | None = None
    fresh: Number | None = None
    low: Number | None = None
    high: Number | None = None
    verdict: Line = ""
    sentences: Annotated[list[Text], Field(max_length=20)] = Absent


class Search(Table):
    """search.json: what a search was asked for, its trials, and what it found."""

    status: Literal["searching", "comparing", "done"] = "searching"
    asked: Annotated[dict[Line, Any], Field(max_length=100)] = Absent
    epochs: Number = 0.0
    rungs: Annotated[list[Count], Field(max_length=100)] = Absent
    space: Annotated[list[Dimension], Field(max_length=1000)] = Absent
    untuned: Annotated[dict[Line, Value], Field(max_length=1000)] = Absent
    spent: Number = 0.0
    energy: Annotated[dict[Line, Number], Field(max_length=10)] = Absent
    seeds: Members = 0
    trials: Annotated[list[Trial], Field(max_length=100_000)] = Absent
    importance: Annotated[list[Importance], Field(max_length=1000)] = Absent
    result: SearchResult = Absent
