"""The device and the number of threads that a training may have."""

import pytest

from hundredfold.compute import device
from hundredfold.errors import UsageError


@pytest.mark.parametrize(
    "name", ["meta", "xla", "cuda:-1", "cuda:99", "cuda:" + "9" * 50, "gpu", "", "d" * 9000]
)
def test_a_device_that_cannot_train_is_one_sentence(name: str) -> None:
    with pytest.raises(UsageError, match=r"device") as caught:
        device.choose(name)
    assert caught.value.remedy == "--device auto"
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("count", [-1, 1025, 10**6, 10**30])
def test_threads_out_of_range_are_refused(count: int) -> None:
    with pytest.raises(UsageError, match="threads is a number from 0 to 1,024"):
        device.use_threads(count)
