"""The recipe: all settings that determine the results of a training."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from hundredfold.errors import UsageError, did_you_mean, shortened
from hundredfold.recipe._changes import changed
from hundredfold.recipe._parts import PACKAGES, OnePart, Parts, Strategy
from hundredfold.spec import BelowOne, Chain, Limits, OwnFiles, Part, Range

_PROSE = ("title", "source")
_LATER = ("balance", "folds", "fold")
R = TypeVar("R", bound="Recipe")


class Recipe(BaseModel):
    """Data, model and training settings, validated, with every default filled in."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", validate_default=True)

    title: str = Field("", description="What the recipe is, for people.")
    source: str = Field("", description="Whose recipe it is, and what it reaches.")
    engine: Literal["pytorch", "tensorflow"] = Field(
        "pytorch", description="What computes; each engine has models of its own."
    )
    data: OnePart = Field(
        "digits",  # type: ignore[assignment]
        description='A data set, such as "cifar100", or a folder with your own images.',
    )
    model: OnePart = Field(
        "simple_cnn",  # type: ignore[assignment]
        description='The network: "wrn(depth=16, width=4)", a backbone such as "densenet169", or '
        'one of your own, "my_nets.py:net(width=32)".',
    )
    weights: str = Field(
        "",
        description='What the network begins with: "imagenet", a run, a file of weights, a folder '
        'of such files, or "none" to draw them at random.',
    )
    strategy: Strategy = Field(
        "",  # type: ignore[assignment]
        description='What is trained: "scratch" everything, "linear_probe" a head on features, '
        '"fine_tune(rate=0.1)" a head and the network. With weights it is linear_probe.',
    )
    augment: Parts = Field(
        "",  # type: ignore[assignment]
        description='Augmentations in their order, such as "pad_crop(pixels=4) | flip"; "none" '
        "for none.",
    )
    loss: OnePart = Field(
        "cross_entropy",  # type: ignore[assignment]
        description='The loss, such as "cross_entropy(label_smoothing=0.1)".',
    )
    optimizer: OnePart = Field(
        "adam",  # type: ignore[assignment]
        description='The optimizer, such as "sgd(lr=0.1)" or "adamw(lr=0.002)".',
    )
    schedule: OnePart = Field(
        "constant",  # type: ignore[assignment]
        description='How the learning rate changes, such as "one_cycle(warmup=0.3)".',
    )
    resolution: OnePart = Field(
        "full",  # type: ignore[assignment]
        description='The size that images are trained at: "full", or "progressive" to begin with '
        "smaller ones.",
    )
    epochs: Annotated[int | float, Range(0, 1_000_000_000)] = Field(
        100,
        description="Passes over the training images at most; 8.75 ends within the ninth. 0 keeps "
        "a head as it was fitted to features.",
    )
    batch_size: Annotated[int, Range(1, 100_000)] = Field(128, description="Images of a step.")
    patience: Annotated[int, Range(0, 100_000)] = Field(
        25,
        description="Epochs without a better `select` before training stops; 0 never stops early.",
    )
    select: Literal["validation.loss", "validation.top_1", "last"] = Field(
        "validation.loss",
        description='What decides which epoch\'s weights are kept; "last" keeps the last.',
    )
    micro_batch: Annotated[int, Range(0, 100_000)] = Field(
        0,
        description="Images per forward pass: what fits in memory or cache, and what BatchNorm "
        "sees. 0 is the whole batch where layers need it.",
    )
    ema: BelowOne = Field(
        0.0,
        description="Decay per step of the averaged weights that are scored and kept; 0 is off.",
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="Numbers to compute with; auto takes bf16 where timing shows a gain."
    )
    validation: BelowOne = Field(
        0.1,
        description="Fraction of the training images held out for validation, where the data set "
        'has no validation part. 0 trains on all images, which needs select "last".',
    )
    limit: Annotated[int, Range(0, 1_000_000_000)] = Field(
        0, description="Use only so many training images, drawn by seed; 0 uses all."
    )
    balance: Literal["none", "weights", "sample"] = Field(
        "none",
        description='For uneven classes: "weights" weights the loss of an image by the inverse '
        'frequency of its class, "sample" draws every class equally often in each epoch.',
    )
    folds: Annotated[int, Range(0, 1000)] = Field(
        0,
        description="Cut the training images into so many folds, of which `fold` becomes "
        "validation, instead of the fraction `validation`; 0 is off. A study sets both.",
    )
    fold: Annotated[int, Range(0, 999)] = Field(
        0, description="Which fold is validation, from 0 on."
    )
    seed: Annotated[int, Range(0, 2**32 - 1)] = Field(
        0,
        description="Decides the validation cut, the first weights, the order and every draw.",
    )
    sources: dict[str, str] = Field(
        {}, description="SHA-256 of each file of your own that a part names; filled in."
    )

    @field_validator("epochs")
    @classmethod
    def _whole_where_it_is(cls, epochs: float) -> float:
        return int(epochs) if epochs == int(epochs) else epochs  # 2.0 is the run of 2

    @field_validator("weights")
    @classmethod
    def _empty_for_none(cls, weights: str) -> str:
        return "" if weights == "none" else weights

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if not self.validation and self.select != "last":
            raise ValueError(f'with validation = 0 there is no {self.select}; set select = "last"')
        if self.folds == 1 or self.fold >= max(self.folds, 1):
            raise ValueError(
                f"there is no fold = {self.fold} of folds = {self.folds}; folds are 2 or more, and "
                "fold is at least 0 and below folds"
            )
        if self.weights and self.strategy.name == "scratch":
            raise ValueError(
                f'the strategy scratch takes no weights, and weights = "{self.weights}"; '
                'linear_probe or fine_tune take them, or set weights = "none"'
            )
        if not self.weights and self.strategy.name != "scratch":
            raise ValueError(
                f"the strategy {self.strategy.name} needs weights to begin with: "
                '"imagenet", a run, or a file'
            )
        self.sources.update(_sources(self))
        return self

    def with_model(self, value: Any) -> Self:
        """Return the recipe with an object in Python as its network, for a user's own network.

        Raises UsageError where the network is part of Hundredfold.
        """
        own = self.model.own
        if own is None:
            raise UsageError(
                f"{self.model} ships with Hundredfold and takes no model of yours",
                remedy="hf.load(RUN) alone",
            )
        model = replace(self.model, own=replace(own, value=value, trusted=True))
        return self.model_copy(update={"model": model})

    @property
    def trusted(self) -> frozenset[str]:
        """SHA-256 of the user's own code that may run."""
        return frozenset(p.own.digest for p in self.parts if p.own and p.own.trusted)

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of all fields that determine the results.

        Fields that came later count only where they are set, so that older runs keep theirs.
        """
        later = {
            key for key in _LATER if getattr(self, key) == type(self).model_fields[key].default
        }
        decisive = self.model_dump(exclude={*_PROSE, *later})
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()

    @property
    def parts(self) -> tuple[Part, ...]:
        """All parts that the recipe names."""
        values = (getattr(self, field) for field in PACKAGES)
        return tuple(
            p for value in values for p in (value if isinstance(value, Chain) else [value])
        )

    def __hash__(self) -> int:
        return hash(self.digest)

    def toml(self) -> str:
        """Return the recipe as TOML with every default."""
        return "".join(f"{key:<11} = {_toml(v)}\n" for key, v in self.model_dump().items())

    def override(
        self, changes: Mapping[str, Any], sets: Iterable[str] = (), files: OwnFiles | None = None
    ) -> Self:
        """Return a recipe after replacing fields and setting single options.

        changes: field -> value; None changes nothing. sets: texts such as "epochs=5" or
        "model.depth=16". files: the user's own files that the changes name. Raises UsageError.
        """
        fields = changed(dict(self), changes, sets, files)
        return _validated(type(self), fields, files)


def _sources(recipe: Recipe) -> dict[str, str]:
    """Return file -> SHA-256 of the user's own code. Raises UsageError for a changed file."""
    digests: dict[str, str] = {}
    for part in recipe.parts:
        if part.own is None:
            continue
        key = part.own.file if part.own.source else f"{part.own.file}:{part.name}"
        recorded = digests.get(key) or recipe.sources.get(key)
        if part.own.digest and recorded and recorded != part.own.digest:
            raise UsageError(
                f"{key} is not the file that the recipe was made with",
                found=f"SHA-256 {part.own.digest[:12]}, not {recorded[:12]}",
                remedy="put the former file back, or train a new run",
            )
        digests[key] = part.own.digest or recorded or ""
    return digests


def from_fields(fields: Mapping[str, Any], files: OwnFiles | None = None) -> Recipe:
    """Build a recipe from plain values. Raises UsageError that names the invalid field."""
    return _validated(Recipe, fields, files)


def _validated(kind: type[R], fields: Mapping[str, Any], files: OwnFiles | None) -> R:
    for key in fields:
        if key not in Recipe.model_fields:
            raise UsageError(
                f"a recipe has no key {shortened(key)}",
                remedy=did_you_mean(key, Recipe.model_fields),
            )
    try:
        return kind.model_validate(fields, context=files)
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0]) if first["loc"] else ""
        reason = first["msg"].removeprefix("Value error, ")
        if not field:  # a rule over several fields, whose message is complete
            raise UsageError(f"invalid recipe: {reason}") from None
        limits, given = limits_of_field(field), first["input"]
        remedy = None
        if limits and isinstance(given, int | float) and limits.nearest(given) in limits:
            remedy = f"{field} = {limits.nearest(given)}"
        raise UsageError(
            f"invalid recipe: {field} = {shortened(given)}",
            found=f"{field} is {limits}" if limits else reason,
            remedy=remedy,
        ) from None


def limits_of_field(name: str) -> Limits | None:
    """Return the limits of a recipe's number, or None."""
    own = Recipe.model_fields[name].metadata
    return next((limits for limits in own if isinstance(limits, Limits)), None)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        pairs = ", ".join(f"{json.dumps(key)} = {_toml(inner)}" for key, inner in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    # JSON strings are TOML strings, except that TOML requires DEL to be escaped
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
