"""Every number that a recipe or a call may hold has a range, and is refused outside it."""

import math
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import pytest

from hundredfold import spec
from hundredfold.api.options import (
    DATA_OPTIONS,
    CommandOptions,
    RecipeFields,
    with_values,
)
from hundredfold.api.study_options import StudyOptions
from hundredfold.errors import UsageError
from hundredfold.recipe import PACKAGES, TENSORFLOW_MODELS, Recipe, from_fields, limits_of_field
from hundredfold.spec import Limits, OneOf, Option, Range

_ABSURD = (math.nan, math.inf, -math.inf, 1e308, -1e308, 10**30, -(10**30), 10**400)
_REQUIRED = {
    "timm": "timm(name='resnet18')",
    "keras_application": "keras_application(name='vgg16')",
}
_OF_PARTS = {"lr", *DATA_OPTIONS}  # keywords that set an option of a part
_NUMBERS = [
    (package, name, option)
    for package in sorted({*PACKAGES.values(), TENSORFLOW_MODELS, "hundredfold.metrics"})
    for name in spec.names(package)
    if name != "published"
    for option in spec.describe(name, package).options
    if "int" in option.type or "float" in option.type
]
_FIELDS = [
    name
    for name, field in Recipe.model_fields.items()
    if {int, float} & {field.annotation, *get_args(field.annotation)}
]


def _id(value: Any) -> str | None:
    return value.name if isinstance(value, Option) else None


def _outside(limits: Limits) -> list[float]:
    """Return numbers just outside of limits, and absurd ones."""
    if isinstance(limits, OneOf):
        return [limits.values[0] - 1, limits.values[-1] + 1, *_ABSURD]
    assert isinstance(limits, Range)
    low = limits.low if limits.open_low else limits.low - 1e-6
    high = limits.high if limits.open_high else limits.high + 1e-3
    whole = [math.floor(limits.low) - 1, math.ceil(limits.high) + 1]
    return [n for n in (low, high, *whole) if n not in limits.also] + list(_ABSURD)


@pytest.mark.parametrize(("package", "name", "option"), _NUMBERS, ids=_id)
def test_a_number_of_a_part_is_refused_outside_its_range(
    package: str, name: str, option: Option
) -> None:
    assert option.limits is not None, f"{name}({option.name}) has no range"
    part = spec.part(_REQUIRED.get(name, name), package)
    for number in _outside(option.limits):
        value = (number,) if option.type.startswith("tuple") else number
        with pytest.raises(UsageError) as caught:
            part.with_options({option.name: value})
        assert f"{option.name} is {option.limits}" in str(caught.value)
        assert len(caught.value.message.splitlines()) == 1
        if caught.value.remedy and name not in _REQUIRED:
            spec.part(caught.value.remedy, package)
        assert len(str(caught.value)) < 500
        assert caught.value.exit_code == 2


@pytest.mark.parametrize(("package", "name", "option"), _NUMBERS, ids=_id)
def test_the_default_of_a_part_lies_in_its_range(package: str, name: str, option: Option) -> None:
    values = option.default if isinstance(option.default, tuple) else [option.default]
    assert all(value is None or value in option.limits for value in values), (package, name)


@pytest.mark.parametrize("name", _FIELDS)
def test_a_number_of_a_recipe_is_refused_outside_its_range(name: str) -> None:
    limits = limits_of_field(name)
    assert limits is not None
    assert getattr(Recipe(), name) in limits
    for number in _outside(limits):
        with pytest.raises(UsageError, match=f"invalid recipe: {name} = ") as caught:
            from_fields({name: number})
        assert f"{name} is {limits}" in str(caught.value)
        assert len(str(caught.value)) < 500


def _is_number(hint: Any) -> bool:
    inner = get_args(hint)[:1] if get_origin(hint) is Annotated else get_args(hint)
    return hint in (int, float) or (get_origin(hint) is not list and any(map(_is_number, inner)))


@pytest.mark.parametrize("kind", [CommandOptions, StudyOptions])
def test_a_number_of_a_call_is_refused_outside_its_range(kind: type) -> None:
    hints = get_type_hints(kind, include_extras=True)
    numbers = {key for key, hint in hints.items() if _is_number(hint)}
    left = set(RecipeFields.__optional_keys__) - {"seeds", "folds", "jobs"}
    for key in numbers - _OF_PARTS - left:
        limits = spec.limits_of(hints[key])
        assert limits is not None, key
        for number in _outside(limits):
            with pytest.raises(UsageError) as caught:
                with_values({key: number}, kind)
            assert f"{key} is {limits}" in str(caught.value)
