"""The modules of the project that load here: not those of an extra that is not installed."""

import pkgutil
from importlib.util import find_spec

import hundredfold

_EXTRAS = {
    "tensorflow": ("hundredfold.engines.tensorflow.",),
    "uvicorn": ("hundredfold.server.asgi", "hundredfold.server.protocol"),
}


def loadable(*, without: tuple[str, ...] = ()) -> list[str]:
    """Return the names of modules, with packages. without: extras whose modules are left out."""
    absent = tuple(
        prefix
        for library, prefixes in _EXTRAS.items()
        if library in without or find_spec(library) is None
        for prefix in prefixes
    )
    found = pkgutil.walk_packages(hundredfold.__path__, "hundredfold.")
    names = [module.name for module in found if not module.name.startswith(absent)]
    return ["hundredfold", *(name for name in names if not name.endswith("__main__"))]
