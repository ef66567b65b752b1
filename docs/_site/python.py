"""The Python reference: every public name of the package, from its signature and docstring."""

import inspect
from typing import Any

import hundredfold
from _site import signatures
from _site.docstrings import markdown
from hundredfold import errors


def pages() -> dict[str, str]:
    """Return the page of the public names and the page of the errors."""
    names = [name for name in getattr(hundredfold, "__all__", ()) if not name.startswith("_")]
    public = {name: getattr(hundredfold, name) for name in names}
    functions = [_entry(name, v) for name, v in public.items() if not isinstance(v, type)]
    classes = [_entry(n, v) for n, v in public.items() if isinstance(v, type) and not _error(v)]
    text = "\n".join(["# Python reference\n", markdown(hundredfold.__doc__), *functions, *classes])
    return {"python": text, "errors": _errors()}


def _error(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)


def _errors() -> str:
    classes = [v for v in vars(errors).values() if _error(v) and v.__module__ == errors.__name__]
    head = (
        "# Errors\n\nIn Python each mistake is one of these exceptions. The command prints it "
        "as one sentence with a remedy and ends with its exit code.\n\n"
    )
    return head + "\n".join(f"## {c.__name__}\n\n{markdown(c.__doc__)}" for c in classes)


def _entry(name: str, value: Any) -> str:
    if inspect.ismodule(value):
        return f"## {name}\n\n{markdown(value.__doc__)}"
    if not callable(value):
        return ""
    pieces = [f"## {name}", _code(name, value), markdown(value.__doc__), signatures.options(value)]
    if isinstance(value, type):
        pieces += [_member(name, *member) for member in vars(value).items() if _public(*member)]
    return "\n\n".join(piece for piece in pieces if piece) + "\n"


def _public(name: str, value: Any) -> bool:
    known = isinstance(value, property) or inspect.isfunction(value) or hasattr(value, "func")
    return known and not name.startswith("_") and bool(_function(value).__doc__)


def _function(value: Any) -> Any:
    """Return the function behind a method, a property or a cached property."""
    return getattr(value, "fget", None) or getattr(value, "func", None) or value


def _member(owner: str, name: str, value: Any) -> str:
    function = _function(value)
    code = _code(f"{owner}.{name}", value) if inspect.isfunction(value) else ""
    return f"### {owner}.{name}\n\n{code}\n\n{markdown(function.__doc__)}"


def _code(name: str, value: Any) -> str:
    return f"```python\n{name}{signatures.text(value)}\n```"
