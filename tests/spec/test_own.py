"""Code of a user's own: named with its file, kept with its digest, run only where it is trusted."""

import hashlib
from pathlib import Path

import pytest
import torch
from torch import nn

from hundredfold import models, recipes, run
from hundredfold.errors import DataError, UsageError
from hundredfold.recipe import PACKAGES, Recipe, from_fields
from hundredfold.spec import OwnFiles, part, part_of

SOURCE = """
from pathlib import Path
from torch import nn

Path(__file__).with_name("has_run").touch()

def net(classes, width=4, *, bias: bool = True):
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, width), nn.Linear(width, classes, bias))

class Wide(nn.Module):
    def __init__(self, classes, size, *, width: int = 2):
        super().__init__()
        self.dense = nn.Linear(3 * size * size, classes * width)

    def forward(self, images):
        return self.dense(images.float().flatten(1))
"""
MODELS = PACKAGES["model"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "my_nets.py"
    path.write_text(SOURCE)
    return path


def test_a_file_is_read_for_its_options_and_does_not_run(file: Path) -> None:
    model = part("my_nets.py:net(width=8)", MODELS, OwnFiles(file.parent))
    assert str(model) == "my_nets.py:net(width=8, bias=True)"
    assert model.signature.handed == ("classes",)
    assert not (file.parent / "has_run").exists()


def test_code_that_nobody_named_is_refused_with_the_way_to_trust_it(file: Path) -> None:
    model = part("my_nets.py:net", MODELS, OwnFiles(file.parent))
    with pytest.raises(UsageError, match=r"does not run unless you name it") as error:
        model.resolve()
    assert "--trust my_nets.py" in str(error.value)
    assert not (file.parent / "has_run").exists()


@pytest.mark.parametrize(("text", "size"), [("net(width=8)", 8), ("Wide(width=3)", 5)])
def test_functions_and_classes_are_called_with_what_they_ask_for(
    file: Path, text: str, size: int
) -> None:
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    files = OwnFiles(file.parent, frozenset([digest]))
    network = models.build(part(f"my_nets.py:{text}", MODELS, files), classes=5, size=size, seed=1)
    assert isinstance(network, nn.Module)
    again = models.build(part(f"my_nets.py:{text}", MODELS, files), classes=5, size=size, seed=1)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), "weights are a function of the seed"


def test_another_digest_is_not_trusted(file: Path) -> None:
    files = OwnFiles(file.parent, frozenset(["0" * 64]))
    with pytest.raises(UsageError, match="does not run"):
        part("my_nets.py:net", MODELS, files).resolve()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("my_nets.py:nett", "did you mean 'net'"),
        ("my_nets.py:net(widht=2)", "has no option 'widht'"),
        ("my_nets.py:net(bias=3)", "is not of the type bool"),
        ("gone.py:net", "cannot read gone.py"),
    ],
)
def test_what_is_wrong_is_one_sentence(file: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        part(text, MODELS, OwnFiles(file.parent))
    assert message in str(error.value)


def test_a_file_that_fails_says_so_and_is_not_left_half_loaded(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def net(classes): ...\nraise ValueError('oh')\n")
    model = part("broken.py:net", MODELS, OwnFiles(tmp_path, None))
    for _ in range(2):
        with pytest.raises(UsageError, match="cannot be run: ValueError: oh"):
            model.resolve()


def test_a_run_keeps_a_copy_and_its_recipe_knows_the_digest(file: Path, tmp_path: Path) -> None:
    recipe = Recipe().override({"model": f"{file}:net"}, (), OwnFiles(trusted=None))
    assert recipe.sources == {"my_nets.py": hashlib.sha256(file.read_bytes()).hexdigest()}
    new_run = run.create(tmp_path / "runs", "one", recipe)
    assert (new_run.folder / "source" / "my_nets.py").read_text() == SOURCE
    again = run.Run(new_run.folder).recipe
    assert again.digest == recipe.digest
    with pytest.raises(UsageError, match="does not run"):
        again.model.resolve()
    trusted = run.Run(new_run.folder, frozenset(recipe.sources.values())).recipe
    assert callable(trusted.model.resolve())


def test_a_copy_that_was_changed_is_refused(file: Path, tmp_path: Path) -> None:
    recipe = Recipe().override({"model": f"{file}:net"}, (), OwnFiles(trusted=None))
    new_run = run.create(tmp_path / "runs", "one", recipe)
    (new_run.folder / "source" / "my_nets.py").write_text(SOURCE + "# changed\n")
    with pytest.raises(DataError, match="is not the file that the recipe was made with"):
        _ = run.Run(new_run.folder).recipe


def test_a_recipe_file_finds_the_code_beside_it_and_does_not_run_it(file: Path) -> None:
    written = file.parent / "mine.toml"
    written.write_text('model = "my_nets.py:net(width=2)"\n')
    recipe = recipes.load(str(written))
    assert str(recipe.model) == "my_nets.py:net(width=2, bias=True)"
    with pytest.raises(UsageError, match="does not run"):
        recipe.model.resolve()


def test_other_code_is_another_recipe(file: Path) -> None:
    files = OwnFiles(file.parent)
    first = from_fields({"model": "my_nets.py:net"}, files)
    file.write_text(SOURCE + "# the same but for this line\n")
    assert from_fields({"model": "my_nets.py:net"}, files).digest != first.digest


def _local(classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(12, classes))


def test_a_function_from_python_is_kept_with_its_file() -> None:
    name, own = part_of(_local)
    assert (name, own.file, own.trusted) == ("_local", "test_own.py", True)
    assert own.source == Path(__file__).read_text(encoding="utf-8")
    assert own.load(name) is _local


def test_a_network_is_identified_by_its_weights_too() -> None:
    torch.manual_seed(0)
    first, other = _local(2), _local(2)
    assert part_of(first)[1].digest != part_of(other)[1].digest
    other.load_state_dict(first.state_dict())
    assert part_of(first)[1].digest == part_of(other)[1].digest


def test_a_function_without_source_is_taken_and_said_to_be_without() -> None:
    scope: dict[str, object] = {}
    exec("def net(classes): return classes", scope)
    name, own = part_of(scope["net"])
    assert (name, own.file, own.source) == ("net", "python", "")
    assert own.load(name)(3) == 3
