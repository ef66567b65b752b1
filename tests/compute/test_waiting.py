"""Threads wait briefly for each other until a further team of threads ends."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
import torch

from hundredfold import machine
from hundredfold.compute import waiting
from hundredfold.compute.threads import threads


@pytest.fixture
def _ours(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in machine.WAITING.items():
        monkeypatch.setenv(name, value)
    with threads(2):
        yield
    waiting.patiently()


@pytest.mark.usefixtures("_ours")
def test_one_team_sleeps_until_it_is_woken() -> None:
    before = threading.active_count()
    waiting.briefly()
    waiting.briefly()
    assert threading.active_count() == before + 1
    assert torch.get_num_threads() == 2
    waiting.patiently()
    waiting.patiently()
    assert not waiting._teams


@pytest.mark.usefixtures("_ours")
def test_one_thread_waits_for_none() -> None:
    with threads(1):
        waiting.briefly()
    assert not waiting._teams


@pytest.mark.usefixtures("_ours")
def test_what_the_user_has_set_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOMP_SPINCOUNT", "5")
    waiting.briefly()
    assert not waiting._teams


WAITS = """
import time
import torch
from hundredfold import machine
from hundredfold.compute import waiting
machine.WAITING["GOMP_SPINCOUNT"] = "5000000"
torch.set_num_threads(2)
numbers = torch.zeros(1 << 17)
def processor_time():
    numbers.add_(1)
    began = time.process_time()
    time.sleep(0.3)
    return time.process_time() - began
waiting.briefly()
brief = min(processor_time() for _ in range(3))
waiting.patiently()
time.sleep(0.1)
patient = max(processor_time() for _ in range(3))
print(brief, patient)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="OpenMP of PyTorch's Linux wheels")
def test_a_sleeping_team_shortens_the_wait_of_all_others() -> None:
    """The wait is made long enough to be seen in the processor's time: some 0.1 s."""
    if len(machine.allowed()) != 2:
        pytest.skip("a team of two threads exceeds two cores only")
    environment = os.environ | machine.WAITING | {"GOMP_SPINCOUNT": "5000000"}
    found = subprocess.run(
        [sys.executable, "-c", WAITS], env=environment, capture_output=True, text=True, check=True
    )
    brief, patient = map(float, found.stdout.split())
    assert brief < 0.01
    assert patient > 4 * brief
