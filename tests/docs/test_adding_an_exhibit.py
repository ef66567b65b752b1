"""The change that docs/adding-an-exhibit.md shows is applied to a copy and tested there."""

PAGE = "adding-an-exhibit.md"


def test_one_file_is_all_there_is_to_it(copy):
    assert copy.added == ["src/hundredfold/reports/exhibits/coverage.py"]


def test_the_new_file_keeps_every_law_and_no_test_has_to_change(copy):
    laws = copy.tests_pass("tests/laws/test_exhibits.py", "tests/laws/test_parts.py")
    assert laws > 40
    assert copy.tests_pass("tests/reports/test_pages.py") > 30


def test_the_law_of_the_page_has_found_it(copy):
    assert copy.tests_pass("tests/laws/test_exhibits.py", "-k", "contents and coverage") == 1


def test_the_new_file_is_tidy(copy):
    copy.is_tidy()
