"""The change that docs/adding-a-data-set.md shows is applied to a copy and tested there."""

import gzip
import json

import pytest

PAGE = "adding-a-data-set.md"


@pytest.fixture(scope="module")
def folder(copy):
    """Write the published form of the new data set."""
    (copy.folder / "published").mkdir()
    code = (
        "import sys; sys.path.insert(0, 'tests/data/published')\n"
        "import numpy, fashion_mnist; from pathlib import Path\n"
        "fashion_mnist.write(Path('published'), numpy.random.default_rng(0))"
    )
    copy.python("-c", code)
    return copy.folder / "published"


def test_one_file_and_its_published_form_are_all_there_is_to_it(copy):
    assert copy.added == [
        "src/hundredfold/data/fashion_mnist.py",
        "tests/data/published/fashion_mnist.py",
    ]


def test_the_new_file_keeps_every_law(copy):
    assert copy.tests_pass("tests/laws/test_data.py", "-k", "fashion_mnist") >= 7


def test_the_command_line_knows_it(copy, folder):
    given = ("fashion_mnist", "--data-dir", str(folder), "--json")
    fetched = json.loads(copy.python("-m", "hundredfold", "data", "fetch", *given).stdout)
    assert fetched["images"] == {"train": 40, "test": 40}
    assert "fashion_mnist" in copy.python("-m", "hundredfold", "data", "fetch", "--help").stdout


def test_the_pixels_are_those_of_the_file(copy, folder):
    content = gzip.decompress((folder / "train-images-idx3-ubyte.gz").read_bytes())[16:]
    code = (
        "from pathlib import Path; from hundredfold.data import load, Source\n"
        f"data = load('fashion_mnist', Source(folder=Path({str(folder)!r}), cache=Path('cache')))\n"
        "pixels = data.parts['train']().pixels\n"
        "print(pixels[..., 0].tobytes().hex(), bool((pixels == pixels[..., :1]).all()))"
    )
    assert copy.python("-c", code).stdout.split() == [content.hex(), "True"]


def test_a_file_that_is_not_there_is_one_sentence(copy):
    code = "import sys; from hundredfold.cli import main; sys.exit(main(sys.argv[1:]) - 3)"
    given = ("data", "fetch", "fashion_mnist", "--data-dir", "recipes")
    done = copy.python("-c", code, *given)
    assert "there is no train-images-idx3-ubyte.gz of Fashion-MNIST" in done.stderr


def test_the_new_file_is_tidy(copy):
    copy.is_tidy()
