import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from hundredfold import models, recipes
from hundredfold.optim import optimizers

TOY = ("--threads", "1", "--blocks", "2", "--seconds", "0.02", "--gemm", "128")
SMALL = ("--set", "model.width=0.125", "--set", "batch_size=8", "--set", "micro_batch=4")


def test_resnet_18_takes_the_compute_of_its_source():
    """33.3 PFLOP for 200 epochs of 50,000 images, as the public comparison has it."""
    import time_to_75

    assert time_to_75.pflop(time_to_75.LARGE, 50_000) == pytest.approx(33.3, abs=0.1)


def test_every_image_of_a_training_is_counted_at_its_size():
    import time_to_75

    recipe = recipes.load("speed-75").override({"resolution": "progressive", "epochs": 8.75})
    counted = time_to_75.images_by_size(recipe, 50_000)
    assert list(counted) == [20, 24, 32]
    assert sum(counted.values()) == 8.75 * 48 * 1024
    assert counted[20] == pytest.approx(0.35 * 8.75 * 48 * 1024, rel=0.01)


def test_muons_products_are_those_that_torch_counts():
    import time_to_75

    recipe = recipes.load("speed-75").override(
        {"epochs": 1, "batch_size": 8}, ["model.width=0.125"]
    )
    model = models.build(recipe.model, classes=100, size=32, seed=0)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.grad = torch.ones_like(parameter)
    with FlopCounterMode(display=False) as counter:
        optimizers.muon(model).step()
    assert time_to_75.muon_flops(recipe, 8) == counter.get_total_flops()


def test_a_projection_adds_the_seconds_of_every_size():
    import time_to_75

    rates = {
        20: {"ours": [10.0], "plain": [5.0], "resnet-18": [1.0], "gemm": [1.0]},
        32: {"ours": [2.0], "plain": [1.0], "resnet-18": [3.0], "gemm": [1.0]},
    }
    found = time_to_75.project(rates, {20: 100, 32: 40}, 10)
    assert found == {"ours": [30.0], "plain": [60.0], "resnet-18": [1000.0]}


def test_ratios_come_from_blocks_and_from_runs(benchmark):
    data = ("--set", "data=shapes(classes=4, images=20)", "--set", "validation=0.1")
    short = ("--set", "epochs=2", "--precision", "fp32", "--set", "precision=fp32")
    short += ("--set", "resolution=full")
    table, facts = benchmark(
        "time_to_75", *TOY, *SMALL, *data, *short, "--images", "64", "--large-batch", "2",
        "--train", "1",
    )  # fmt: skip
    [run] = facts["runs"]
    assert facts["validation"]["value"] == pytest.approx(run["validation"], rel=1e-3)
    assert run["test"] is None and run["wall_seconds"] > run["seconds"]
    pairs = zip(facts["blocks"]["plain"], facts["blocks"]["ours"], strict=True)
    ratios = [plain / ours for plain, ours in pairs]
    assert facts["ratios_of_steps"]["plain"]["low"] == pytest.approx(min(ratios), rel=1e-3)
    slower = facts["projected_seconds"]["resnet-18"] / run["wall_seconds"]
    assert facts["ratios_of_runs"]["resnet-18"] == pytest.approx(slower, rel=1e-3)
    assert facts["images"] == {"ours": 128, "plain": 128, "resnet-18": 200 * 64}
    assert any(line.startswith("resnet-18, projected") for line in table)
