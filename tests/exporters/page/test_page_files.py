"""The files of ONNX Runtime Web that the package holds."""

import gzip
import hashlib
import runpy
from importlib.resources import files
from pathlib import Path

import pytest

from hundredfold.errors import DataError
from hundredfold.exporters.html import page

_PAGE = files("hundredfold.exporters").joinpath("_page")
_TOOL = Path(__file__).resolve().parents[3] / "tools" / "onnxruntime_web.py"


def test_each_file_has_the_digest_that_it_had_in_the_package_of_npm() -> None:
    lines = _PAGE.joinpath("SHA256SUMS").read_text(encoding="utf-8").splitlines()
    digests = {name: digest for digest, name in (line.split() for line in lines)}
    for name, digest in digests.items():
        content = gzip.decompress(_PAGE.joinpath(f"{name}.gz").read_bytes())
        assert hashlib.sha256(content).hexdigest() == digest
    assert set(digests) == set(runpy.run_path(str(_TOOL))["NAMES"])


def test_the_licence_goes_with_every_page() -> None:
    version = runpy.run_path(str(_TOOL))["VERSION"]
    licence = _PAGE.joinpath("LICENSE.onnxruntime-web").read_text(encoding="utf-8")
    script = gzip.decompress(_PAGE.joinpath("ort.wasm.bundle.min.mjs.gz").read_bytes())
    metadata = {"labels": '["cat", "dog"]', "image_size": "32", "resize": "crop"}
    text = page(b"a network", metadata)
    assert licence.startswith(f"ONNX Runtime Web {version} ")
    assert f"v{version}".encode() in script[:500]
    assert "Permission is hereby granted, free of charge" in text
    assert page(b"a network", metadata) == text  # the same bytes each time


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"labels": "[]", "image_size": "32", "resize": "crop"},
        {"labels": '["a"]', "image_size": "32", "resize": "squeeze"},
        {"labels": '["a"]', "image_size": "x", "resize": "crop"},
        {"labels": '["a"]', "image_size": "32", "resize": "crop", "reject": "{}"},
        {"labels": "not JSON", "image_size": "32", "resize": "crop"},
    ],
)
def test_metadata_that_a_page_cannot_use_are_refused(metadata: dict[str, str]) -> None:
    with pytest.raises(DataError, match="the metadata of the ONNX file cannot be used"):
        page(b"a network", metadata)
