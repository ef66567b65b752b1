"""The change that docs/adding-a-model.md shows is applied to a copy and tested there."""

import json

PAGE = "adding-a-model.md"


def test_one_file_and_its_test_are_all_there_is_to_it(copy):
    assert copy.added == ["src/hundredfold/models/all_cnn.py", "tests/models/test_all_cnn.py"]


def test_the_new_file_has_the_pinned_count_and_keeps_every_law(copy):
    tests = ("tests/laws/test_models.py", "tests/models/test_all_cnn.py")
    assert copy.tests_pass(*tests, "-k", "all_cnn") >= 25


def test_the_new_file_is_found_by_the_command_line(copy):
    done = copy.python("-m", "hundredfold", "models", "all_cnn(dropout=0.3)", "--json")
    assert json.loads(done.stdout)["parameters"] == 1_387_108


def test_the_new_file_is_tidy(copy):
    copy.is_tidy()
