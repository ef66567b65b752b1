"""CIFAR-10 (Krizhevsky 2009): 50,000 training and 10,000 test images, 32x32, 10 classes."""

from functools import partial

from hundredfold.data._cifar import cifar, read_binary
from hundredfold.data._official import Layout, Official
from hundredfold.data._pickle import read_python
from hundredfold.data._types import DataSet, Source

CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)

_OFFICIAL = Official(
    name="cifar10",
    classes=CLASSES,
    superclasses=(),
    superclass_of=(),
    site="https://www.cs.toronto.edu/~kriz/",
    layouts=(
        Layout(
            folder="cifar-10-batches-bin",
            archive="cifar-10-binary.tar.gz",
            sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            files={
                "train": tuple(f"data_batch_{i}.bin" for i in range(1, 6)),
                "test": ("test_batch.bin",),
            },
            read=partial(read_binary, label_bytes=1),
        ),
        Layout(
            folder="cifar-10-batches-py",
            archive="cifar-10-python.tar.gz",
            sha256="6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
            files={
                "train": tuple(f"data_batch_{i}" for i in range(1, 6)),
                "test": ("test_batch",),
            },
            read=partial(read_python, labels="labels"),
        ),
    ),
    digests={},
)


def cifar10(source: Source) -> DataSet:
    """Load CIFAR-10; it has no superclasses."""
    return cifar(source, _OFFICIAL)
