import pytest
import torch


def test_a_step_is_measured_beside_the_same_network_with_plain_convolutions(benchmark):
    table, facts = benchmark(
        "depthwise", "--model", "mobilenet_v2", "--part", "all", "--size", "32", "--batch", "2",
        "--blocks", "2", "--seconds", "0.01", "--threads", "1",
    )  # fmt: skip
    (row,) = facts["rows"]
    assert row["model"] == "mobilenet_v2" and row["part"] == "all"
    assert facts["seconds"] == "the processor's"
    ratios = row["ratios"]["plain"]
    assert 0 < ratios["low"] <= ratios["value"] <= ratios["high"]
    assert [len(found) for found in row["blocks"].values()] == [2, 2]
    assert len(table) == 2


@pytest.mark.parametrize("model", ["efficientnet_lite", "efficientnet"])
def test_the_plain_network_computes_the_same(model):
    import depthwise

    from hundredfold.models import Conv2d

    network = depthwise.network(model, 64, "upper third")
    plain = depthwise.plain(network, 64)
    assert not any(isinstance(module, Conv2d) for module in plain.modules())
    images = torch.randint(0, 256, (2, 3, 64, 64), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(plain.eval()(images.byte()), network.eval()(images.byte()))
    trained = [p.requires_grad for p in network.parameters()]
    assert [p.requires_grad for p in plain.parameters()] == trained
    assert any(trained) and not all(trained)
