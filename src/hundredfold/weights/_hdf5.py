"""Read the arrays of a Keras file's layers without trusting the file.

Links, external and virtual data sets are refused. The shape of every array is compared with the
expected one before its values are read.
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
    """Open a .h5 or .weights.h5 file; yield a function of a layer's name and expected shapes.

    It returns the layer's arrays in Keras' order (kernel, bias; gamma, beta, mean, variance).
    Raises MissingError without h5py, and for a file that is damaged or does not match.
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
            file_layers = _Layers(h5py, root)
            yield lambda name, shapes: file_layers.arrays(name, shapes)
    except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise unreadable(file, str(error).strip("'\"")[:200]) from None


class _Layers:
    """The layers of a file in either of Keras' two formats."""

    def __init__(self, h5py: Any, root: Any) -> None:
        self._h5py = h5py
        self._root = self._inside(root, "model_weights") if "model_weights" in root else root
        self._saved = self._by_name() if "layers" in self._root else None

    def arrays(self, name: str, shapes: Shapes) -> list[Array]:
        """Return a layer's arrays. Raises ValueError for a missing one or another shape."""
        arrays = self._new(name) if self._saved is not None else self._published(name)
        if len(arrays) != len(shapes):
            raise ValueError(f"layer {name!r} holds {len(arrays)} arrays, not {len(shapes)}")
        for number, (array, shape) in enumerate(zip(arrays, shapes, strict=True)):
            self._check(array, shape, f"array {number} of layer {name!r}")
        values = [np.asarray(array[()], dtype=np.float32) for array in arrays]
        if not all(np.isfinite(value).all() for value in values):
            raise ValueError(f"layer {name!r} holds numbers that are not finite")
        return values

    def _by_name(self) -> dict[str, Any]:
        """Return the layers of a .weights.h5 by name, which Keras stores as an attribute."""
        by_name = {}
        layers = self._inside(self._root, "layers")
        for key in layers:
            layer = self._inside(layers, key)
            if "vars" in layer:
                variables = self._inside(layer, "vars")
                by_name[str(variables.attrs.get("name", ""))] = variables
        return by_name

    def _new(self, name: str) -> list[Any]:
        assert self._saved is not None
        if name not in self._saved:
            raise ValueError(f"there is no layer {name!r}")
        variables = self._saved[name]
        return [self._inside(variables, str(number)) for number in range(len(variables))]

    def _published(self, name: str) -> list[Any]:
        layer = self._inside(self._root, name)
        names = [
            n.decode() if isinstance(n, bytes) else str(n) for n in layer.attrs["weight_names"]
        ]
        return [self._inside(layer, path) for path in names]

    def _inside(self, group: Any, path: str) -> Any:
        """Return the object at a path. Raises ValueError for links."""
        for part in path.split("/"):
            if not isinstance(group, self._h5py.Group) or part not in group:
                raise ValueError(f"there is no {path!r}")
            if not isinstance(group.get(part, getlink=True), self._h5py.HardLink):
                raise ValueError(f"{path!r} is a link")
            group = group[part]
        return group

    def _check(self, array: Any, shape: tuple[int, ...], description: str) -> None:
        if not isinstance(array, self._h5py.Dataset) or array.is_virtual or array.external:
            raise ValueError(f"{description} is no plain array")
        if array.shape != shape:
            raise ValueError(f"{description} has the shape {array.shape}, not {shape}")
        if array.dtype.kind != "f":
            raise ValueError(f"{description} holds {array.dtype}, not numbers")
