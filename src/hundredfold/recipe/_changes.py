"""Apply changes to a recipe's fields, before these are validated together."""

from collections.abc import Iterable, Mapping
from typing import Any

from hundredfold import spec
from hundredfold.errors import UsageError, did_you_mean, shortened
from hundredfold.recipe._parts import PACKAGES, network_for, package_of
from hundredfold.spec import Chain, OwnFiles, Part


def changed(
    fields: Mapping[str, Any],
    changes: Mapping[str, Any],
    sets: Iterable[str],
    files: OwnFiles | None,
) -> dict[str, Any]:
    """Return a recipe's fields after replacing fields and setting single options.

    changes: field -> value; None changes nothing. sets: texts such as "epochs=5" or
    "model.depth=16". Where weights change and the strategy does not, the strategy is adapted.
    """
    replaced = {key: value for key, value in changes.items() if value is not None}
    result = dict(fields) | replaced
    if "weights" in replaced and "strategy" not in replaced:
        result["strategy"] = _strategy_for(str(replaced["weights"]), fields["strategy"])
    for text in sets:
        _set(result, text, files)
    if result["engine"] != fields["engine"] and isinstance(result["model"], Part):
        result["model"] = str(result["model"])  # each engine has models of its own
    return result


def _strategy_for(weights: str, strategy: Part) -> Part | str:
    """Return a strategy that is valid with changed weights."""
    is_random_init = weights in ("", "none")
    if is_random_init == (strategy.name == "scratch"):
        return strategy
    return "scratch" if is_random_init else "linear_probe"


def _set(fields: dict[str, Any], text: str, files: OwnFiles | None) -> None:
    key, equals, value = text.partition("=")
    field, dot, option = key.strip().partition(".")
    if not equals or field not in fields:
        raise UsageError(
            f"cannot set {shortened(text)}",
            found="--set takes FIELD=VALUE or FIELD.OPTION=VALUE",
            remedy=did_you_mean(field, fields),
        )
    literal = spec.literal(value.strip())
    if not dot:
        if field == "weights" and isinstance(fields["strategy"], Part):
            fields["strategy"] = _strategy_for(str(literal), fields["strategy"])
        fields[field] = literal
        return
    if field not in PACKAGES:
        raise UsageError(f"{field!r} has no options to set", remedy=f"--set {field}={value[:100]}")
    chain = _as_chain(field, fields, files)
    takers = [part for part in chain if part.takes(option)]
    if not takers:
        options = {o.name for part in chain for o in part.signature.options}
        raise UsageError(
            f"{str(fields[field])[:100] or field} has no option {shortened(option)}",
            remedy=did_you_mean(option, options) if options else "it takes no options",
        )
    changed = Chain(p.with_options({option: literal}) if p in takers else p for p in chain)
    fields[field] = (
        changed if isinstance(fields[field], Chain) or field == "augment" else changed[0]
    )


def _as_chain(field: str, fields: Mapping[str, Any], files: OwnFiles | None) -> Chain:
    """Return a field's parts, parsed where the field is text."""
    value = fields[field]
    if isinstance(value, Part):
        return Chain([value])
    if isinstance(value, Chain):
        return value
    package = package_of(field, fields)
    text = network_for(str(value), package) if field == "model" else str(value)
    return spec.chain(text, package, files)
