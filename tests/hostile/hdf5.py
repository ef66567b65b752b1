"""Files of HDF5 that a stranger made: references, chunks, links, groups that are no groups."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from hostile import odd
from hostile.case import HERE


def hdf5(deed: Callable[[Any], None]) -> Callable[[Path], bytes]:
    """Return what makes the bytes of an HDF5 file that `deed` fills."""

    def make(world: Path) -> bytes:
        import h5py

        path = world / HERE / "made.h5"
        with h5py.File(path, "w") as file:
            deed(file)
        content = path.read_bytes()
        path.unlink()
        return content

    return make


def _layer(file: Any, names: Any, name: str = "Conv1") -> Any:
    group = file.create_group(name)
    group.attrs["weight_names"] = names
    return group


def _many_names(file: Any) -> None:
    """Let an attribute refer thousands of times to one long text."""
    import h5py

    group = file.create_group("Conv1")
    text = "x" * 1_000_000
    space = h5py.h5s.create_simple((3900,))
    kind = h5py.h5t.py_create(h5py.string_dtype())
    made = h5py.h5a.create(group.id, b"weight_names", kind, space)
    made.write(np.array([text] + [""] * 3899, dtype=object), mtype=kind)


def _one_chunk(file: Any) -> None:
    layer = _layer(file, [b"Conv1/kernel:0"]).create_group("Conv1")
    layer.create_dataset(
        "kernel:0", shape=(3, 3, 3, 32), maxshape=(None,) * 4, chunks=(3, 3, 3, 1_000_000),
        dtype="f4", compression="gzip", fillvalue=1.0,
    )[...] = 1.0  # fmt: skip


def _external(file: Any) -> None:
    layer = _layer(file, [b"Conv1/kernel:0"]).create_group("Conv1")
    where = [("../outside/notes.txt", 0, 3456)]
    layer.create_dataset("kernel:0", shape=(3, 3, 3, 32), dtype="f4", external=where)


def _linked(file: Any) -> None:
    import h5py

    file["Conv1"] = h5py.ExternalLink("../outside/notes.txt", "/")


def _looping(file: Any) -> None:
    import h5py

    file.create_group("layers")["x"] = h5py.SoftLink("/layers/x")
    file["layers/y"] = file["layers"]


HDF5: dict[str, Callable[[Path], bytes]] = {
    "nothing": lambda _: b"",
    "a signature": lambda _: b"\x89HDF\r\n\x1a\n" + bytes(64),
    "no layers": hdf5(lambda _: None),
    "layers as a data set": hdf5(lambda file: file.create_dataset("layers", data=[1.0])),
    "model_weights as a data set": hdf5(lambda f: f.create_dataset("model_weights", data=[1.0])),
    "a layer as a data set": hdf5(lambda file: file.create_dataset("Conv1", data=[1.0])),
    "no names": hdf5(lambda file: file.create_group("Conv1")),
    "names that are a number": hdf5(lambda file: _layer(file, 3)),
    "names that are numbers": hdf5(lambda file: _layer(file, [1.5, 2.5])),
    "a name alone": hdf5(lambda file: _layer(file, "Conv1/kernel:0")),
    "names of escapes": hdf5(lambda file: _layer(file, [odd.ESCAPE.encode()])),
    "names that lead out": hdf5(lambda file: _layer(file, [b"../../x", b"/"])),
    "names of 60 kB": hdf5(lambda file: _layer(file, [b"x" * 60_000])),
    "3,900 references to a long text": hdf5(_many_names),
    "one large chunk": hdf5(_one_chunk),
    "a file outside": hdf5(_external),
    "a link outside": hdf5(_linked),
    "links in a circle": hdf5(_looping),
    "vars as a data set": hdf5(lambda f: f.create_dataset("layers/a/vars", data=[1.0])),
    "a name that is a number": hdf5(
        lambda f: f.create_group("layers/a/vars").attrs.__setitem__("name", 3)
    ),
    "many layers": hdf5(lambda f: [f.create_group(f"layers/l{k}/vars") for k in range(4000)]),
    "deep groups": hdf5(lambda f: f.create_group("layers/" + "/".join("a" * 300))),
    "integers": hdf5(
        lambda f: _layer(f, [b"Conv1/kernel:0"]).create_dataset(
            "Conv1/kernel:0", data=np.ones((3, 3, 3, 32), "i4")
        )
    ),
    "not finite": hdf5(
        lambda f: _layer(f, [b"Conv1/kernel:0"]).create_dataset(
            "Conv1/kernel:0", data=np.full((3, 3, 3, 32), np.nan, "f4")
        )
    ),
}
