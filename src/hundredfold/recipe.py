"""Everything that decides a run's numbers, as one frozen value that fits on a page."""

import hashlib
import json
import math
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from hundredfold import spec
from hundredfold.errors import UsageError, did_you_mean
from hundredfold.spec import Call

PACKAGES = {
    "data": "hundredfold.data",
    "model": "hundredfold.models",
    "augment": "hundredfold.augment",
    "loss": "hundredfold.optim.losses",
    "optimizer": "hundredfold.optim.optimizers",
    "schedule": "hundredfold.optim.schedules",
    "resolution": "hundredfold.optim.resolutions",
}
TENSORFLOW_MODELS = "hundredfold.engines.tensorflow.models"
_PROSE = ("title", "source")
_LARGEST = 1_000_000  # bytes of a file that a person wrote
QUICK = {"epochs": 2, "limit": 2048}  # --quick: see that everything works


def _part(field: str) -> AfterValidator:
    def spell_out(text: str) -> str:
        return str(spec.complete(spec.parse(text), PACKAGES[field]))

    return AfterValidator(spell_out)


def _spell_out_chain(text: str) -> str:
    calls = spec.parse_chain(text)
    return " | ".join(str(spec.complete(c, PACKAGES["augment"])) for c in calls)


def _spell_out_model(text: str, info: ValidationInfo) -> str:
    package, asked = _package("model", info.data), spec.parse(text)
    if package == TENSORFLOW_MODELS and asked.name not in spec.names(package):
        raise UsageError(
            f"the TensorFlow engine has no model {asked.name!r}",
            remedy=did_you_mean(asked.name, spec.names(package)),
        )
    return str(spec.complete(asked, package))


def _package(field: str, fields: Mapping[str, Any]) -> str:
    """Return where a field's parts are; the engine decides which models there are."""
    own = field == "model" and fields.get("engine") == "tensorflow"
    return TENSORFLOW_MODELS if own else PACKAGES[field]


class Recipe(BaseModel):
    """What to train, on what, and how; every part is checked and every default spelled out.

    engine:     what computes, "pytorch" or "tensorflow"; each has models of its own.
    data:       a data set, e.g. "cifar100" or "image_folder(size=64)".
    augment:    operations joined by "|", applied in that order; "" for none.
    resolution: the size at which images are trained on: "full" or "progressive".
    epochs:     passes over the training images at most; 8.75 ends within the ninth.
    patience:   epochs without a better `select` before training stops; 0 never stops early.
    select:     what decides which epoch's weights are kept; "last" keeps the last epoch's.
    ema:        decay per step of the averaged weights that are scored and kept; 0 is off.
    micro_batch: images that go through the model at once, so that they fit in memory or
                cache, and threads of a CPU take them side by side; BatchNorm sees only
                these. 0 is the whole batch, for layers that have to see it.
    precision:  "auto" takes bf16 where a short probe shows that the machine gains from it.
    validation: share of the training images that is cut off for validation, in [0, 1);
                a data set with a validation part of its own uses that. 0 trains on all
                images, which needs select "last": nothing is left to choose an epoch by.
    limit:      use only this many training images, drawn by seed; 0 uses all.
    seed:       decides the validation cut, the first weights, the order, every random draw.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", validate_default=True)

    title: str = Field("", description="What the recipe is, for people.")
    source: str = Field("", description="Whose recipe it is, and what it reaches.")
    engine: Literal["pytorch", "tensorflow"] = Field(
        "pytorch", description="What computes; each engine has models of its own."
    )
    data: Annotated[str, _part("data")] = Field(
        "digits", description='A data set, such as "cifar100", or a folder with your own images.'
    )
    model: Annotated[str, AfterValidator(_spell_out_model)] = Field(
        "simple_cnn",
        description='The network, such as "wrn(depth=16, width=4)"; see hundredfold models.',
    )
    augment: Annotated[str, AfterValidator(_spell_out_chain)] = Field(
        "",
        description='Augmentations in their order, such as "pad_crop(pixels=4) | flip"; "none" '
        "for none.",
    )
    loss: Annotated[str, _part("loss")] = Field(
        "cross_entropy", description='The loss, such as "cross_entropy(label_smoothing=0.1)".'
    )
    optimizer: Annotated[str, _part("optimizer")] = Field(
        "adam", description='The optimizer, such as "sgd(lr=0.1)" or "adamw(lr=0.002)".'
    )
    schedule: Annotated[str, _part("schedule")] = Field(
        "constant", description='How the learning rate changes, such as "one_cycle(warmup=0.3)".'
    )
    resolution: Annotated[str, _part("resolution")] = Field(
        "full",
        description='The size that images are trained at: "full", or "progressive" to begin with '
        "smaller ones.",
    )
    epochs: int | float = Field(
        100,
        gt=0,
        lt=math.inf,
        description="Passes over the training images at most; 8.75 ends within the ninth.",
    )
    batch_size: int = Field(128, ge=1, description="Images of a step.")
    patience: int = Field(
        25,
        ge=0,
        description="Epochs without a better `select` before training stops; 0 never stops early.",
    )
    select: Literal["validation.loss", "validation.top_1", "last"] = Field(
        "validation.loss",
        description='What decides which epoch\'s weights are kept; "last" keeps the last.',
    )
    micro_batch: int = Field(
        0,
        ge=0,
        description="Images per forward pass: what fits in memory or cache, and what BatchNorm "
        "sees. 0 is the whole batch where layers need it.",
    )
    ema: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Decay per step of the averaged weights that are scored and kept; 0 is off.",
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="Numbers to compute with; auto takes bf16 where timing shows a gain."
    )
    validation: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="Share of the training images kept back for validation, where the data set "
        'has no validation part. 0 trains on all images, which needs select "last".',
    )
    limit: int = Field(
        0, ge=0, description="Use only so many training images, drawn by seed; 0 uses all."
    )
    seed: int = Field(
        0,
        ge=0,
        lt=2**32,
        description="Decides the validation cut, the first weights, the order and every draw.",
    )

    @field_validator("epochs")
    @classmethod
    def _whole_where_it_is(cls, epochs: float) -> float:
        return int(epochs) if epochs == int(epochs) else epochs  # 2.0 is the run of 2

    @model_validator(mode="after")
    def _chooses_by_something(self) -> Self:
        if not self.validation and self.select != "last":
            raise ValueError(f'with validation = 0 there is no {self.select}; set select = "last"')
        return self

    @property
    def digest(self) -> str:
        """Identify the run: SHA-256 (hex) of all that decides its numbers."""
        decisive = self.model_dump(exclude=set(_PROSE))
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()

    def toml(self) -> str:
        """Return the recipe as a TOML text with every default spelled out."""
        return "".join(f"{key:<10} = {_toml(v)}\n" for key, v in self.model_dump().items())

    def override(self, changes: Mapping[str, Any], sets: Iterable[str] = ()) -> Self:
        """Return a recipe with fields replaced, and single options set.

        changes: field -> value; a value of None changes nothing.
        sets: texts such as "epochs=5" or "model.depth=16".
        """
        fields = self.model_dump() | {k: v for k, v in changes.items() if v is not None}
        for text in sets:
            _set(fields, text)
        return type(self)(**_checked(fields))


def load(text: str) -> Recipe:
    """Read a recipe from a TOML file, or by the name of one that ships.

    Raises UsageError for an unknown name, text that is not TOML, or a wrong key or value.
    """
    path = Path(text)
    if path.suffix != ".toml":
        path = shipped("").get(text, path)
    if path.suffix != ".toml":
        raise UsageError(f"no recipe is called {text!r}", remedy=did_you_mean(text, shipped("")))
    return Recipe(**_checked(read_toml(path, "recipe")))


def shipped(folder: str) -> dict[str, Path]:
    """Return name -> file of the recipes that ship ("" or "studies")."""
    here = Path(__file__).parent
    installed, checkout = here / "_recipes", here.parents[1] / "recipes"
    root = installed if installed.is_dir() else checkout
    return {path.stem: path for path in sorted((root / folder).glob("*.toml"))}


def read_toml(path: Path, kind: str) -> dict[str, Any]:
    """Read a TOML file that a user names. Raises UsageError in one sentence."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise UsageError(f"cannot read the {kind} {str(path)!r}", found="more than a MB")
        return tomllib.loads(content.decode())
    except FileNotFoundError:
        raise UsageError(f"there is no {kind} file {str(path)!r}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"cannot read the {kind} {str(path)!r}", found=str(error)) from None


def from_fields(fields: Mapping[str, Any]) -> Recipe:
    """Build a recipe from plain values. Raises UsageError naming the field that is wrong."""
    return Recipe(**_checked(fields))


def _checked(fields: Mapping[str, Any]) -> dict[str, Any]:
    for key in fields:
        if key not in Recipe.model_fields:
            raise UsageError(
                f"a recipe has no key {key!r}", remedy=did_you_mean(key, Recipe.model_fields)
            )
    try:
        Recipe(**fields)
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0]) if first["loc"] else ""
        if not field:  # a rule over several fields, which says it all
            raise UsageError(first["msg"].removeprefix("Value error, ")) from None
        raise UsageError(
            f"the recipe's {field} = {first['input']!r} will not do", found=first["msg"]
        ) from None
    return dict(fields)


def _set(fields: dict[str, Any], text: str) -> None:
    key, equals, value = text.partition("=")
    field, dot, option = key.strip().partition(".")
    if not equals or field not in Recipe.model_fields:
        raise UsageError(
            f"cannot set {text!r}",
            found="--set takes FIELD=VALUE or FIELD.OPTION=VALUE",
            remedy=did_you_mean(field, Recipe.model_fields),
        )
    literal = spec.literal(value.strip())
    if not dot:
        fields[field] = literal
        return
    if field not in PACKAGES:
        raise UsageError(f"{field!r} has no options to set", remedy=f"--set {field}={value}")
    calls, package = spec.parse_chain(fields[field]), _package(field, fields)
    takers = [c for c in calls if _takes(c, package, option)]
    if not takers:
        known = {o.name for c in calls for o in spec.describe(c.name, package).options}
        raise UsageError(
            f"{fields[field] or field} has no option {option!r}",
            remedy=did_you_mean(option, known) if known else "it takes no options",
        )
    changed = (Call(c.name, {**c.options, option: literal}) if c in takers else c for c in calls)
    fields[field] = " | ".join(map(str, changed))


def _takes(part: Call, package: str, option: str) -> bool:
    return option in {o.name for o in spec.describe(part.name, package).options}


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    # JSON's strings are TOML's but for DEL, which TOML wants escaped
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
