from statistics import median

import pytest


def test_rates_ratios_and_shares_come_from_the_rounds(benchmark):
    small = ("model.width=0.125", "batch_size=8", "micro_batch=0")
    sets = [text for change in small for text in ("--set", change)]
    table, facts = benchmark(
        "input", "--threads", "1", "--batch", "8", "--rounds", "2", "--precision", "fp32", *sets
    )
    blocks = facts["blocks"]
    assert {"speed-75", "crop and alternating flip", "affine four"} <= set(blocks)
    pairs = zip(blocks["trivial"], blocks["trivial, by Pillow"], strict=True)
    ratios = [mine / other for mine, other in pairs]
    assert facts["ratios"]["trivial / Pillow"]["value"] == pytest.approx(median(ratios), rel=1e-3)
    pairs = zip(blocks["step of speednet"], blocks["speed-75"], strict=True)
    shares = [step / made for step, made in pairs]
    known = facts["share_of_step"]["speed-75 of speednet"]
    assert (known["low"], known["high"]) == pytest.approx((min(shares), max(shares)), rel=1e-3)
    rate = facts["images_per_second"]["affine four"]
    assert facts["reached"]["affine four"] == (rate >= facts["aims"]["affine four"])
    assert ("crop and flip / Keras" in facts["ratios"]) == (not facts["keras_absent"])
    assert len(table) > len(blocks)
