"""Energy from the counters of the machine, which begin at 0 again at their largest value."""

from pathlib import Path

import pytest

from hundredfold.studies.search import energy


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(energy, "RAPL", tmp_path)
    monkeypatch.setattr(energy, "NVML", "no-such-library.so")
    zone = tmp_path / "intel-rapl:0"
    zone.mkdir()
    (zone / "max_energy_range_uj").write_text("1000000000")
    (zone / "energy_uj").write_text("990000000")
    part = tmp_path / "intel-rapl:0:0"
    part.mkdir()
    (part / "energy_uj").write_text("1")
    return zone


def test_joules_are_added_up_over_the_end_of_the_counter(package: Path) -> None:
    meter = energy.Meter({"processor": 5.0})
    (package / "energy_uj").write_text("995000000")
    assert meter.read()["processor"] == pytest.approx(10)
    (package / "energy_uj").write_text("2000000")
    assert meter.read()["processor"] == pytest.approx(17)


def test_without_counters_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(energy, "RAPL", tmp_path / "none")
    monkeypatch.setattr(energy, "NVML", "no-such-library.so")
    assert energy.Meter().read() == {}
