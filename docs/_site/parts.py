"""A page for each folder of parts, from their signatures and docstrings, read and not imported."""

import importlib.util
from pathlib import Path

from _site.docstrings import markdown
from _site.links import address
from hundredfold import spec

FOLDERS = {
    "models": ("Models", "hundredfold.models", "`--model`, field `model`"),
    "strategies": ("Strategies", "hundredfold.strategies", "`--strategy`, field `strategy`"),
    "augmentations": ("Augmentations", "hundredfold.augment", "`--augment`, field `augment`"),
    "losses": ("Losses", "hundredfold.optim.losses", "`--loss`, field `loss`"),
    "optimizers": ("Optimizers", "hundredfold.optim.optimizers", "`--optimizer`"),
    "schedules": ("Schedules", "hundredfold.optim.schedules", "`--schedule`, field `schedule`"),
    "resolutions": ("Resolutions", "hundredfold.optim.resolutions", "`--resolution`"),
    "metrics": ("Metrics", "hundredfold.metrics", "`hundredfold evaluate`"),
    "data-sets": ("Data sets", "hundredfold.data", "`--data`, field `data`"),
}

_HEAD = """# Parts

A part is a function that a recipe or a flag names, with options: `wrn(depth=28, width=10)`.

"""


def pages() -> dict[str, str]:
    """Return a page for each folder of parts that the package has, and one that lists them."""
    made = {
        name: _page(title, package, where)
        for name, (title, package, where) in FOLDERS.items()
        if importlib.util.find_spec(package)
    }
    return {"parts": _HEAD + "\n".join(["```{toctree}", *made, "```", ""]), **made}


def _page(title: str, package: str, where: str) -> str:
    parts = [spec.describe(name, package) for name in spec.names(package)]
    entries = "\n".join(_part(part, package) for part in parts)
    return f"# {title}\n\nUsed by {where}. Every default is what a recipe gets.\n\n{entries}"


def _part(part: spec.Signature, package: str) -> str:
    options = ", ".join(_option(option) for option in part.options)
    pieces = [f"## {part.name}", f"```python\n{part.name}({options})\n```", markdown(part.doc)]
    if part.options:
        rows = [
            f"| `{o.name}` | `{_cell(o.type)}` | {_default(o)} | {o.limits or ''} |"
            for o in part.options
        ]
        head = ["| option | type | default | values |", "|---|---|---|---|"]
        pieces.append("\n".join([*head, *rows]))
    if part.module != package:  # a file of its own, whose docstring says what it is
        pieces.append(markdown(part.module_doc))
    pieces.append(f"Source: [`{_source(part.module)}`]({address(_source(part.module))})")
    return "\n\n".join(pieces) + "\n"


def _option(option: spec.Option) -> str:
    return option.name if option.required else f"{option.name}={option.default!r}"


def _default(option: spec.Option) -> str:
    return "required" if option.required else f"`{_cell(repr(option.default))}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _source(module: str) -> str:
    found = importlib.util.find_spec(module)
    file = Path(found.origin) if found and found.origin else Path(module)
    return f"src/hundredfold/{file.as_posix().rpartition('/hundredfold/')[2]}"
