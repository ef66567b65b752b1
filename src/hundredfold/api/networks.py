"""The available networks and their cost."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from hundredfold import spec
from hundredfold.api.images import source_in
from hundredfold.backbones import network_of
from hundredfold.errors import UsageError
from hundredfold.size import Size, SizeLike
from hundredfold.spec import Part, Range, need
from hundredfold.weights import official

if TYPE_CHECKING:  # torch takes a second: it is loaded where a network is counted
    from hundredfold.models import Summary

_PACKAGE = "hundredfold.models"
_CLASSES, _SIZES = Range(2, 100_000), Range(1, 4096)
_EXAMPLES = (
    "resnet(depth=20)",
    "resnet(depth=50)",
    "wrn(depth=16, width=4)",
    "densenet(depth=121)",
    "vgg(depth=11)",
)


@dataclass(frozen=True)
class Network:
    """A network and its cost for images of one size.

    model:      as a recipe names it, options at their defaults left out.
    parameters: their number; None where the network cannot be built for that size.
    macs:       multiply-accumulates per image; None where it cannot be built.
    error:      why it cannot be built; "" where it can.
    """

    model: str
    parameters: int | None = None
    macs: int | None = None
    error: str = ""


def list_models(*, classes: int = 100, size: SizeLike = 32) -> list[Network]:
    """Return the default network of each family and some examples, with parameters and cost.

    classes: number of classes.
    size: of the images in pixels: one number, or "HEIGHTxWIDTH".

    Raises UsageError where no network can be built, and for a number out of range.
    """
    need("classes", classes, _CLASSES)
    for side in Size.of(size):
        need("size", side, _SIZES)
    networks, wrong = [], None
    for family in spec.names(_PACKAGE):
        needs = any(option.required for option in spec.describe(family, _PACKAGE).options)
        examples = [text for text in _EXAMPLES if spec.parse(text).name == family]
        for text in examples if needs else [family, *examples]:
            try:
                counted = summary(spec.part(text, _PACKAGE), classes, size)
                networks.append(Network(text, counted.parameters, counted.macs))
            except UsageError as error:
                wrong = error
                networks.append(Network(text, error=error.message))
    if wrong is not None and all(network.error for network in networks):
        raise wrong
    return networks


def families() -> list[dict[str, Any]]:
    """Return name, summary and options of each family of networks."""
    signatures = (spec.describe(name, _PACKAGE) for name in spec.names(_PACKAGE))
    return [
        {"name": f.name, "summary": f.summary, "options": [asdict(o) for o in f.options]}
        for f in signatures
    ]


def summary(part: Part, classes: int, size: SizeLike) -> Summary:
    """Return the summary of a network: parameters, multiply-accumulates, layers, diagram."""
    from hundredfold import models

    need("classes", classes, _CLASSES)
    for side in Size.of(size):
        need("size", side, _SIZES)
    return models.summary(models.outline(part, classes=classes, size=size), size)


def fetch(name: str, *, site: str = "") -> dict[str, Any]:
    """Download a backbone's published weights into the cache, with their checksum verified.

    name: of a backbone, such as "densenet169". site: address of a folder that has the file,
    instead of torchvision's.

    Returns name, file and bytes. Raises UsageError for another name, and MissingError where the
    weights cannot be had.
    """
    file = official.fetch(name, source_in(None), site)
    return {"name": name, "file": str(file), "bytes": file.stat().st_size}


def resolved(text: str) -> tuple[Part, spec.Signature]:
    """Return a network with every option spelled out, and its signature with documentation."""
    part = spec.part(network_of(text) or text, _PACKAGE)
    return part, part.signature
