"""The change that docs/adding-an-augmentation.md shows is applied to a copy and tested there."""

PAGE = "adding-an-augmentation.md"


def test_one_file_is_all_there_is_to_it(copy):
    assert copy.added == ["src/hundredfold/augment/grey.py"]


def test_the_new_file_keeps_every_law(copy):
    assert copy.tests_pass("tests/laws/test_augment.py", "-k", "grey") >= 15


def test_the_images_are_grey(copy):
    code = (
        "import torch; from hundredfold.augment import pipeline\n"
        "images = torch.randint(256, (8, 3, 16, 16), dtype=torch.uint8)\n"
        "images = images.contiguous(memory_format=torch.channels_last)\n"
        "change = pipeline('grey(probability=1.0)')\n"
        "out, _ = change(images, torch.eye(8), torch.Generator().manual_seed(0))\n"
        "print(bool((out == out[:, :1]).all()))"
    )
    assert copy.python("-c", code).stdout.strip() == "True"


def test_a_recipe_knows_it(copy):
    chain = "shift | grey(probability=0.1)"
    quick = ("--epochs", "1", "--set", "limit=200", "--out", "runs", "--name", "one")
    copy.python("-m", "hundredfold", "train", "--data", "digits", "--augment", chain, *quick)
    assert "grey(probability=0.1)" in (copy.folder / "runs" / "one" / "recipe.toml").read_text()


def test_the_new_file_is_tidy(copy):
    copy.is_tidy()
