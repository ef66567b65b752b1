import numpy as np
import pytest


def test_parts_hold_so_many_images_of_each_class_and_share_none():
    import transfer

    labels = np.repeat(np.arange(6), 10)
    parts = transfer.drawn(labels, range(3, 6), {"train": 3, "test": 5}, seed=1)
    assert {part: len(rows) for part, rows in parts.items()} == {"train": 9, "test": 15}
    assert not set(parts["train"]) & set(parts["test"])
    for part, count in (("train", 3), ("test", 5)):
        assert np.bincount(labels[parts[part]], minlength=6).tolist() == [0, 0, 0] + [count] * 3
    again = transfer.drawn(labels, range(3, 6), {"train": 3, "test": 5}, seed=1)
    other = transfer.drawn(labels, range(3, 6), {"train": 3, "test": 5}, seed=2)
    assert np.array_equal(parts["train"], again["train"])
    assert not np.array_equal(parts["train"], other["train"])


def test_gains_are_over_scratch_seed_by_seed():
    import transfer

    def run(top_1):
        return {"test": top_1, "seconds": 1.0}

    scratch, tuned = transfer.rows({"scratch": [run(0.2), run(0.4)], "t": [run(0.3), run(0.6)]})
    assert scratch["gain"]["value"] == 0
    assert tuned["gain"]["value"] == pytest.approx(0.15)


def test_the_other_half_is_learned_in_three_ways(benchmark):
    asked = ("--data", "shapes(size=32, classes=6, images=24)", "--network",
             "speednet(width=0.125)", "--first-epochs", "1", "--first-batch", "8", "--epochs", "1",
             "--batch", "8", "--images", "10", "--scored", "5", "--seeds", "1",
             "--threads", "1", "--tuned-epochs", "2", "--tuned-rate", "0.005")  # fmt: skip
    table, facts = benchmark("transfer", *asked)
    assert [row["way"] for row in facts["rows"]] == ["scratch", "frozen", "fine-tuned"]
    assert all(0 <= row["top_1"]["value"] <= 1 for row in facts["rows"])
    assert len(table) == 4
    assert benchmark("transfer", *asked)[1]["rows"] == facts["rows"]
