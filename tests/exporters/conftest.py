"""A run on padded rectangles, exported once; tests that change a file make a copy."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import hundredfold as hf

SIZE = (20, 28)  # height and width of the network's images
FAST: dict[str, Any] = {
    "epochs": 2, "batch_size": 16, "precision": "fp32", "threads": 1, "device": "cpu",
    "progress": "none", "validation": 0.3,
}  # fmt: skip


@pytest.fixture(scope="session", autouse=True)
def the_extra_is_there() -> None:
    """Skip what needs the extra `export` where it is not installed."""
    for name in ("onnx", "onnxruntime", "onnxscript"):
        pytest.importorskip(name, reason=f"the extra export is not installed: no {name}")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> hf.Run:
    """Return a finished run of three classes, one of which has a name in Greek."""
    folder = tmp_path_factory.mktemp("photos")
    draw = np.random.default_rng(0)
    for label, shade in (("dark", 40), ("grey", 100), ("φως", 180)):
        (folder / label).mkdir()
        for k in range(24):
            shape = [(30, 60, 3), (60, 30, 3), (40, 56, 3)][k % 3]
            noise = draw.integers(0, 60, shape, np.uint8)
            image = Image.fromarray(np.full(shape, shade, np.uint8) + noise)
            image.save(folder / label / f"{k}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUNDREDFOLD_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        return hf.train(
            "simple-cnn", data=folder, image_size="20x28", resize="pad",
            out=tmp_path_factory.mktemp("runs"), name="a", **FAST,
        )  # fmt: skip


@pytest.fixture(scope="session")
def exported(made: hf.Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the ONNX file of the run, with label sets; nobody changes it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUNDREDFOLD_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        return made.export("onnx", sets=0.5)


@pytest.fixture(scope="session")
def jpegs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return JPEG files of other sizes, large ones that training would decode at half size too."""
    folder, draw = tmp_path_factory.mktemp("jpegs"), np.random.default_rng(1)
    paths = []
    for width, height in ((300, 200), (90, 130), (28, 20), (11, 64)):
        small = Image.fromarray(draw.integers(0, 256, (7, 9, 3), np.uint8))
        paths.append(folder / f"{width}x{height}.jpg")
        small.resize((width, height), Image.Resampling.BICUBIC).save(paths[-1], quality=90)
    return paths


@pytest.fixture
def changed(exported: Path, tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a copy of the file, changed by a function or in metadata."""
    import onnx

    def write(change: Callable[[Any], None] | None = None, **metadata: str | None) -> Path:
        model = onnx.load(exported)
        if change is not None:
            change(model)
        texts = {entry.key: entry.value for entry in model.metadata_props} | metadata
        del model.metadata_props[:]
        onnx.helper.set_model_props(model, {k: v for k, v in texts.items() if v is not None})
        path = tmp_path / "changed.onnx"
        path.write_bytes(model.SerializeToString())
        return path

    return write


@pytest.fixture
def pixels() -> Callable[[Path], np.ndarray]:
    """Return a function that reads an image with Pillow alone."""
    return lambda path: np.asarray(Image.open(io.BytesIO(path.read_bytes())).convert("RGB"))
