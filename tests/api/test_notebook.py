"""A notebook from its first cell to its last: one output while training, objects that show."""

import re

import nbformat
import pytest
from nbclient import NotebookClient

CELLS = (
    "import hundredfold as hf\n"
    "run = hf.train(data='shapes(size=18, classes=3, images=40)', epochs=4, batch_size=16,\n"
    "               threads=1, precision='fp32', name='a')",
    "run",
    "import numpy as np\nrun.predict(np.zeros((2, 18, 18, 3), np.uint8))",
    "import os, signal\n"
    "def stop(event):\n"
    "    if event['event'] == 'epoch':\n"
    "        os.kill(os.getpid(), signal.SIGINT)\n"
    "stopped = hf.train(data='shapes(size=18, classes=3, images=40)', epochs=900, patience=0,\n"
    "                   batch_size=16, threads=1, precision='fp32', name='b', progress=stop)\n"
    "print(stopped.status)",
    "study = hf.study(vary={'a': {}, 'b': {'batch_size': 8}}, data='digits', epochs=1, limit=64,\n"
    "                 batch_size=16, seeds=1, threads=1, precision='fp32')\n"
    "study",
)


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> nbformat.NotebookNode:
    folder = tmp_path_factory.mktemp("notebook")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in CELLS])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUNDREDFOLD_CACHE", str(folder / "cache"))
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        patch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
        client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": folder}})
        client.execute()
    return notebook


def outputs(notebook: nbformat.NotebookNode, cell: int) -> list[nbformat.NotebookNode]:
    return list(notebook.cells[cell].outputs)


def test_training_is_one_output_with_a_table_and_curves(executed: nbformat.NotebookNode) -> None:
    (shown,) = outputs(executed, 0)
    page = shown.data["text/html"]
    assert shown.output_type == "display_data"
    assert [int(n) for n in re.findall(r"<tr><td[^>]*>(\d+)", page)] == [1, 2, 3, 4]
    assert "<svg" in page and "done" in page


@pytest.mark.parametrize("cell", [1, 2, 4])
def test_a_result_shows_itself_as_a_page_and_as_text(
    cell: int, executed: nbformat.NotebookNode
) -> None:
    shown = outputs(executed, cell)[-1]
    assert shown.output_type == "execute_result"
    assert shown.data["text/html"].startswith("<div")
    assert len(shown.data["text/plain"]) > 10


def test_nothing_shown_needs_a_script_a_style_sheet_or_the_network(
    executed: nbformat.NotebookNode,
) -> None:
    for cell in range(len(CELLS)):
        for output in outputs(executed, cell):
            page = output.get("data", {}).get("text/html", "")
            assert not re.search(r"<script|<style|<link|<iframe|class=|var\(|@import|url\(", page)
            assert not re.search(r'(src|href)="(?!data:)', page)
            assert set(re.findall(r'https?://[^"<\s]+', page)) <= {"http://www.w3.org/2000/svg"}


def test_an_interrupt_of_the_kernel_returns_the_run(executed: nbformat.NotebookNode) -> None:
    (said,) = outputs(executed, 3)
    assert said.text == "stopped\n"


def test_a_study_s_progress_is_one_output_too(executed: nbformat.NotebookNode) -> None:
    progress, _ = outputs(executed, 4)
    assert progress.data["text/html"].count("trained") == 2
