"""Fetch ONNX Runtime Web from npm anew, for the page that `hundredfold export --to html` writes.

python tools/onnxruntime_web.py [VERSION]

Needs npm. Writes the files gzipped into src/hundredfold/exporters/_page, and SHA256SUMS of their
contents before gzip. A changed VERSION needs the same number in LICENSE.onnxruntime-web.
"""

import gzip
import hashlib
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

VERSION = "1.30.0"
NAMES = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")
TARGET = Path(__file__).resolve().parents[1] / "src/hundredfold/exporters/_page"


def main(version: str = VERSION) -> None:
    """Write the files and their digests."""
    contents = fetch(version)
    for name, content in contents.items():
        (TARGET / f"{name}.gz").write_bytes(gzip.compress(content, 9, mtime=0))
    sums = (f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in contents.items())
    (TARGET / "SHA256SUMS").write_text("".join(sums), encoding="utf-8")


def fetch(version: str) -> dict[str, bytes]:
    """Return the contents of the files by name."""
    with tempfile.TemporaryDirectory() as folder:
        package = f"onnxruntime-web@{version}"
        subprocess.run(["npm", "pack", "--silent", package], cwd=folder, check=True)
        [archive] = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as tar:
            streams = {name: tar.extractfile(f"package/dist/{name}") for name in NAMES}
            return {name: stream.read() for name, stream in streams.items() if stream}


if __name__ == "__main__":
    main(*sys.argv[1:2])
