"""What a training says at its end."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hundredfold import cli


@pytest.mark.parametrize("parts", [("",), ("train", "val"), ("train", "test")], ids="-".join)
def test_the_next_command_opens_a_split_that_is_there(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], parts: tuple[str, ...]
) -> None:
    chance = np.random.default_rng(0)
    for part in parts:
        for name in "ab":
            folder = elsewhere / "photos" / part / name
            folder.mkdir(parents=True)
            for number in range(6):
                pixels = chance.integers(0, 256, (16, 16, 3), np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    assert cli.main(["train", "--data", "photos", "--epochs", "1", "--name", "a"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("next")]
    split = "test" if "test" in parts else "validation"
    command = line.split()[1:]
    assert command == ["hundredfold", "evaluate", str(Path("runs") / "a"), "--split", split]
    assert cli.main(command[1:]) == 0
