"""What every network in models/ keeps to, whoever wrote it."""

import copy
from functools import cache

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hundredfold import models
from hundredfold.compute import replicas
from hundredfold.compute.threads import threads
from hundredfold.errors import UsageError
from hundredfold.size import Size
from hundredfold.spec import describe, names, part

PACKAGE = "hundredfold.models"
NETWORKS = tuple(n for n in names(PACKAGE) if n != "timm")  # an extra, tested by itself
WITH_DROPOUT = [n for n in NETWORKS if "dropout" in part(n, PACKAGE).options]
FITTED = {"speednet": {"whiten.weight"}}  # set from images, not trained
FIXED = {  # filters that all begin as the identity
    "speednet": {f"{name}.weight" for name in
                 ("group1.conv2", "group1.conv3", "group2.conv2", "group3.conv2")}
}  # fmt: skip
SMALLER = {  # seconds, else
    "wrn": "wrn(depth=10, width=2)",
    "densenet": "densenet(depth=16)",
    "mobilenet_v2": "mobilenet_v2(width=0.5)",
    "convnext": "convnext(width=16)",
    "dinov2": "dinov2(depth=2)",
}

network = pytest.mark.parametrize("name", NETWORKS)


def build(name: str, *, classes: int = 10, size: int = 32, seed: int = 0) -> nn.Module:
    text = SMALLER.get(name, name)
    return models.build(text, classes=classes, size=size, seed=seed)


def images(count: int = 2, size: int = 32) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    shape = (count, size, size, 3)
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    return pixels.permute(0, 3, 1, 2)


@network
def test_a_rectangle_passes_forward_and_backward(name):
    size = Size(32, 48)
    text = SMALLER.get(name, name)
    model = models.build(text, classes=5, size=size, seed=0)
    pixels = images(size=48)[:, :, :32]
    logits = model(pixels)
    assert logits.shape == (2, 5)
    F.cross_entropy(logits, torch.tensor([0, 3])).backward()
    used = [p.grad for p in model.parameters() if p.requires_grad]
    assert all(gradient is not None and gradient.isfinite().all() for gradient in used)
    counted = models.summary(model, size)
    assert counted.as_json()["size"] == "32x48"
    assert counted.macs > models.summary(models.outline(text, classes=5, size=32), 32).macs
    turned = models.outline(text, classes=5, size=(48, 32))
    assert counted.macs == models.summary(turned, "48x32").macs


@cache
def logits(name: str, seed: int = 0) -> Tensor:
    with torch.no_grad():
        return build(name, seed=seed).eval()(images())


def loss(model: nn.Module) -> Tensor:
    """Cross-entropy of eight fixed images, the dropped units fixed too."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return F.cross_entropy(model(images(8)), torch.arange(8) % 10)


def trained(model: nn.Module) -> dict[str, nn.Parameter]:
    return {key: p for key, p in model.named_parameters() if p.requires_grad}


def test_there_are_networks():
    assert len(NETWORKS) >= 6


@network
def test_bytes_become_finite_float_logits(name):
    assert logits(name).shape == (2, 10)
    assert logits(name).dtype == torch.float32
    assert logits(name).isfinite().all()


@pytest.mark.parametrize("classes", [2, 10, 100])
@network
def test_there_is_a_logit_for_each_class(name, classes):
    with torch.device("meta"):
        model = build(name, classes=classes)
        pixels = torch.empty((2, 3, 32, 32), dtype=torch.uint8)
    assert model(pixels).shape == (2, classes)


@pytest.mark.parametrize("size", [32, 40, 64, 128])
@network
def test_other_sizes_are_taken(name, size):
    with torch.device("meta"):
        model = build(name, size=size)
        pixels = torch.empty((2, 3, size, size), dtype=torch.uint8)
    assert model(pixels).shape == (2, 10)


@network
def test_gradients_reach_every_parameter(name):
    model = build(name)
    loss(model).backward()
    frozen = {key for key, parameter in model.named_parameters() if not parameter.requires_grad}
    assert frozen == FITTED.get(name, set())
    for key, parameter in trained(model).items():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key
        assert parameter.grad.any(), key


@network
def test_a_step_down_the_gradient_lowers_the_loss(name):
    model = build(name)
    before = loss(model)
    before.backward()
    with torch.no_grad():
        norm = torch.cat([p.grad.flatten() for p in trained(model).values()]).norm()
        for parameter in trained(model).values():
            parameter -= 0.01 * parameter.grad / norm
    assert loss(model) < before


@network
def test_the_seed_decides_the_weights(name):
    first, again, other = (build(name, seed=seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(first[key], again[key]) for key in first)
    constant = ("scale.mean", "scale.std", "layer_scale")
    drawn = [key for key in first if first[key].ndim > 1 and not key.endswith(constant)]
    assert drawn
    same = {key for key in drawn if torch.equal(first[key], other[key])}
    assert same == FIXED.get(name, set())


@network
def test_the_global_generator_is_left_alone(name):
    before = torch.get_rng_state()
    build(name, seed=5).eval()(images())
    assert torch.equal(torch.get_rng_state(), before)


@network
def test_evaluation_is_deterministic_and_leaves_the_weights(name):
    model = build(name).eval()
    before = copy.deepcopy(model.state_dict())
    with torch.no_grad():
        assert torch.equal(model(images()), model(images()))
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


@network
def test_an_image_scores_the_same_alone_as_in_a_batch(name):
    model = build(name).eval()
    with torch.no_grad():
        together = model(images(3))
        alone = torch.cat([model(image[None]) for image in images(3)])
    torch.testing.assert_close(alone, together, rtol=1e-4, atol=1e-4)


@network
def test_memory_stays_channels_last(name):
    model = build(name)
    for key, parameter in model.named_parameters():
        if parameter.ndim == 4:
            assert parameter.is_contiguous(memory_format=torch.channels_last), key
    outputs: list[Tensor] = []
    for module in model.modules():
        module.register_forward_hook(lambda _m, _i, output: outputs.append(output))
    model(images())
    spatial = [o for o in outputs if o.ndim == 4]
    assert all(o.is_contiguous(memory_format=torch.channels_last) for o in spatial)


@network
def test_the_layout_of_the_images_does_not_matter(name):
    with torch.no_grad():
        planes = build(name).eval()(images().contiguous())
    torch.testing.assert_close(planes, logits(name), rtol=1e-4, atol=1e-4)


@network
def test_the_images_are_not_changed(name):
    pixels = images()
    build(name).eval()(pixels)
    assert torch.equal(pixels, images())
    floats = images().float()
    build(name).eval()(floats)
    assert torch.equal(floats, images().float())


@network
def test_weights_survive_a_round_trip(name):
    model = build(name, seed=1).eval()
    model.load_state_dict(build(name).state_dict())
    with torch.no_grad():
        assert torch.equal(model(images()), logits(name))


@network
def test_a_copy_is_independent(name):
    model = build(name).eval()
    twin = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        assert torch.equal(twin(images()), logits(name))


@network
def test_bf16_autocast_trains(name):
    model = build(name)
    with torch.autocast("cpu", torch.bfloat16):
        output = model(images(8))
    F.cross_entropy(output.float(), torch.arange(8)).backward()
    assert output.isfinite().all()
    assert all(p.grad.isfinite().all() for p in trained(model).values())


@network
def test_scaling_is_the_first_layer_and_is_fitted(name):
    model = build(name)
    outermost = next(module for module in model.modules() if hasattr(module, "fit"))
    outermost.fit(images(8))
    called: list[nn.Module] = []
    for module in model.modules():
        if not list(module.children()):
            module.register_forward_hook(lambda m, _i, _o: called.append(m))
    model(images())
    channels = images(8).double().transpose(0, 1).flatten(1)
    mean = channels.mean(1)
    torch.testing.assert_close(called[0].mean.flatten().double(), mean, rtol=1e-5, atol=0)
    std = channels.std(1, correction=0)
    torch.testing.assert_close(called[0].std.flatten().double(), std, rtol=1e-5, atol=0)


@pytest.mark.parametrize("name", WITH_DROPOUT)
def test_dropout_acts_in_training_and_not_in_evaluation(name):
    network = part(SMALLER.get(name, name), PACKAGE)
    build_with = lambda dropout: models.build(  # noqa: E731
        network.with_options({"dropout": dropout}), classes=10, size=32, seed=0
    )
    with_dropout, without = build_with(0.5), build_with(0.0)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        first, second = with_dropout(images(8)), with_dropout(images(8))
        torch.manual_seed(0)
        again = build_with(0.5)(images(8))
        assert torch.equal(first, again)
        assert not torch.equal(first, second)
        assert torch.equal(build_with(0.5).eval()(images()), without.eval()(images()))


@network
def test_replicas_draw_and_gather_statistics_for_themselves(name):
    network = part(SMALLER.get(name, name), PACKAGE)
    options = {"dropout": 0.5} if name in WITH_DROPOUT else {}
    targets = F.one_hot(torch.arange(8) % 10, 10).float()
    found = []
    for count in (1, 2):
        model = models.build(network.with_options(options), classes=10, size=32, seed=0).train()
        assert replicas.can_replicate(model)
        pool = replicas.ReplicaPool(model, lambda model, given, wanted: (
            F.cross_entropy(model(given), wanted), torch.tensor(0)))  # fmt: skip
        before = torch.get_rng_state()
        with threads(count):
            micro_batches = zip(images(8).split(2), targets.split(2), strict=True)
            pool.gradients(list(micro_batches), key=5)
        assert torch.equal(torch.get_rng_state(), before), "drop() knows the replica's generator"
        gradients = {key: parameter.grad for key, parameter in trained(model).items()}
        found.append(gradients | dict(model.named_buffers()))
    assert all(torch.equal(found[0][key], found[1][key]) for key in found[0])


@pytest.mark.parametrize("probability", [-0.1, 1.0, 1.5])
@pytest.mark.parametrize("name", WITH_DROPOUT)
def test_a_probability_of_dropout_lies_below_one(name, probability):
    with pytest.raises(UsageError, match="dropout"):
        models.build(f"{name}(dropout={probability})", classes=10, size=32, seed=0)


@network
def test_the_module_shows_its_stages_and_the_function_its_options(name):
    signature = describe(name, PACKAGE)
    table = [line for line in signature.module_doc.splitlines() if "   " in line.strip()]
    assert len(table) >= 4
    assert signature.summary.endswith(".")
    for option in signature.options:
        assert f"{option.name}:" in signature.doc, option.name
