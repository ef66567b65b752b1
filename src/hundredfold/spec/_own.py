"""A user's own code: parsed and stored, but run only where the user named the file.

A recipe names it as "my_nets.py:net(width=32)"; from Python, a function, a class or a network is
passed directly. A run keeps a copy of the source and its digest. Code that a run, a recipe file or
a study names does not run by itself: the user has to name the file, as with `--trust FILE.py`.
"""

import hashlib
import inspect
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from hundredfold.errors import UsageError
from hundredfold.paths import expanded

PYTHON = "python"  # in place of a file name, where an object has no readable source
_LARGEST = 1_000_000  # bytes of a user's file, at most


@dataclass(frozen=True)
class OwnFiles:
    """The folder of files that parts name, and which of them may run.

    trusted: SHA-256 digests of files; None trusts every file, for those named in this command.
    """

    folder: Path = Path()
    trusted: frozenset[str] | None = frozenset()

    def trusts(self, digest: str) -> bool:
        """Return whether a file with this digest may run."""
        return self.trusted is None or digest in self.trusted


@dataclass(frozen=True)
class OwnCode:
    """A user's own file, or an object passed in Python.

    file: name without folder; "python" where no source is readable. source: its text.
    digest: SHA-256 of the source, or of the object's state too. trusted: whether it may run.
    folder: of the file, for its imports. value: the object, in this process only.
    """

    file: str
    source: str
    digest: str
    trusted: bool = field(default=False, compare=False)
    folder: Path | None = field(default=None, compare=False)
    value: Any = field(default=None, compare=False, repr=False)

    def load(self, name: str) -> Callable[..., Any]:
        """Run the file and return the object that it defines under a name.

        Raises UsageError where the file is not trusted, fails, or does not define the name.
        """
        if self.value is not None:
            return self.value  # type: ignore[no-any-return]
        if self.file == PYTHON:
            raise UsageError(
                f"{name} was given from Python, and its source could not be kept",
                remedy=f"hf.load(RUN, model={name})",
            )
        if not self.trusted:
            raise UsageError(
                f"{self.file} is code of its own, which does not run unless you name it",
                found=f"it defines {name}; a copy lies beside the recipe",
                remedy=f"read it, then add --trust {self.file}",
            )
        try:
            return getattr(self._module(), name)  # type: ignore[no-any-return]
        except Exception as error:
            raise UsageError(
                f"{self.file} cannot be run: {type(error).__name__}: {error}",
                remedy="the file has to import by itself, from the folder that it lies in",
            ) from error

    def _module(self) -> ModuleType:
        """Return the file as a module, run once for each digest."""
        name = f"hundredfold_own_{Path(self.file).stem}_{self.digest[:12]}"
        if name in sys.modules:
            return sys.modules[name]
        module = ModuleType(name)
        module.__file__ = str((self.folder or Path()) / self.file)
        sys.modules[name] = module  # dataclasses look their module up
        path = str(self.folder) if self.folder else ""
        try:
            sys.path.insert(0, path)
            exec(compile(self.source, module.__file__, "exec"), module.__dict__)
        except BaseException:
            del sys.modules[name]
            raise
        finally:
            sys.path.remove(path)
        return module


def own_code(file: str, files: OwnFiles) -> OwnCode:
    """Read a file that a part names. Raises UsageError where it cannot be read."""
    if file == PYTHON:
        return OwnCode(PYTHON, "", "")
    path = (files.folder / expanded(file)).absolute()
    try:
        with path.open("rb") as stream:
            content = stream.read(_LARGEST + 1)
        source = content.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {file}", found=str(error)) from None
    if len(content) > _LARGEST:
        raise UsageError(f"cannot read {file}", found="more than a MB")
    digest = hashlib.sha256(content).hexdigest()
    return OwnCode(path.name, source, digest, files.trusts(digest), path.parent)


def part_of(value: Any) -> tuple[str, OwnCode]:
    """Return the name and the code of an object passed in Python.

    value: a function, a class, or an object such as a network. Its digest covers the source, and
    the state dict where there is one. Without a readable source, the code's file is "python".
    """
    kind = value if inspect.isclass(value) or inspect.isfunction(value) else type(value)
    name = kind.__name__ if kind.__name__.isidentifier() else "function"
    source = _source(kind)
    if kind is not value:
        return name, OwnCode(PYTHON, source, _digest_of_object(value, source), True, None, value)
    if not source:
        digest = hashlib.sha256(f"{kind.__module__}.{kind.__qualname__}".encode()).hexdigest()
        return name, OwnCode(PYTHON, "", digest, True, None, value)
    file = f"{name}.py"
    path = _path(kind)
    if path is not None:  # the whole file, with what the function uses
        source, file = path.read_text(encoding="utf-8"), path.name
    digest = hashlib.sha256(source.encode()).hexdigest()
    return name, OwnCode(file, source, digest, True, None, value)


def _path(kind: Any) -> Path | None:
    """Return the file that defines a function or class at its top level, else None."""
    try:
        path = Path(inspect.getsourcefile(kind) or "")
    except TypeError:
        return None
    nested = kind.__qualname__ != kind.__name__
    return path if path.suffix == ".py" and path.is_file() and not nested else None


def _source(kind: Any) -> str:
    try:
        return textwrap.dedent(inspect.getsource(kind))
    except (OSError, TypeError):
        return ""


def _digest_of_object(value: Any, source: str) -> str:
    total = hashlib.sha256(f"{source}\n{value!r}".encode())
    state = getattr(value, "state_dict", None)
    for key, tensor in (state() if callable(state) else {}).items():
        total.update(f"{key} {tuple(tensor.shape)} {tensor.dtype}".encode())
        total.update(tensor.detach().cpu().contiguous().view(-1).numpy().tobytes())
    return total.hexdigest()
