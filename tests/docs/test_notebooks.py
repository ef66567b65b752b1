"""The example notebooks run from top to bottom, and what is committed of them is real and small."""

import json
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

EXAMPLES = Path(__file__).parents[2] / "examples"
BOOKS = sorted(EXAMPLES.glob("*.ipynb"))
SMALL = {  # parameters that make a notebook take seconds and no network
    "cifar100_study": {
        "DATA": "shapes(size=20, classes=4, images=60)",
        "LIMIT": 0,
        "EPOCHS": 1,
        "THREADS": 1,
        "PRETRAINED": {"simple CNN, frozen": {"model": "simple_cnn", "weights": "@cnn"}},
        "INPUT_SIZE": 0,
    },
    "own_images": {"BUDGET": "10s", "THREADS": 1},
}
MEGABYTE = 1_000_000


def _with_parameters(book: Any, values: dict[str, Any]) -> None:
    """Replace the cell that is tagged "parameters"; "@cnn" is the run that the notebook trains."""
    (cell,) = [c for c in book.cells if "parameters" in c.metadata.get("tags", ())]
    known = set(re.findall(r"^(\w+) =", cell.source, re.M))
    assert values.keys() <= known, "a parameter that the notebook does not have"
    text = "\n".join(f"{name} = {value!r}" for name, value in values.items())
    cell.source = f"{cell.source}\n{text}"


@pytest.mark.parametrize("path", BOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_on_small_data(path: Path, tmp_path: Path) -> None:
    book = nbformat.read(path, as_version=4)
    _with_parameters(book, SMALL[path.stem])
    for cell in book.cells:  # the weights of the first run stand in for those of ImageNet
        if cell.source.startswith("head = "):
            cell.source = (
                "for fields in PRETRAINED.values():\n"
                "    if fields['weights'] == '@cnn':\n"
                "        fields['weights'] = str(cnn.folder)\n" + cell.source
            )
    client = NotebookClient(book, timeout=300, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    shown = [
        output
        for cell in book.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "text/html" in output.get("data", {})
    ]
    assert shown, "no run, study or prediction showed itself"
    for output in shown:
        page = output["data"]["text/html"]
        assert "<script" not in page
        assert not re.search(r"""(?:src|href)=["']https?:""", page), "a resource from outside"


@pytest.mark.parametrize("path", BOOKS, ids=lambda path: path.stem)
def test_what_is_committed_was_executed_in_order_and_is_under_a_megabyte(path: Path) -> None:
    assert path.stat().st_size < MEGABYTE
    cells = [c for c in json.loads(path.read_text())["cells"] if c["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert any(cell["outputs"] for cell in cells)
    errors = [o for cell in cells for o in cell["outputs"] if o["output_type"] == "error"]
    assert not errors
