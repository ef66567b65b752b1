"""The schema of the files of a run: types and bounds of every field that is read.

A run may come from anybody, so no value is used before it has been checked here. Fields that are
not listed are kept and ignored. Almost every field may be missing; a reader that needs one asks
for it, and `reading.Facts` says so where it is not there.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, RootModel, model_validator

from hundredfold import metrics

Count = Annotated[int, Field(ge=0, le=2**53)]
Positive = Annotated[int, Field(ge=1, le=2**53)]
Number = Annotated[float, Field(ge=-1e300, le=1e300)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=-1e10, le=1e10)]
Duration = Annotated[float, Field(ge=-1e7, le=1e7)]  # of a time budget, 115 days; below 0 if spent
Text = Annotated[str, Field(max_length=20_000)]
Line = Annotated[str, Field(max_length=4096, pattern=r"^[^\x00]*$")]  # a path or a name
Name = Annotated[str, Field(min_length=1, max_length=1000)]
Size = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,4}(x[1-9][0-9]{0,4})?$")]  # pixels
Side = Annotated[int, Field(ge=1, le=65536)]
Absent: Any = None  # a field may be missing, and is never null
Algorithm = Annotated[str, Field(max_length=40)]


_VALUES = ConfigDict(strict=True, allow_inf_nan=False, defer_build=True)


class Table(BaseModel):
    """A table of which the listed fields are checked, without any conversion."""

    model_config = ConfigDict(extra="allow") | _VALUES


class Data(Table):
    """The data of a run: `data` in run.json."""

    name: Line = ""
    digest: Line = ""
    classes: Annotated[list[Name], Field(min_length=1, max_length=100_000)] = ["?"]
    superclasses: Annotated[list[Name], Field(max_length=100_000)] = []
    superclass_of: Annotated[list[Count], Field(max_length=100_000)] = []
    size: Side | Size = 1
    folder: Line | None = None
    images: Line | None = None
    labels: Line | None = None
    train: Count = 0
    validation: Count = 0

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        given = self.superclass_of
        if given and len(given) != len(self.classes):
            raise ValueError("superclass_of has not one entry for each class")
        if given and max(given) >= len(self.superclasses):
            raise ValueError("superclass_of names a superclass that is not there")
        return self


class Resolved(Table):
    """Settings that were adapted: `resolved` in run.json."""

    precision: Literal["fp32", "bf16"] = "fp32"
    batch_size: Annotated[int, Field(ge=1, le=2**31)] = 1
    epochs: Annotated[float, Field(ge=0, le=1e9)] = 0.0


class Budget(Table):
    """A time budget and the step times that were measured for it: `budget` in run.json."""

    seconds: Duration
    by_size: Annotated[dict[Size, Annotated[float, Field(ge=1e-9)]], Field(max_length=1000)]
    validation: Annotated[float, Field(ge=0, le=1e7)]


class Weights(Table):
    """The pretrained weights that a run began with: `weights` in run.json."""

    file: Line
    sha256: Line
    layout: Literal["torchvision", "keras"] = "torchvision"
    input_size: Annotated[int, Field(ge=0, le=65536)] | Size = 0


class Git(Table):
    """The checkout that trained a run: `git` in run.json."""

    commit: Line = ""
    changed: bool = False


class Writer(Table):
    """The process that trains a run, until its end: `writer` in run.json and plan.json."""

    host: Line = ""
    pid: Count = 0


class Info(Table):
    """run.json: status, cost, device, data, versions."""

    status: Literal["running", "done", "stopped", "failed"]
    reason: Text = ""
    name: Line = ""
    recipe_digest: Line = ""
    resolved: Resolved = Absent
    resolved_digest: Line = ""
    started: Line = ""
    finished: Line = ""
    parameters: Count = Absent
    macs: Count = Absent
    device: Line = Absent
    threads: Annotated[int, Field(ge=1, le=65536)] = 1
    devices: Annotated[int, Field(ge=1, le=65536)] = 1
    precision: Literal["fp32", "bf16"] = "fp32"
    algorithms: Annotated[
        dict[Line, Annotated[list[Algorithm], Field(min_length=3, max_length=3)]],
        Field(max_length=10_000),
    ] = {}
    compiled: bool = False
    fast_validation: bool = False
    steps_per_epoch: Count = 0
    data: Data = Absent
    versions: Annotated[dict[Line, Line], Field(max_length=1000)] = {}
    machine: Line = ""
    git: Git | Line | None = None
    command: Text | Annotated[list[Text], Field(max_length=10_000)] = ""
    test_evaluations: Annotated[int, Field(ge=0, le=10**9)] = 0
    best_epoch: Annotated[int, Field(ge=0, le=10**9)] | None = None
    epochs: Annotated[float, Field(ge=0, le=1e9)] = Absent
    steps: Count = Absent
    micro_batch: Annotated[int, Field(ge=0, le=2**31)] = 0
    seconds: Seconds = Absent
    images_per_second: Number = Absent
    waiting_share: Number = Absent
    saving_share: Number = Absent
    peak_memory_bytes: Number = Absent
    budget: Budget = Absent
    weights: Weights = Absent
    plan: Annotated[list[dict[str, Any]], Field(max_length=1000)] = Absent
    search: Literal["won", "lost"] = Absent
    writer: Writer = Absent


class Score(Table):
    """A score with its 95 % interval: an entry of scores.json."""

    value: Number | None
    low: Number | None = None
    high: Number | None = None
    n: Count = Absent


class Scores(RootModel[dict[Line, Score]]):
    """scores.json: "test.top_1" -> its score; values lie in the range of their metric."""

    model_config = _VALUES

    @model_validator(mode="after")
    def _within_range(self) -> Self:
        known = metrics.default()
        for key, score in self.root.items():
            metric = known.get(key.partition(".")[2].removesuffix(metrics.UNSEEN))
            low, high = metric.range if metric else (None, None)
            numbers = (score.value, score.low, score.high)
            for number in (number for number in numbers if number is not None):
                if (low is not None and number < low) or (high is not None and number > high):
                    raise ValueError(f"{key} is outside the range of that score")
        return self


class Row(RootModel[dict[Line, Number | None]]):
    """A line of curve.jsonl: numbers by name, among them the epoch."""

    model_config = _VALUES

    @model_validator(mode="after")
    def _has_epoch(self) -> Self:
        epoch = self.root.get("epoch")
        if epoch is None or epoch != int(epoch) or not 0 <= epoch <= 10**9:
            raise ValueError("epoch is no whole number from 0 on")
        return self


class Layer(Table):
    """A layer of a network: an entry of `rows` in model.json."""

    name: Line
    kind: Line
    output: Annotated[list[Positive], Field(min_length=1, max_length=8)]
    parameters: Count
    macs: Count


class Summary(Table):
    """model.json: the size of the network, and its layers."""

    parameters: Count = Absent
    macs: Count = Absent
    rows: Annotated[list[Layer], Field(max_length=20_000)] = Absent
    layers: Annotated[list[Layer], Field(max_length=20_000)] = Absent


class Scored(RootModel[dict[Line, Line]]):
    """<split>.json: the digests of the images and of the weights of stored logits."""

    model_config = _VALUES


class Saved(Table):
    """A file of a checkpoint: `tensors` and `best` of a commit."""

    file: Annotated[str, Field(pattern=r"^[\w.-]{1,100}\.safetensors$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    bytes: Count = Absent


class Best(Table):
    """The best epoch so far: `position.best` of a commit; empty where there is none."""

    epoch: Annotated[int, Field(ge=0, le=10**9)] | None = None
    value: Number | None = None


class Position(Table):
    """Where a training stood: `position` of a commit, the fields of `training.Position`."""

    recipe: Line = ""
    steps: Count = 0
    steps_per_epoch: Positive = 1
    epoch: Annotated[int, Field(ge=0, le=10**9)] = 0
    step: Count = 0
    loss: Number = 0.0
    correct: Number = 0.0
    seconds: Seconds = 0.0
    waited: Seconds = 0.0
    saving: Seconds = 0.0
    curve: str = ""
    micro_batch: Annotated[int, Field(ge=0, le=2**31)] = 0
    best: Best = Best()


class Commit(Table):
    """A commit of state/: the position of a training and the files of its tensors."""

    position: Position
    tensors: Saved
    best: Saved = Absent


class Fields(Table):
    """recipe.toml as plain values; `recipe.Recipe` checks what they mean."""

    title: Text = ""
    data: Text = ""
    model: Text = ""
    select: Line = "validation.loss"
    precision: Line = "auto"
    epochs: Annotated[float, Field(ge=0, le=1e300)] = 0.0
    batch_size: Count = 0
    limit: Count = 0
    seed: Count = 0
