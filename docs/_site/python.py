"""The Python reference: every public name of the package, from its signature and docstring."""

import inspect
from typing import Any

import hundredfold
from _site.docstrings import markdown
from hundredfold import errors


def pages() -> dict[str, str]:
    """Return the page of the public names and the page of the errors."""
    names = [name for name in getattr(hundredfold, "__all__", ()) if not name.startswith("_")]
    public = {name: getattr(hundredfold, name) for name in names}
    body = "\n".join(_entry(name, value) for name, value in public.items() if not _error(value))
    head = "# Python reference\n\n```python\nimport hundredfold as hf\n```\n\n"
    return {"python": f"{head}{markdown(hundredfold.__doc__)}\n\n{body}", "errors": _errors()}


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
    pieces = [f"## {name}", f"```python\n{name}{_signature(value)}\n```", markdown(value.__doc__)]
    if isinstance(value, type):
        pieces += [_member(name, *member) for member in vars(value).items() if _public(*member)]
    return "\n\n".join(pieces) + "\n"


def _public(name: str, value: Any) -> bool:
    known = isinstance(value, property) or inspect.isfunction(value) or hasattr(value, "func")
    return known and not name.startswith("_") and bool(_function(value).__doc__)


def _function(value: Any) -> Any:
    """Return the function behind a method, a property or a cached property."""
    return getattr(value, "fget", None) or getattr(value, "func", None) or value


def _member(owner: str, name: str, value: Any) -> str:
    function = _function(value)
    signature = _signature(function) if inspect.isfunction(value) else ""
    code = f"```python\n{owner}.{name}{signature}\n```"
    return f"### {owner}.{name}\n\n{code}\n\n{markdown(function.__doc__)}"


def _signature(value: Any) -> str:
    try:
        text = str(inspect.signature(value))
    except (TypeError, ValueError):
        return "(...)"
    return text if len(text) < 90 else text.replace(", ", ",\n    ").replace("(", "(\n    ", 1)
