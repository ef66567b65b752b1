"""The study file: what varies, and the recipes that come of it.

title = "Depth"
base = "resnet-20"          # a recipe that ships, or a file beside this one
seeds = 3                   # 0, 1, 2
metric = "top_1"
[overrides]                 # fields of every variant
epochs = 30
[vary.shallow]              # a label and the fields that make it; "base" is one of them
"model.depth" = 20
[grid]                      # or fields with lists of values; labels are made of both
"optimizer.lr" = [0.1, 0.05]
[reference]                 # figures of others that variants stand beside, and whose they are
source = "He et al. 2016, table 6"
values = { shallow = 0.9125 }
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hundredfold import metrics, recipes
from hundredfold.errors import UsageError, did_you_mean
from hundredfold.recipe import Recipe
from hundredfold.spec import OwnFiles

_TITLES = {"title", "source"}


class Reference(BaseModel):
    """Figures from elsewhere: label -> value in the study's metric, and where they are from."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    source: str = Field(min_length=1)
    values: dict[str, float] = Field(min_length=1)


class Study(BaseModel):
    """What a study file says.

    base:      the recipe that the variants change; each may name one of its own.
    overrides: fields that all of them get.
    seeds:     how often each is trained, with the seeds 0, 1, ...
    metric:    the score that is compared, such as "top_1" or "loss".
    vary:      label -> fields of the recipe ("model") or their options ("model.depth").
    grid:      field -> values; every combination, of each of `vary` where both are given.
    reference: what others measured, shown beside the variants and never part of a comparison.
    file:      the study's file; recipes are looked for beside it. "" is one made in Python.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    title: str = ""
    base: str | Recipe = ""
    overrides: dict[str, Any] = {}
    seeds: int = Field(3, ge=1, le=1000)
    metric: str = "top_1"
    vary: dict[str, dict[str, Any]] = {}
    grid: dict[str, list[Any]] = {}
    reference: Reference | None = None
    name: str
    file: str = ""

    @model_validator(mode="after")
    def _varies(self) -> Self:
        if not self.vary and not self.grid:
            raise ValueError("nothing varies: it needs a [vary.LABEL] or a [grid]")
        empty = [field for field, values in self.grid.items() if not values]
        if empty:
            raise ValueError(f"the grid's {empty[0]} has no values")
        labels = _labelled(self)
        for label in self.reference.values if self.reference else ():
            if label not in labels:
                raise ValueError(f"the reference's {label!r} is no variant of it")
        return self


@dataclass(frozen=True)
class Member:
    """One training of a study: a variant with a seed."""

    label: str
    seed: int
    recipe: Recipe

    def __str__(self) -> str:
        return f"{self.label}, seed {self.seed}"


def define(fields: Mapping[str, Any]) -> Study:
    """Make a study of fields as a file has them; of vary, a name alone is that recipe.

    Without a base it is Keras' defaults, as in a training; without a name it is "study-" and
    what identifies its fields. Raises UsageError for a field that is wrong.
    """
    given = {"base": Recipe(), **fields}
    given["vary"] = {
        label: {"base": one} if isinstance(one, str) else dict(one)
        for label, one in fields.get("vary", {}).items()
    }
    told = json.dumps({k: str(v) for k, v in given.items()}, sort_keys=True)
    named = f"study-{hashlib.sha256(told.encode()).hexdigest()[:8]}"
    return _checked({"name": named, **given}, "the study")


def load(text: str) -> Study:
    """Read a study from a TOML file, or by the name of one that ships. Raises UsageError."""
    known = recipes.shipped("studies")
    path = Path(text) if text.endswith(".toml") else known.get(text)
    if path is None:
        raise UsageError(f"no study is called {text!r}", remedy=did_you_mean(text, known))
    fields = recipes.read_toml(path, "study")
    public = Study.model_fields.keys() - {"name", "file"}
    for key in fields:
        if key not in public:
            raise UsageError(f"a study has no key {key!r}", remedy=did_you_mean(key, public))
    return _checked(fields | {"name": path.stem, "file": str(path)}, f"the study {str(path)!r}")


def _checked(fields: Mapping[str, Any], called: str) -> Study:
    try:
        found = Study(**fields)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UsageError(
            f"{called} will not do", found=f"{place}: {first['msg']}".strip(": ")
        ) from None
    metrics.about(found.metric)
    return found


def variants(
    study: Study, changes: Mapping[str, Any] | None = None, files: OwnFiles | None = None
) -> dict[str, Recipe]:
    """Return label -> recipe, each with the seed 0.

    changes: fields that win over everything the study says. files: where code of a user's own
    lies, and which of it may run.

    Raises UsageError for a field that is wrong, and where two labels are the same recipe.
    """
    found: dict[str, Recipe] = {}
    owners: dict[str, str] = {}
    for label, fields in _labelled(study).items():
        try:
            what = _variant(study, label, fields, changes or {}, files)
        except UsageError as error:
            raise UsageError(
                f"the study's variant {label!r}: {error.message}",
                found=error.found,
                remedy=error.remedy,
                see=error.see,
            ) from None
        other = owners.setdefault(what.digest, label)
        if other != label:
            raise UsageError(f"the study's variants {other!r} and {label!r} are the same recipe")
        found[label] = what
    return found


def members(found: Mapping[str, Recipe], seeds: int) -> list[Member]:
    """Return every variant with every seed; all variants of a seed come before the next one."""
    return [
        Member(label, seed, what.override({"seed": seed}))
        for seed in range(seeds)
        for label, what in found.items()
    ]


def _labelled(study: Study) -> dict[str, dict[str, Any]]:
    """Return label -> changes of every variant, those of the grid within those that vary."""
    keys = list(study.grid)
    combinations = [dict(zip(keys, v, strict=True)) for v in product(*study.grid.values())]
    found = {}
    for (label, fields), cell in product((study.vary or {"": {}}).items(), combinations):
        words = ", ".join(f"{key}={value}" for key, value in cell.items())
        found[" ".join(filter(None, (label, words)))] = fields | cell
    return found


def _variant(
    study: Study,
    label: str,
    fields: Mapping[str, Any],
    changes: Mapping[str, Any],
    files: OwnFiles | None,
) -> Recipe:
    own = dict(fields)
    base = _base(own.pop("base", study.base), study)
    if "seed" in own or "seed" in study.overrides:
        raise UsageError("a study sets the seeds itself", remedy="seeds = 3")
    what = base
    for each in (study.overrides, own, changes):
        what = _changed(what, each, files)
    if what.digest != base.digest and not _TITLES & own.keys():
        what = what.override({"title": f"{study.title or study.name}: {label}", "source": ""})
    return what


def _base(name: Any, study: Study) -> Recipe:
    if isinstance(name, Recipe):
        return name
    if not isinstance(name, str) or not name:
        raise UsageError("it has no base", remedy='base = "simple-cnn"')
    beside = Path(study.file).parent / name
    return recipes.load(str(beside) if name.endswith(".toml") else name)


def _changed(what: Recipe, fields: Mapping[str, Any], files: OwnFiles | None) -> Recipe:
    """Replace fields, and set the options that are written with a dot."""
    plain = {key: value for key, value in fields.items() if "." not in key}
    dotted = [f"{key}={value!r}" for key, value in fields.items() if "." in key]
    return what.override(plain, dotted, files)
