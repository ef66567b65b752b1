"""Batches: every image once an epoch, the same ones however the epoch is entered."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from hundredfold import machine
from hundredfold.data import Packed
from hundredfold.data._packed import encode, write
from hundredfold.engines.pytorch.feed import Feed, in_order
from hundredfold.errors import UsageError

SIZE, COUNT = 8, 50


def arrays() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image i is painted with i; its class is i % 5; every second row belongs to the split."""
    pixels = np.arange(2 * COUNT, dtype=np.uint8)[:, None, None, None]
    pixels = np.broadcast_to(pixels, (2 * COUNT, SIZE, SIZE, 3)).copy()
    return pixels, np.arange(2 * COUNT) % 5, np.arange(0, 2 * COUNT, 2)


def noise(images, labels, generator, *_):
    drawn = torch.randint(0, 256, images.shape, generator=generator, dtype=torch.uint8)
    return drawn ^ images, labels


def feed(**options) -> Feed:
    return Feed(*arrays(), **{"classes": 5, "batch_size": 8, "seed": 0} | options)


def painted(batches) -> list[int]:
    return [int(image[0, 0, 0]) for batch in batches for image in batch.images]


def feed_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("feed")]


@pytest.mark.parametrize("prefetch", [0, 1, 2, 100])
def test_an_epoch_shows_images_of_the_split_once_in_full_batches(prefetch):
    with feed(prefetch=prefetch) as f:
        batches = list(f.epoch(0))
        assert len(batches) == f.steps == 6
    seen = painted(batches)
    assert len(set(seen)) == 48
    assert set(seen) < set(range(0, 100, 2))


def test_images_and_labels_belong_together_and_have_the_promised_layout():
    with feed() as f:
        for images, labels in f.epoch(0):
            assert images.dtype == torch.uint8
            assert images.shape == (8, 3, SIZE, SIZE)
            assert images.is_contiguous(memory_format=torch.channels_last)
            assert labels.dtype == torch.float32
            expected = torch.eye(5)[images[:, 0, 0, 0].long() % 5]
            assert torch.equal(labels, expected)


def test_order_depends_on_seed_and_epoch_alone():
    with feed() as a, feed(prefetch=0) as b, feed(seed=1) as c:
        assert painted(a.epoch(3)) == painted(b.epoch(3))
        assert painted(a.epoch(3)) != painted(a.epoch(4))
        assert painted(a.epoch(3)) != painted(c.epoch(3))


@pytest.mark.parametrize("prefetch", [0, 2])
def test_an_epoch_entered_in_the_middle_gives_the_same_batches(prefetch):
    with feed(prefetch=prefetch, augment=noise) as f:
        whole = list(f.epoch(2))
        for start in (0, 1, 5, 6):
            rest = list(f.epoch(2, start))
            assert len(rest) == 6 - start
            for once, again in zip(whole[start:], rest, strict=True):
                assert torch.equal(once.images, again.images)
                assert torch.equal(once.labels, again.labels)


def test_pixels_that_lie_on_the_device_give_the_same_batches():
    with feed(augment=noise, resident=True) as there, feed(augment=noise) as here:
        for once, again in zip(there.epoch(1), here.epoch(1), strict=True):
            assert torch.equal(once.images, again.images)
            assert once.images.stride() == again.images.stride()
            assert torch.equal(once.labels, again.labels)


def test_augmentation_differs_from_batch_to_batch_and_from_epoch_to_epoch():
    def drawn(images, labels, generator, *_):
        return torch.randint(0, 256, images.shape, generator=generator, dtype=torch.uint8), labels

    with feed(augment=drawn) as f:
        seen = [batch.images for epoch in (0, 1) for batch in f.epoch(epoch)]
    assert len({image.numpy().tobytes() for image in seen}) == 12


def test_the_augmentation_is_told_the_epoch_and_each_images_own_key():
    def seen_by(seed, epoch, prefetch):
        epochs, keys = set(), {}

        def note(images, labels, _, epoch, given):
            assert given.dtype == torch.int64
            epochs.add(epoch)
            keys.update(zip(images[:, 0, 0, 0].tolist(), given.tolist(), strict=True))
            return images, labels

        with feed(augment=note, seed=seed, prefetch=prefetch) as f:
            list(f.epoch(epoch))
        assert epochs == {epoch}
        return keys

    first, later, other = seen_by(0, 0, 2), seen_by(0, 5, 0), seen_by(1, 0, 2)
    shared = first.keys() & later.keys()
    assert len(shared) >= 46
    assert all(first[image] == later[image] for image in shared)
    assert len(set(first.values())) == 48
    assert not set(first.values()) & set(other.values())


def test_the_global_generators_are_left_alone():
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    with feed(augment=noise) as f:
        list(f.epoch(0))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002


@pytest.mark.parametrize("prefetch", [0, 2])
def test_an_error_in_the_augmentation_reaches_the_consumer(prefetch):
    def broken(*_):
        raise ValueError("broken on purpose")

    with (
        feed(augment=broken, prefetch=prefetch) as f,
        pytest.raises(ValueError, match="on purpose"),
    ):
        next(f.epoch(0))
    assert feed_threads() == []


def test_no_thread_is_left_after_close():
    f = feed()
    list(f.epoch(0))
    assert len(feed_threads()) == 1
    f.close()
    f.close()
    assert feed_threads() == []


def test_the_thread_computes_on_one_core_and_leaves_the_others_to_training():
    before, seen = torch.get_num_threads(), []

    def counted(images, labels, *_):
        seen.append(torch.get_num_threads())
        return images, labels

    with feed(augment=counted) as f:
        list(f.epoch(0))
        assert torch.get_num_threads() == before
        with ThreadPoolExecutor(1) as later:
            assert later.submit(torch.get_num_threads).result() == before
    assert set(seen) == {1}


def test_a_consumer_may_stop_early_and_start_again():
    made = []

    def counted(images, labels, *_):
        made.append(1)
        return images, labels

    with feed(augment=counted, prefetch=2) as f:
        batches = f.epoch(0)
        next(batches)
        batches.close()
        assert len(painted(f.epoch(1))) == 48
    assert len(made) <= 6 + 1 + 2
    assert feed_threads() == []


@pytest.mark.parametrize(("threads", "ahead"), [(1, True), (2, False), (3, False)])
def test_batches_are_made_ahead_where_a_core_is_free_for_it(monkeypatch, threads, ahead):
    monkeypatch.setattr(machine, "cores", lambda: 2)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    with feed() as f:
        next(f.epoch(0))
        assert bool(feed_threads()) == ahead


def test_waiting_is_counted_and_can_be_reset():
    def slow(images, labels, *_):
        threading.Event().wait(0.005)
        return images, labels

    with feed(augment=slow, prefetch=0) as f:
        list(f.epoch(0))
        assert 0.03 <= f.waited < 1
        f.waited = 0.0
        assert f.waited == 0


def test_a_batch_larger_than_the_data_is_refused_with_a_remedy():
    with pytest.raises(UsageError, match="a batch of 51 is larger than the 50 training") as caught:
        feed(batch_size=51)
    assert "--batch-size" in caught.value.remedy


@pytest.mark.parametrize("batch_size", [0, -3])
def test_a_batch_of_nothing_is_refused(batch_size):
    with pytest.raises(UsageError):
        feed(batch_size=batch_size)


def test_memory_mapped_pixels_are_read_and_never_written(tmp_path):
    pixels, labels, indices = arrays()
    np.save(tmp_path / "pixels.npy", pixels)
    mapped = np.load(tmp_path / "pixels.npy", mmap_mode="r")
    with Feed(mapped, labels, indices, classes=5, batch_size=8, seed=0) as f, feed() as g:
        for ours, theirs in zip(f.epoch(0), g.epoch(0), strict=True):
            assert torch.equal(ours.images, theirs.images)
            ours.images.zero_()
    assert (np.load(tmp_path / "pixels.npy") == pixels).all()


def test_evaluation_sees_every_image_once_in_order():
    pixels, _, indices = arrays()
    batches = list(in_order(pixels, indices, 8, "cpu"))
    assert [len(b) for b in batches] == [8] * 6 + [2]
    assert [int(i[0, 0, 0]) for b in batches for i in b] == indices.tolist()
    assert all(b.is_contiguous(memory_format=torch.channels_last) for b in batches)
    assert all(b.dtype == torch.uint8 for b in batches)


@pytest.mark.parametrize("resident", [None, True])
def test_packed_images_make_the_batches_of_their_pixels(tmp_path, resident):
    pixels, labels, indices = arrays()
    write(tmp_path, [[encode(image) for image in pixels]])
    packed = Packed(tmp_path, SIZE)
    options = {"classes": 5, "batch_size": 8, "seed": 0, "augment": noise, "resident": resident}
    with Feed(packed, labels, indices, **options) as f, feed(augment=noise) as g:
        for ours, theirs in zip(f.epoch(0), g.epoch(0), strict=True):
            assert torch.equal(ours.images, theirs.images)
    whole = torch.cat(list(in_order(packed, indices, 8)))
    assert [int(image[0, 0, 0]) for image in whole] == indices.tolist()
