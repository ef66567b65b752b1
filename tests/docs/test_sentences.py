"""No sentence of a page is longer than 40 words; the aim is 25."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import pages

sys.path.pop(0)

LONGEST = 40


@pytest.mark.parametrize("page", pages.pages(), ids=pages.name)
def test_no_sentence_is_too_long(page):
    long = [s for s in pages.sentences(page.read_text("utf-8")) if pages.words(s) > LONGEST]
    assert not long, "\n".join(f"{pages.words(s)} words: {s}" for s in long)


def test_the_splitter_knows_sentences_items_cells_and_code():
    text = "# Head\n\nOne two. Three `a. B c` four?\n\n- item one\n- item two\n\n| a b | c |\n|---|---|\n"
    assert pages.sentences(text)[:6] == [
        "One two.", "Three code four?", "item one", "item two", "a b", "c",
    ]  # fmt: skip


def test_code_blocks_and_tables_made_from_records_are_no_prose():
    text = "```sh\n" + "word " * 50 + "\n```\n\n<!-- table: x -->\n" + "word " * 50 + "<!-- end -->"
    assert pages.sentences(text) == []


def test_a_long_sentence_over_several_lines_is_counted_whole():
    (one,) = pages.sentences("word " * 30 + "\n" + "word " * 15 + "end.")
    assert pages.words(one) == 46
