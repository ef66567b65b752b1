"""Read recipe files: those that ship, and the user's."""

from pathlib import Path
from typing import Any

from hundredfold import spec
from hundredfold.errors import UsageError, did_you_mean, shortened
from hundredfold.paths import expanded
from hundredfold.recipe import Recipe, from_fields
from hundredfold.spec import OwnFiles


def load(text: str, trusted: frozenset[str] = frozenset()) -> Recipe:
    """Read a recipe from a TOML file, or by the name of one that ships.

    trusted: SHA-256 digests of the user's own code that may run. The recipe names these files; they
    are beside it, or in `source/` beside it.

    Raises UsageError for an unknown name, text that is not TOML, or a wrong key or value.
    """
    path = expanded(text)
    if path.suffix != ".toml":
        path = shipped("").get(text, path)
    if path.suffix != ".toml":
        raise UsageError(
            f"no recipe is called {shortened(text)}", remedy=did_you_mean(text[:100], shipped(""))
        )
    return from_fields(read_toml(path, "recipe"), own_files(path, trusted))


def own_files(recipe: Path, trusted: frozenset[str] = frozenset()) -> OwnFiles:
    """Return the folder of the user's own code for a recipe: `source/` beside it, or its own."""
    copies = recipe.parent / "source"
    return OwnFiles(copies if copies.is_dir() else recipe.parent, trusted)


def shipped(folder: str) -> dict[str, Path]:
    """Return name -> file of the recipes that ship ("" or "studies")."""
    package = Path(__file__).parent
    installed, checkout = package / "_recipes", package.parents[1] / "recipes"
    root = installed if installed.is_dir() else checkout
    return {path.stem: path for path in sorted((root / folder).glob("*.toml"))}


def read_toml(path: Path, kind: str) -> dict[str, Any]:
    """Read a user's TOML file; kind: its name in errors. Raises UsageError."""
    try:
        with path.open("rb") as file:
            content = file.read(spec.LARGEST + 1)
        if len(content) > spec.LARGEST:
            raise ValueError(f"more than {spec.LARGEST:,} bytes")
        return spec.parse_toml(content.decode())
    except FileNotFoundError:
        raise UsageError(f"there is no {kind} file {shortened(str(path))}") from None
    except (OSError, ValueError) as error:
        raise UsageError(
            f"cannot read the {kind} {shortened(str(path))}", found=str(error)
        ) from None
