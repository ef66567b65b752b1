"""What every operation in augment/ keeps to, whoever wrote it."""

import pytest
import torch

from hundredfold import spec
from hundredfold.augment import pipeline
from hundredfold.spec import names

PACKAGE = "hundredfold.augment"
OPERATIONS = names(PACKAGE)
RANDOM = [n for n in OPERATIONS if "probability" in spec.part(n, PACKAGE).options]
CHAINS = (
    *OPERATIONS,
    "none",
    "pad_crop | flip",
    "flip | shift | zoom | rotate",
    "pad_crop | rotate | cutout | zoom | flip",
    "pad_crop | flip | trivial | mixup | cutmix | erase",
    "pad_crop | alternating_flip | cutout",
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(count: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    pixels = torch.randint(0, 256, (count, size, size, 3), dtype=torch.uint8, generator=generator())
    return pixels.permute(0, 3, 1, 2), torch.eye(10)[torch.arange(count) % 10]


def handed(chain: str) -> set[str]:
    """Return what the pipeline hands over to any of a chain's operations."""
    return {name for part in spec.chain(chain, PACKAGE) for name in part.signature.handed}


def test_there_are_operations():
    assert len(OPERATIONS) >= 9


@pytest.mark.parametrize("size", [8, 32, 64])
@pytest.mark.parametrize("count", [1, 2, 19])
@pytest.mark.parametrize("chain", CHAINS)
def test_images_keep_their_shape_and_labels_stay_a_distribution(chain, count, size):
    images, labels = pipeline(chain)(*batch(count, size), generator())
    assert images.dtype == torch.uint8
    assert images.shape == (count, 3, size, size)
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert labels.dtype == torch.float32
    assert labels.shape == (count, 10)
    assert (labels >= 0).all()
    torch.testing.assert_close(labels.sum(1), torch.ones(count))


@pytest.mark.parametrize("size", [(12, 20), (40, 9)])
@pytest.mark.parametrize("chain", CHAINS)
def test_rectangles_keep_their_shape(chain, size):
    height, width = size
    pixels, labels = batch(19, max(size))
    cut = pixels[:, :, :height, :width].contiguous(memory_format=torch.channels_last)
    images, mixed = pipeline(chain)(cut, labels, generator())
    assert images.shape == (19, 3, height, width)
    assert images.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(mixed.sum(1), torch.ones(19))


@pytest.mark.parametrize("chain", CHAINS)
def test_nothing_is_changed_in_place(chain):
    images, labels = batch(19, 16)
    copies = images.clone(), labels.clone()
    pipeline(chain)(images, labels, generator())
    assert torch.equal(images, copies[0])
    assert torch.equal(labels, copies[1])


@pytest.mark.parametrize("chain", CHAINS)
def test_the_generator_decides_everything_that_is_drawn(chain):
    augment = pipeline(chain)
    images, labels = batch(19, 16)
    first, again, other = (augment(images, labels, generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert torch.equal(first[0], other[0]) == ("generator" not in handed(chain))


@pytest.mark.parametrize("chain", CHAINS)
def test_epoch_and_keys_matter_to_those_alone_that_ask_for_them(chain):
    augment = pipeline(chain)
    images, labels = batch(19, 16)
    keys = torch.randint(2**62, (19,), generator=generator(3))
    first = augment(images, labels, generator(), 0, keys)
    for asked, epoch, others in (("epoch", 1, keys), ("keys", 0, keys.roll(1))):
        result = augment(images, labels, generator(), epoch, others)
        assert torch.equal(first[0], result[0]) == (asked not in handed(chain))
        assert torch.equal(first[1], result[1])
    again = augment(images, labels, generator(), 0, keys)
    assert torch.equal(first[0], again[0])


@pytest.mark.parametrize("chain", CHAINS)
def test_the_global_generator_is_left_alone(chain):
    before = torch.get_rng_state()
    pipeline(chain)(*batch(4, 8), generator())
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("chain", CHAINS)
def test_the_number_of_threads_changes_nothing(chain):
    augment = pipeline(chain)
    threads = torch.get_num_threads()
    results = []
    for number in (1, 2):
        torch.set_num_threads(number)
        results.append(augment(*batch(64, 32), generator()))
    torch.set_num_threads(threads)
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])


@pytest.mark.parametrize("name", RANDOM)
def test_a_probability_of_0_is_the_identity(name):
    images, labels = batch(19, 16)
    result = pipeline(f"{name}(probability=0.0)")(images, labels, generator())
    assert torch.equal(result[0], images)
    assert torch.equal(result[1], labels)


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_takes_what_the_pipeline_hands_over_and_says_what_it_does(name):
    signature = spec.describe(name, PACKAGE)
    labelled = signature.handed == ("images", "labels", "generator")
    known = {"count", "size", "generator", "epoch", "keys"}
    assert labelled or set(signature.handed) <= known
    assert signature.summary.endswith(".")
    assert all(option.name in signature.doc for option in signature.options)
    assert not any(option.required for option in signature.options)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("chain", CHAINS)
def test_a_gpu_does_what_the_processor_does(chain):
    augment = pipeline(chain)
    images, labels = batch(19, 32)
    here = augment(images, labels, generator())
    there = augment(images.cuda(), labels.cuda(), generator())
    assert there[0].device.type == there[1].device.type == "cuda"
    far = (here[0].int() - there[0].cpu().int()).abs() > 1
    assert far.float().mean() < 0.001
    torch.testing.assert_close(here[1], there[1].cpu())
