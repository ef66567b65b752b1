"""When a training is saved, what that costs, and what a finished run keeps of it."""

from pathlib import Path

import pytest

from hundredfold import cli
from hundredfold.run import Run
from hundredfold.training import checkpoint, outcome, saves

TRAIN = ["train", "--data", "shapes(size=18, classes=4, images=24)", "--batch-size", "16",
         "--precision", "fp32", "--threads", "1", "--patience", "0"]  # fmt: skip


@pytest.mark.parametrize("epochs", [1, 5, 40, 200])
def test_saving_takes_a_hundredth_of_a_run_however_short(elsewhere: Path, epochs: int) -> None:
    """A disk that is ten times as slow as assumed costs its first save alone more than that."""
    assert cli.main([*TRAIN, "--epochs", str(epochs), "--name", "a"]) == 0
    assert Run(elsewhere / "runs" / "a").info["saving_share"] <= 0.02  # a busy disk doubles one


@pytest.mark.usefixtures("elsewhere")
def test_a_save_waits_until_it_costs_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a clock that stands still but for saves and steps, all shares are exact."""
    now, began, ended = [0.0], [], []
    save, due = checkpoint.save, saves.Saves.due

    def slow(*given: object) -> None:
        began.append(now[0])
        save(*given)  # type: ignore[arg-type]
        now[0] += 2.0
        ended.append(now[0])

    def later(self: saves.Saves, least: float = 0.0) -> bool:
        now[0] += 1.0
        return due(self, least)

    monkeypatch.setattr(saves.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(checkpoint, "save", slow)
    monkeypatch.setattr(saves.Saves, "due", later)
    assert cli.main([*TRAIN, "--epochs", "150", "--name", "a"]) == 0
    assert len(began) >= 3
    assert all(start - end >= 200 for start, end in zip(began[1:], ended, strict=False))
    assert began[0] > 2, "the first waits too"


def test_a_finished_run_keeps_no_state_and_says_that_it_is_finished(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saves, "SHARE_OF_TIME", float("inf"))
    assert cli.main([*TRAIN, "--epochs", "3", "--name", "a"]) == 0
    run = Run(elsewhere / "runs" / "a")
    assert list((run.folder / "state").iterdir()) == []
    assert cli.main(["train", "--resume", "a"]) == 2
    assert "is finished; there is nothing to resume" in capsys.readouterr().err
    assert cli.main(["evaluate", "a"]) == 0
    assert cli.main(["report", "a"]) == 0


@pytest.mark.parametrize("died", ["_keep_weights", "_score", "_note"])
def test_a_run_that_dies_at_its_end_keeps_its_state_and_ends_the_same(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, died: str
) -> None:
    """Its saves go last: as long as the run is not done they are there to resume from."""
    monkeypatch.setattr(saves, "SHARE_OF_TIME", float("inf"))
    assert cli.main([*TRAIN, "--epochs", "3", "--name", "whole"]) == 0

    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(outcome, died, die)
        patch.setattr(outcome, "_leave", die)
        with pytest.raises(Killed):
            cli.main([*TRAIN, "--epochs", "3", "--name", "dead"])
    whole, dead = (Run(elsewhere / "runs" / name) for name in ("whole", "dead"))
    assert list((dead.folder / "state").glob("[0-9]*.json"))
    assert dead.info["status"] != "done"
    assert cli.main(["train", "--resume", "dead"]) == 0
    assert dead.best().read_bytes() == whole.best().read_bytes()
    assert list((dead.folder / "state").iterdir()) == []


def test_state_that_a_kill_left_in_a_finished_run_goes_with_the_next_look(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Run, "delete_state", lambda _: None)
        patch.setattr(saves, "SHARE_OF_TIME", float("inf"))
        assert cli.main([*TRAIN, "--epochs", "3", "--name", "a"]) == 0
    state = elsewhere / "runs" / "a" / "state"
    assert list(state.iterdir())
    assert cli.main(["train", "--resume", "a"]) == 2
    assert list(state.iterdir()) == []
