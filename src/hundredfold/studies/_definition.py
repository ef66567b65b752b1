"""The study file, and the recipes of its variants.

title = "Depth"
base = "resnet-20"          # a recipe that ships, or a file beside this one
seeds = 3                   # 0, 1, 2
folds = 0                   # 5: every training image is scored once, by 5 trainings per seed
metric = "top_1"
[overrides]                 # recipe fields of every variant
epochs = 30
[vary.shallow]              # a label, and the recipe fields of this variant or its own "base"
"model.depth" = 20
[grid]                      # recipe fields with lists of values, in every combination
"optimizer.lr" = [0.1, 0.05]
[reference]                 # published figures to show beside the variants, and their source
source = "He et al. 2016, table 6"
values = { shallow = 0.9125 }
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hundredfold import metrics, recipes, wording
from hundredfold.errors import UsageError, did_you_mean, shortened
from hundredfold.recipe import Recipe
from hundredfold.spec import OwnFiles, Range, bounded

_TITLES = {"title", "source"}
_MOST = 10_000  # trainings


class Reference(BaseModel):
    """Published figures: label -> value in the study's metric, and their source."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    source: str = Field(min_length=1)
    values: dict[str, float] = Field(min_length=1)


class Study(BaseModel):
    """The fields of a study file.

    base:      the recipe that the variants change; a variant may name its own base.
    overrides: recipe fields of every variant.
    seeds:     number of trainings per variant, with the seeds 0, 1, ..., in [1, 1000].
    folds:     0, or the number of folds of cross-validation; each seed then has one training per
               fold, and scores cover all training images.
    metric:    the score that is compared, such as "top_1" or "loss".
    vary:      label -> recipe fields ("model") or their options ("model.depth").
    grid:      recipe field -> values; all combinations, for each label of `vary` if there are any.
    reference: published figures, shown beside the variants but never compared.
    file:      path of the study file, beside which its recipes are; "" if defined in Python.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    title: str = ""
    base: str | Recipe = ""
    overrides: dict[str, Any] = {}
    seeds: Annotated[int, Range(1, 1000)] = 3
    folds: Annotated[int, Range(0, 1000)] = 0
    metric: str = "top_1"
    vary: dict[str, dict[str, Any]] = {}
    grid: dict[str, list[Any]] = {}
    reference: Reference | None = None
    name: str
    file: str = ""

    @model_validator(mode="after")
    def _varies(self) -> Self:
        if not self.vary and not self.grid:
            raise ValueError("nothing varies: add a [vary.LABEL] or a [grid]")
        empty = [field for field, values in self.grid.items() if not values]
        if empty:
            raise ValueError(f"the grid's {empty[0]} has no values")
        if self.folds == 1:
            raise ValueError("folds = 1 leaves nothing to train on; 5 is usual, 0 is off")
        need_few(self)
        labels = _labelled(self)
        for label in self.reference.values if self.reference else ():
            if label not in labels:
                raise ValueError(f"the reference names {label!r}, which is not a variant")
        return self


def need_few(study: Study) -> None:
    """Raise UsageError for more than 10,000 trainings; none is built to count them."""
    variants = math.prod(map(len, study.grid.values())) * max(len(study.vary), 1)
    trainings = variants * study.seeds * max(study.folds, 1)
    if trainings > _MOST:
        folds = f" x {wording.plural(study.folds, 'fold')}" if study.folds else ""
        raise UsageError(
            f"a study has at most {_MOST:,} trainings, not {trainings:,}",
            found=f"{wording.plural(variants, 'variant')} x "
            f"{wording.plural(study.seeds, 'seed')}{folds}",
            remedy="fewer values in the grid, or fewer seeds",
        )


@dataclass(frozen=True)
class Member:
    """One training of a study: a variant with a seed, and with a fold of cross-validation."""

    label: str
    seed: int
    recipe: Recipe

    def __str__(self) -> str:
        fold = f", fold {self.recipe.fold}" if self.recipe.folds else ""
        return f"{self.label}, seed {self.seed}{fold}"

    @property
    def unit(self) -> int:
        """What is paired with the same of other variants: the seed, or the fold of a seed."""
        return self.seed * max(self.recipe.folds, 1) + self.recipe.fold


def define(fields: Mapping[str, Any]) -> Study:
    """Return a study from the fields of a study file.

    fields: as in a study file; a value of `vary` may also be the name of a recipe. The base
            defaults to Keras' defaults, as in `train`. The name defaults to "study-" and eight
            digits of the fields' digest.

    Raises UsageError for an invalid field.
    """
    try:
        bounded({key: fields[key] for key in ("vary", "grid") if key in fields})
    except ValueError as error:
        raise UsageError("the study is too large", found=str(error)) from None
    study_fields = {"base": Recipe(), **fields}
    study_fields["vary"] = {
        label: {"base": variant} if isinstance(variant, str) else dict(variant)
        for label, variant in fields.get("vary", {}).items()
    }
    text = json.dumps({k: str(v) for k, v in study_fields.items()}, sort_keys=True)
    name = f"study-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    return _checked({"name": name, **study_fields}, "study")


def load(text: str) -> Study:
    """Return a study from a TOML file, or one that ships by its name.

    Raises UsageError for an unknown name, and for a file that cannot be read or is invalid.
    """
    shipped = recipes.shipped("studies")
    path = Path(text) if text.endswith(".toml") else shipped.get(text)
    if path is None:
        raise UsageError(
            f"no study is called {shortened(text)}", remedy=did_you_mean(text, shipped)
        )
    fields = recipes.read_toml(path, "study")
    public = Study.model_fields.keys() - {"name", "file"}
    for key in fields:
        if key not in public:
            raise UsageError(
                f"a study has no key {shortened(key)}", remedy=did_you_mean(key, public)
            )
    return _checked(fields | {"name": path.stem, "file": str(path)}, f"study {str(path)!r}")


def _checked(fields: Mapping[str, Any], subject: str) -> Study:
    try:
        study = Study(**fields)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        reason = first["msg"].removeprefix("Value error, ")
        raise UsageError(f"invalid {subject}: {field}: {reason}".replace(": : ", ": ")) from None
    metrics.about(study.metric)
    return study


def variants(
    study: Study, changes: Mapping[str, Any] | None = None, files: OwnFiles | None = None
) -> dict[str, Recipe]:
    """Return label -> recipe of every variant, each with the seed 0.

    changes: recipe fields that override those of the study.
    files:   where the user's own code is, and which of it may run.

    Raises UsageError for an invalid field, and where two labels give the same recipe.
    """
    by_label: dict[str, Recipe] = {}
    owners: dict[str, str] = {}
    for label, fields in _labelled(study).items():
        try:
            recipe = _variant(study, label, fields, changes or {}, files)
        except UsageError as error:
            raise UsageError(
                f"the study's variant {label!r}: {error.message}",
                found=error.found,
                remedy=error.remedy,
                see=error.see,
            ) from None
        other = owners.setdefault(recipe.digest, label)
        if other != label:
            raise UsageError(f"the study's variants {other!r} and {label!r} are the same recipe")
        by_label[label] = recipe
    return by_label


def members(variants: Mapping[str, Recipe], seeds: int, folds: int = 0) -> list[Member]:
    """Return every variant with every seed: all variants of seed 0, then of seed 1, and so on.

    folds: 2 or more give each seed as many trainings, one per fold.
    """
    return [
        Member(label, seed, recipe.override({"seed": seed, "folds": folds, "fold": fold}))
        for seed in range(seeds)
        for fold in range(max(folds, 1))
        for label, recipe in variants.items()
    ]


def _labelled(study: Study) -> dict[str, dict[str, Any]]:
    """Return label -> recipe fields of every variant: each of `vary` with each grid cell."""
    keys = list(study.grid)
    combinations = [dict(zip(keys, v, strict=True)) for v in product(*study.grid.values())]
    labelled = {}
    for (label, fields), cell in product((study.vary or {"": {}}).items(), combinations):
        cell_label = ", ".join(f"{key}={value}" for key, value in cell.items())
        labelled[" ".join(filter(None, (label, cell_label)))] = fields | cell
    return labelled


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
        raise UsageError("a study sets the seeds itself", remedy="seeds = 3, without seed")
    if {"fold", "folds"} & (own.keys() | study.overrides.keys() | changes.keys()):
        raise UsageError("a study sets the folds itself", remedy="folds = 5 of the study")
    recipe = base
    for changed_fields in (study.overrides, own, changes):
        recipe = _changed(recipe, changed_fields, files)
    if recipe.digest != base.digest and not _TITLES & own.keys():
        recipe = recipe.override({"title": f"{study.title or study.name}: {label}", "source": ""})
    return recipe


def _base(name: Any, study: Study) -> Recipe:
    if isinstance(name, Recipe):
        return name
    if not isinstance(name, str) or not name:
        raise UsageError("the study has no base", remedy='base = "simple-cnn"')
    beside = Path(study.file).parent / name
    return recipes.load(str(beside) if name.endswith(".toml") else name)


def _changed(recipe: Recipe, fields: Mapping[str, Any], files: OwnFiles | None) -> Recipe:
    """Return the recipe with fields replaced; a key with a dot sets an option of a field."""
    plain = {key: value for key, value in fields.items() if "." not in key}
    dotted = [f"{key}={value!r}" for key, value in fields.items() if "." in key]
    return recipe.override(plain, dotted, files)
