"""The command reference and the fields of a recipe, from what the command itself knows."""

from typing import Any

from cyclopts import App
from cyclopts.argument import Argument

from _site.docstrings import markdown
from hundredfold.cli import application
from hundredfold.recipe import Recipe

_HIDDEN = ("--help", "-h", "--version")


def pages() -> dict[str, str]:
    """Return the page of all verbs and the page of all recipe fields."""
    app = application()
    verbs = "\n".join(_verb(app, (name,)) for name in app if name not in _HIDDEN)
    head = (
        "# Command reference\n\nEvery verb, every option and every default. An option that is a "
        "field of a recipe has the recipe's value where it is not given; the default here is "
        "that of a command without a recipe.\n\n"
    )
    return {"command": head + verbs, "recipe": _recipe()}


def _verb(parent: App, path: tuple[str, ...]) -> str:
    app = parent[path[-1]]
    inner = [name for name in app if name not in _HIDDEN]
    if inner:
        verbs = [_verb(app, (*path, name)) for name in inner]
        return "\n".join([_entry(parent, path), *verbs] if app.default_command else verbs)
    return _entry(parent, path)


def _entry(parent: App, path: tuple[str, ...]) -> str:
    """Return the entry of a verb: its heading, usage and options."""
    app = parent[path[-1]]
    default = parent.default_parameter
    found = app.assemble_argument_collection(default_parameter=default, parse_docstring=True)
    rows = [_row(argument) for argument in found if argument.show]
    doc = (app.default_command.__doc__ or "").partition("Parameters\n")[0]
    name = f"hundredfold {' '.join(path)}"
    table = "\n".join(["| option | default | meaning |", "|---|---|---|", *rows])
    return f"## {name}\n\n{markdown(doc)}\n\n{table}\n"


def _row(argument: Argument) -> str:
    name = argument.names[0]
    shown = name if name.startswith("-") else name.upper()
    meaning = " ".join((argument.parameter.help or "").split())
    return f"| `{shown}` | {_default(argument)} | {_cell(meaning)} |"


def _default(argument: Argument) -> str:
    if argument.required:
        return "required"
    value = argument.field_info.default
    field = Recipe.model_fields.get(argument.names[0].lstrip("-").replace("-", "_"))
    if value is None and field:
        value = field.default
    return _value(value)


def _value(value: Any) -> str:
    if value is None or value in ("", ()):
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"`{_cell(str(value))}`"


def _recipe() -> str:
    """Return the page of a recipe's fields, with their defaults."""
    rows = [
        f"| `{name}` | `{_cell(_type(field.annotation))}` | {_value(field.default)} |"
        for name, field in Recipe.model_fields.items()
    ]
    head = "# Fields of a recipe\n\nA recipe is a TOML file with any of these fields.\n\n"
    table = "\n".join(["| field | type | default |", "|---|---|---|", *rows])
    return f"{head}{table}\n\n{markdown(Recipe.__doc__)}"


def _type(annotation: Any) -> str:
    if isinstance(annotation, type):
        return annotation.__name__
    return str(annotation).replace("typing.", "")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
