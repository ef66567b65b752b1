"""`hundredfold models`: list networks with their cost, show one in full, or fetch weights."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import cyclopts
from cyclopts import Parameter

from hundredfold import wording
from hundredfold.api import networks
from hundredfold.backbones import BACKBONES
from hundredfold.cli._table import table
from hundredfold.size import Size
from hundredfold.spec import Option

app = cyclopts.App(name="models", help="List models with their parameters, or fetch weights.")


@app.default
def models(
    model: str = "", *, classes: int = 100, size: str = "32", json: bool = False
) -> dict[str, Any]:
    """List the networks with parameters and multiply-accumulates, or show one in full.

    Parameters
    ----------
    model
        A network to show in full, e.g. "wrn(depth=28, width=10)": options, layers and diagram.
    classes
        Number of classes.
    size
        Height and width of the images in pixels, as one number or HEIGHTxWIDTH.
    json
        Print one JSON object.
    """
    pixels = Size.of(size)
    return _one(model, classes, pixels, json) if model else _all(classes, pixels, json)


@app.command
def fetch(
    name: Annotated[str, Parameter(help=", ".join(BACKBONES))],
    *,
    url: Annotated[str, Parameter(show_default="torchvision's")] = "",
    json: bool = False,
) -> dict[str, Any]:
    """Download the published weights of a backbone, so that transfer needs no network.

    An interrupted download continues where it stopped, and the checksum is verified.

    Parameters
    ----------
    url
        Address of a folder that has the file: a mirror.
    json
        Print one JSON object.
    """
    facts = networks.fetch(name, site=url)
    if not json:
        sys.stdout.write(f"{name}: {wording.memory(facts['bytes'])}, in {facts['file']}\n")
    return facts


def _all(classes: int, size: Size, json: bool) -> dict[str, Any]:
    families, listed = networks.families(), networks.list_models(classes=classes, size=size)
    if not json:
        rows = [(family["name"], family["summary"].removeprefix("Build ")) for family in families]
        out = table(("family", "what it is"), rows, left=2) + "\n"
        cells = [(n.model, _n(n.parameters) or "-", _short(n.macs), n.error) for n in listed]
        out += table(("network", "parameters", "MACs", ""), cells)
        out += f"\nfor {classes} classes, {size.height} x {size.width} pixels; "
        sys.stdout.write(out + f'one in full: hundredfold models "{listed[-1].model}"\n')
    return {
        "classes": classes,
        "size": size.plain,
        "families": families,
        "networks": [asdict(network) for network in listed],
    }


def _one(text: str, classes: int, size: Size, json: bool) -> dict[str, Any]:
    part, signature = networks.resolved(text)
    counted = networks.summary(part, classes, size).as_json()
    if not json:
        parts = (
            f"{part}\nfor images of {size.height} x {size.width} pixels and {classes} classes: "
            f"{counted['parameters']:,} parameters, {_short(counted['macs'])} "
            "multiply-accumulates\n",
            signature.module_doc + "\n",
            signature.doc.partition("\n")[2].strip("\n") + "\n",
            _options(signature.options),
            counted["diagram"] + "\n",
            _layers(counted["layers"]),
        )
        sys.stdout.write("\n".join(parts))
    return {
        "model": str(part),
        "classes": classes,
        "summary": signature.summary,
        "options": [asdict(option) for option in signature.options],
        **counted,
    }


def _options(options: Sequence[Option]) -> str:
    rows = [
        (o.name, o.type, "" if o.required else repr(o.default), str(o.limits or ""))
        for o in options
    ]
    return table(("option", "type", "default", "values"), rows, left=4) + "\n" if rows else ""


def _layers(layers: Sequence[dict[str, Any]]) -> str:
    rows = [
        (
            r["name"],
            r["kind"],
            " x ".join(map(str, r["output"])),
            _n(r["parameters"]),
            _n(r["macs"]),
        )
        for r in layers
    ]
    return table(("layer", "kind", "output", "parameters", "MACs"), rows, left=2)


def _short(count: int | None) -> str:
    """Return 40556800 as "40.6 M"."""
    return "-" if count is None else wording.short(count)


def _n(count: int | None) -> str:
    return f"{count:,}" if count else ""
