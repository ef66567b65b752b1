import json

import pytest

from hundredfold import spec
from hundredfold.api.networks import _EXAMPLES
from hundredfold.cli import main
from hundredfold.cli.models import models


def test_the_list_holds_every_family_and_its_cost(capsys):
    result = models()
    names = spec.names("hundredfold.models")
    assert [family["name"] for family in result["families"]] == list(names)
    costs = {row["model"]: (row["parameters"], row["macs"]) for row in result["networks"]}
    assert costs["resnet(depth=20)"] == (275_572, 40_556_800)
    assert len(costs) == len(names) - 1 + len(_EXAMPLES), "timm has no network without a name"
    out = capsys.readouterr().out
    assert all(name in out for name in (*names, *_EXAMPLES))
    assert "275,572" in out and "40.6 M" in out


def test_networks_that_need_larger_images_stay_in_the_list(capsys):
    rows = {row["model"]: row for row in models(size=16)["networks"]}
    assert rows["vgg(depth=11)"]["parameters"] is None
    assert rows["vgg(depth=11)"]["error"] == "vgg needs images of at least 32 pixels, not 16"
    assert rows["resnet(depth=20)"]["parameters"] == 275_572
    assert "at least 32 pixels" in capsys.readouterr().out


def test_one_is_shown_with_its_table_options_diagram_and_layers(capsys):
    result = models("wrn(depth=16, width=4)", classes=10, size=64)
    assert result["model"] == "wrn(depth=16, width=4, dropout=0.0)"
    assert result["parameters"] == 2_748_890
    assert [option["name"] for option in result["options"]] == ["depth", "width", "dropout"]
    out = capsys.readouterr().out
    assert "Zagoruyko & Komodakis" in out
    assert "probability between a block's convolutions" in out
    assert result["diagram"] in out
    assert "group3.1.conv2" in out


def test_json_is_one_object_and_nothing_else(capsys):
    assert main(["models", "resnet(depth=20)", "--json", "--classes", "10"]) == 0
    assert json.loads(capsys.readouterr().out)["parameters"] == 269_722
    assert main(["models", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["families"]) >= 6


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["wrm"], "did you mean 'wrn'?"),
        (["wrn(depht=16)"], "did you mean 'depth'?"),
        (["resnet(depth=19)"], "resnet(depth=18)"),
        (["vgg", "--size", "16"], "at least 32 pixels"),
        (["--classes", "1"], "classes is a number from 2"),
        (["--size", "0"], "size is a number from 1"),
    ],
)
def test_mistakes_are_a_sentence_and_exit_code_2(given, says, capsys):
    assert main(["models", *given]) == 2
    captured = capsys.readouterr()
    assert says in captured.err
    assert captured.out == ""
    assert "Traceback" not in captured.err
