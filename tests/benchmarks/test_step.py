from statistics import median

import pytest

TOY = ("--threads", "1", "--blocks", "2", "--seconds", "0.02", "--gemm", "128")
SMALL = ("--set", "model.width=0.125", "--set", "batch_size=8", "--set", "micro_batch=4")


def test_a_step_is_timed_against_plain_pytorch_at_every_size(benchmark):
    table, facts = benchmark("step", *TOY, "--model", "speednet", "--precision", "fp32", *SMALL)
    assert [row["size"] for row in facts["rows"]] == [20, 24, 32]
    assert len(table) == 4 and "ours / plain" in table[0]
    for row in facts["rows"]:
        pairs = zip(row["blocks"]["ours"], row["blocks"]["plain"], strict=True)
        ratios = [mine / other for mine, other in pairs]
        assert len(ratios) == 2
        known = {"value": median(ratios), "low": min(ratios), "high": max(ratios)}
        assert row["ratios"]["plain"] == pytest.approx(known, rel=1e-3)
        share = 3 * row["macs"] * median(row["blocks"]["ours"]) / row["gemm_peak"]
        assert row["share_of_gemm_peak"] == pytest.approx(share, rel=1e-3)
        assert (row["batch"], row["micro_batch"]) == (8, 4)


def test_the_zoo_is_the_tables_and_speednets_three_sizes():
    import step

    found = [(case.name, case.size) for case in step.cases([], 128, [])]
    assert found == [
        ("simple_cnn", 32),
        ("resnet(depth=20)", 32),
        ('resnet(depth=18, stem="cifar")', 32),
        ("wrn(depth=16, width=4)", 32),
        ("speednet", 20),
        ("speednet", 24),
        ("speednet", 32),
    ]


def test_a_model_outside_the_zoo_is_timed_alone():
    import step

    [case] = step.cases(["vgg"], 16, [])
    assert (case.recipe.model.name, case.recipe.batch_size) == ("vgg", 16)


def test_where_tensorflow_is_absent_that_is_said(benchmark):
    table, facts = benchmark("step", *TOY, "--model", "simple_cnn", "--precision", "fp32",
                             "--batch", "4")  # fmt: skip
    assert ("tensorflow" in table[0]) == (not facts["tensorflow_absent"])
    assert ("tensorflow" in facts["rows"][0]["ratios"]) == (not facts["tensorflow_absent"])
