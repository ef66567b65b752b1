import pytest
import torch

from hundredfold.errors import CheckError, UsageError
from hundredfold.models import build, outline


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("resnett", "did you mean 'resnet'"),
        ("resnet(deepth=18)", "did you mean 'depth'"),
        ("resnet(depth='18')", "not of the type int"),
        ("resnet(depth=21)", "18, 20, 32, 34, 44, 50, 56, 101, 110, 152"),
        ("resnet(depth=20, stem='imagenet')", "CIFAR stem only"),
        ("preact_resnet(depth=21)", "152, 164, 1001"),
        ("preact_resnet(depth=164, stem='imagenet')", "CIFAR stem only"),
        ("wrn(depth=27)", "wrn(depth=28)"),
        ("wrn(depth=4)", "wrn(depth=10)"),
        ("wrn(width=0)", "width is a number from 1 to 100"),
        ("densenet(depth=101)", "121, 169, 201"),
        ("densenet(growth=0)", "growth is a number from 1 to 512"),
        ("vgg(depth=12)", "11, 13, 16, 19"),
        ("vgg(head='big')", "'auto', 'dense', 'pool', 'imagenet'"),
        ("simple_cnn(dropout=1.0)", "below 1"),
    ],
)
def test_an_invalid_call_names_valid_values(text, message):
    with pytest.raises(UsageError) as caught:
        build(text, classes=10, size=32, seed=0)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "size", "least"),
    [("simple_cnn", 17, 18), ("vgg", 31, 32), ("densenet", 3, 4), ("densenet(depth=121)", 7, 8)],
)
def test_the_smallest_images_are_known(text, size, least):
    with torch.device("meta"):
        with pytest.raises(UsageError, match=f"at least {least} pixels, not {size}"):
            build(text, classes=10, size=size, seed=0)
        model = build(text, classes=10, size=least, seed=0).eval()
        images = torch.empty((1, 3, least, least), dtype=torch.uint8)
    assert model(images).shape == (1, 10)


@pytest.mark.parametrize(("classes", "size"), [(1, 32), (0, 32), (10, 0)])
def test_classes_and_size_are_checked(classes, size):
    with pytest.raises(UsageError, match="at least"):
        build("resnet(depth=20)", classes=classes, size=size, seed=0)


def test_the_global_generator_does_not_change_the_weights():
    first = build("simple_cnn", classes=10, size=32, seed=0)
    torch.rand(3)
    again = build("simple_cnn", classes=10, size=32, seed=0)
    pairs = zip(first.parameters(), again.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert first.training


def test_an_outline_has_the_shapes_and_no_memory():
    model = outline("densenet(depth=40)", classes=10, size=32)
    real = build("densenet(depth=40)", classes=10, size=32, seed=0)
    assert all(t.is_meta for t in model.state_dict().values())
    shapes = {key: t.shape for key, t in model.state_dict().items()}
    assert shapes == {key: t.shape for key, t in real.state_dict().items()}


def test_an_outline_leaves_initialisation_as_it_was():
    outline("simple_cnn", classes=10, size=32)
    assert torch.empty(9).normal_(generator=torch.Generator().manual_seed(0)).std() > 0.1


def test_a_network_that_does_not_fit_in_memory_is_refused_before_memory_is_taken(monkeypatch):
    monkeypatch.setattr("hundredfold.machine.free_memory", lambda: 10**9)
    with pytest.raises(CheckError, match=r"has 96,\d{3},\d{3},\d{3} parameters") as caught:
        build("densenet(depth=1000, growth=512)", classes=10, size=32, seed=0)
    assert "1.16 TB" in str(caught.value)
    assert "1 GB are free" in str(caught.value)
    build("resnet(depth=20)", classes=10, size=32, seed=0)


def test_counting_a_network_changes_no_weight(monkeypatch):
    counted = build("vgg(depth=11)", classes=10, size=32, seed=3)
    monkeypatch.setattr("hundredfold.models._build._need_memory", lambda *_: None)
    plain = build("vgg(depth=11)", classes=10, size=32, seed=3)
    pairs = zip(counted.parameters(), plain.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
