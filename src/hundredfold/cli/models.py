"""`hundredfold models`: every network with its cost, or one in full."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from hundredfold import spec
from hundredfold.backbones import network_of
from hundredfold.cli._table import table
from hundredfold.errors import UsageError
from hundredfold.spec import Part, Signature

if TYPE_CHECKING:  # torch takes a second: it is loaded where a network is counted
    from hundredfold.models import Layer, Summary

_PACKAGE = "hundredfold.models"
_EXAMPLES = (
    "resnet(depth=20)",
    "resnet(depth=50)",
    "wrn(depth=16, width=4)",
    "densenet(depth=121)",
    "vgg(depth=11)",
)


def models(
    model: str = "", *, classes: int = 100, size: int = 32, json: bool = False
) -> dict[str, Any]:
    """List the networks with parameters and multiply-accumulates, or show one in full.

    Parameters
    ----------
    model
        One to show in full, e.g. "wrn(depth=28, width=10)": its options, layers and diagram.
    classes
        Number of classes.
    size
        Height and width of the images in pixels.
    json
        Print one JSON object.
    """
    return _one(model, classes, size, json) if model else _all(classes, size, json)


def _all(classes: int, size: int, json: bool) -> dict[str, Any]:
    families = [spec.describe(name, _PACKAGE) for name in spec.names(_PACKAGE)]
    networks = _networks(families, classes, size)
    if not json:
        rows = [(family.name, family.summary.removeprefix("Build ")) for family in families]
        out = table(("family", "what it is"), rows, left=2) + "\n"
        cells = [(n["model"], *_cost(n), n["error"]) for n in networks]
        out += table(("network", "parameters", "MACs", ""), cells)
        out += f'\nfor {classes} classes, {size} x {size} pixels; one in full: hundredfold models "'
        sys.stdout.write(out + f'{networks[-1]["model"]}"\n')
    return {
        "classes": classes,
        "size": size,
        "families": [
            {"name": f.name, "summary": f.summary, "options": [asdict(o) for o in f.options]}
            for f in families
        ],
        "networks": networks,
    }


def _networks(families: list[Signature], classes: int, size: int) -> list[dict[str, Any]]:
    """Count each family's default and the examples, in the order of the families."""
    rows, wrong = [], None
    for family in families:
        examples = [spec.part(text, _PACKAGE) for text in _EXAMPLES]
        needs = any(option.required for option in family.options)
        default = [] if needs else [spec.part(family.name, _PACKAGE)]
        for one in [*default, *(one for one in examples if one.name == family.name)]:
            row: dict[str, Any] = {"model": str(one), "parameters": None, "macs": None, "error": ""}
            try:
                counted = _count(one, classes, size)
                row |= {"parameters": counted.parameters, "macs": counted.macs}
            except UsageError as error:
                wrong = error
                row["error"] = error.message
            rows.append(row)
    if wrong is not None and all(row["error"] for row in rows):
        raise wrong
    return rows


def _count(one: Part, classes: int, size: int) -> Summary:
    from hundredfold import models as networks

    return networks.summary(networks.outline(one, classes=classes, size=size), size)


def _one(text: str, classes: int, size: int, json: bool) -> dict[str, Any]:
    one = spec.part(network_of(text) or text, _PACKAGE)
    signature = one.signature
    counted = _count(one, classes, size)
    if not json:
        parts = (
            f"{one}\nfor images of {size} x {size} pixels and {classes} classes: "
            f"{counted.parameters:,} parameters, {_short(counted.macs)} multiply-accumulates\n",
            signature.module_doc + "\n",
            signature.doc.partition("\n")[2].strip("\n") + "\n",
            counted.diagram + "\n",
            _layers(counted.layers),
        )
        sys.stdout.write("\n".join(parts))
    return {
        "model": str(one),
        "classes": classes,
        "summary": signature.summary,
        "options": [asdict(option) for option in signature.options],
        **counted.as_json(),
    }


def _layers(layers: Sequence[Layer]) -> str:
    rows = [
        (row.name, row.kind, " x ".join(map(str, row.output)), _n(row.parameters), _n(row.macs))
        for row in layers
    ]
    return table(("layer", "kind", "output", "parameters", "MACs"), rows, left=2)


def _cost(row: dict[str, Any]) -> tuple[str, str]:
    if row["error"]:
        return "-", "-"
    return f"{row['parameters']:,}", _short(row["macs"])


def _short(count: int) -> str:
    """Return 40556800 as "40.6 M"."""
    for unit, scale in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= scale:
            return f"{count / scale:.3g} {unit}"
    return str(count)


def _n(count: int) -> str:
    return f"{count:,}" if count else ""
