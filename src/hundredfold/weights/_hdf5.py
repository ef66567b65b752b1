"""Arrays of a Keras file's layers, read without trusting the file.

Links to other files or places, external and virtual data sets are refused, and the shape of
every array is compared with the one that is wanted before a value is read.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hundredfold.errors import MissingError, pip_install
from hundredfold.weights.locate import unreadable

Array = NDArray[np.float32]
Shapes = Sequence[tuple[int, ...]]
LayerReader = Callable[[str, Shapes], list[Array]]


@contextmanager
def layers(file: Path) -> Iterator[LayerReader]:
    """Open a .h5 or .weights.h5 file; yield a function of a layer's name and wanted shapes.

    It returns the layer's arrays in Keras' order (kernel, bias; gamma, beta, mean,
    variance). Raises MissingError without h5py and for whatever is not as it should be.
    """
    try:
        import h5py
    except ImportError:
        raise MissingError(
            f"{str(file)!r} is a Keras file, and h5py is not installed",
            remedy=pip_install("h5py"),
        ) from None
    try:
        with h5py.File(file, "r") as root:
            places = _Places(h5py, root)
            yield lambda name, shapes: places.arrays(name, shapes)
    except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise unreadable(file, str(error).strip("'\"")[:200]) from None


class _Places:
    """Where a file's layers lie, in either of Keras' two arrangements."""

    def __init__(self, h5py: Any, root: Any) -> None:
        self._h5py = h5py
        self._root = self._inside(root, "model_weights") if "model_weights" in root else root
        self._saved = self._by_name() if "layers" in self._root else None

    def arrays(self, name: str, shapes: Shapes) -> list[Array]:
        """Return a layer's arrays; raise ValueError where one is missing or of another shape."""
        found = self._new(name) if self._saved is not None else self._published(name)
        if len(found) != len(shapes):
            raise ValueError(f"layer {name!r} holds {len(found)} arrays, not {len(shapes)}")
        for number, (array, shape) in enumerate(zip(found, shapes, strict=True)):
            self._check(array, shape, f"array {number} of layer {name!r}")
        values = [np.asarray(array[()], dtype=np.float32) for array in found]
        if not all(np.isfinite(value).all() for value in values):
            raise ValueError(f"layer {name!r} holds numbers that are not finite")
        return values

    def _by_name(self) -> dict[str, Any]:
        """Return the layers of a .weights.h5, where Keras keeps a layer's name as an attribute."""
        found = {}
        layers = self._inside(self._root, "layers")
        for key in layers:
            layer = self._inside(layers, key)
            if "vars" in layer:
                held = self._inside(layer, "vars")
                found[str(held.attrs.get("name", ""))] = held
        return found

    def _new(self, name: str) -> list[Any]:
        assert self._saved is not None
        if name not in self._saved:
            raise ValueError(f"there is no layer {name!r}")
        held = self._saved[name]
        return [self._inside(held, str(number)) for number in range(len(held))]

    def _published(self, name: str) -> list[Any]:
        layer = self._inside(self._root, name)
        names = [
            n.decode() if isinstance(n, bytes) else str(n) for n in layer.attrs["weight_names"]
        ]
        return [self._inside(layer, held) for held in names]

    def _inside(self, group: Any, path: str) -> Any:
        """Follow a path of plain names; never a link."""
        for part in path.split("/"):
            if not isinstance(group, self._h5py.Group) or part not in group:
                raise ValueError(f"there is no {path!r}")
            if not isinstance(group.get(part, getlink=True), self._h5py.HardLink):
                raise ValueError(f"{path!r} is a link")
            group = group[part]
        return group

    def _check(self, array: Any, shape: tuple[int, ...], what: str) -> None:
        if not isinstance(array, self._h5py.Dataset) or array.is_virtual or array.external:
            raise ValueError(f"{what} is no plain array")
        if array.shape != shape:
            raise ValueError(f"{what} has the shape {array.shape}, not {shape}")
        if array.dtype.kind != "f":
            raise ValueError(f"{what} holds {array.dtype}, not numbers")
