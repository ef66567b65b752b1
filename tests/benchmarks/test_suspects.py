def test_planted_labels_are_wrong_and_found(benchmark):
    table, facts = benchmark(
        "suspects", "--data", "shapes(size=32, classes=3, images=80)", "--seeds", "2",
        "--size", "64",
    )  # fmt: skip
    (row,) = facts["rows"]
    assert row["images"] == 240
    assert len(row["seeds"]) == facts["n"] == 2
    assert row["found"]["value"] > 0.5, "a tenth would be found by chance"
    assert len(table) == 2


def test_a_twentieth_of_the_labels_is_replaced_by_others():
    import numpy as np
    import suspects
    from _ours import Source, data

    shapes = data.load("shapes(size=8, classes=3, images=40)", Source())
    before = shapes.parts["train"]()
    changed, wrong = suspects.planted(shapes, 100, seed=1)
    after = changed.parts["train"]()
    assert len(after.indices) == 100
    rows = np.flatnonzero(after.labels != before.labels)
    assert len(rows) == len(wrong) == 5
    assert set(rows) <= set(after.indices)
    assert list(changed.parts) == ["train"]
