"""Read the arrays of a Keras file's layers without trusting the file.

Links, external and virtual data sets are refused. The shape of every array is compared with the
expected one before its values are read. Compressed chunks are unpacked here, each up to its size,
because the HDF5 library unpacks whatever a chunk holds.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hundredfold.errors import MissingError, pip_install
from hundredfold.weights import _chunks, _hdf5_walk
from hundredfold.weights._header import NAME, shown
from hundredfold.weights.locate import unreadable

Array = NDArray[np.float32]
Shapes = Sequence[tuple[int, ...]]
LayerReader = Callable[[str, Shapes], list[Array]]

_LAYERS = 20_000  # of a file at most
_TEXT = 1 << 30  # bytes at most that strings of one attribute may refer to, each the whole file

# what h5py raises for a damaged file
_DAMAGE = (OSError, LookupError, ValueError, TypeError, RuntimeError, AttributeError,
           ArithmeticError, MemoryError)  # fmt: skip


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
        _hdf5_walk.need_harmless(file)
        with h5py.File(file, "r") as root:
            file_layers = _Layers(h5py, root, file.stat().st_size)
            yield lambda name, shapes: file_layers.arrays(name, shapes)
    except _DAMAGE as error:
        text = str(error.args[0] if error.args else error)[:200]  # a KeyError's str has quotes
        raise unreadable(file, text if text.isprintable() else repr(text)) from None


class _Layers:
    """The layers of a file in either of Keras' two formats; size: of the file, in bytes."""

    def __init__(self, h5py: Any, root: Any, size: int) -> None:
        self._h5py, self._size = h5py, size
        is_model = "model_weights" in root
        self._root = self._group(root, "model_weights") if is_model else root
        self._saved = self._by_name() if "layers" in self._root else None

    def arrays(self, name: str, shapes: Shapes) -> list[Array]:
        """Return a layer's arrays. Raises ValueError for a missing one or another shape."""
        arrays = (self._new if self._saved is not None else self._published)(name, len(shapes))
        for number, (array, shape) in enumerate(zip(arrays, shapes, strict=True)):
            self._check(array, shape, f"array {number} of layer {name!r}")
        with np.errstate(over="ignore"):  # numbers too large for 32 bits are not finite then
            values = [np.asarray(_chunks.read(array), dtype=np.float32) for array in arrays]
        if not all(np.isfinite(value).all() for value in values):
            raise ValueError(f"layer {name!r} holds numbers that are not finite")
        return values

    def _by_name(self) -> dict[str, Any]:
        """Return the layers of a .weights.h5 by name, which Keras stores as an attribute."""
        by_name = {}
        layers = self._group(self._root, "layers")
        if len(layers) > _LAYERS:
            raise ValueError(f"it has {len(layers):,} layers")
        for key in layers:
            if "vars" in (layer := self._group(layers, key)):
                variables = self._group(layer, "vars")
                names = self._texts(variables, "name", 1) if "name" in variables.attrs else [""]
                by_name[names[0]] = variables
        return by_name

    def _new(self, name: str, count: int) -> list[Any]:
        assert self._saved is not None
        if name not in self._saved:
            raise ValueError(f"there is no layer {name!r}")
        variables = self._saved[name]
        _need_count(name, len(variables), count)
        return [self._inside(variables, str(number)) for number in range(count)]

    def _published(self, name: str, count: int) -> list[Any]:
        layer = self._group(self._root, name)
        names = self._texts(layer, "weight_names", count)
        return [self._inside(layer, path) for path in names]

    def _texts(self, item: Any, attribute: str, count: int) -> list[str]:
        """Return the `count` strings of an attribute, which is bounded before it is read."""
        described = item.attrs.get_id(attribute)
        _need_count(item.name, math.prod(described.shape), count)
        variable = self._h5py.check_string_dtype(described.dtype)
        length = variable and variable.length
        is_text = variable is not None or described.dtype.kind == "S"
        if not is_text:
            raise ValueError(f"attribute {attribute!r} is no list of names")
        if (length or described.dtype.itemsize) > NAME or (
            not length and count * self._size > max(_TEXT, 2 * self._size)
        ):
            raise ValueError(f"attribute {attribute!r} may hold names that are too long")
        values = np.atleast_1d(np.asarray(item.attrs[attribute])).ravel()
        texts = [v.decode() if isinstance(v, bytes) else str(v) for v in values]
        if (long := max(map(len, texts), default=0)) > NAME:
            raise ValueError(f"attribute {attribute!r} holds a name of {long:,} characters")
        return texts

    def _group(self, group: Any, path: str) -> Any:
        inside = self._inside(group, path)
        if not isinstance(inside, self._h5py.Group):
            raise ValueError(f"{shown(path)} is no group")
        return inside

    def _inside(self, group: Any, path: str) -> Any:
        """Return the object at a path. Raises ValueError for links."""
        for part in path.split("/"):
            if not isinstance(group, self._h5py.Group) or part not in group:
                raise ValueError(f"there is no {path[:80]!r}")
            if not isinstance(group.get(part, getlink=True), self._h5py.HardLink):
                raise ValueError(f"{path[:80]!r} is a link")
            group = group[part]
        return group

    def _check(self, array: Any, shape: tuple[int, ...], description: str) -> None:
        if not isinstance(array, self._h5py.Dataset) or array.is_virtual or array.external:
            raise ValueError(f"{description} is no plain array")
        if array.shape != shape:
            raise ValueError(f"{description} has the shape {array.shape}, not {shape}")
        if array.dtype.kind != "f":
            raise ValueError(f"{description} holds {array.dtype}, not numbers")


def _need_count(name: str, actual: int, expected: int) -> None:
    if actual != expected:
        raise ValueError(f"layer {shown(name)} holds {actual} arrays, not {expected}")
