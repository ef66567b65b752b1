"""`import hundredfold`: light, complete, and typed as what it is."""

import ast
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import hundredfold as hf
from tests.modules import loadable

PACKAGE = Path(hf.__file__).parent


def test_importing_it_is_quick_and_loads_nothing_heavy() -> None:
    code = (
        "import sys, time; t = time.perf_counter(); import hundredfold as hf\n"
        "took = time.perf_counter() - t\n"
        "print(took, [n for n in ('torch', 'numpy', 'pydantic', 'rich') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    took, loaded = done.stdout.strip().split(" ", 1)
    assert loaded == "[]"
    assert float(took) < 0.2


def test_no_public_name_loads_torch_before_something_is_computed() -> None:
    code = (
        "import sys, hundredfold as hf\n"
        "[getattr(hf, name) for name in hf.__all__]\n"
        "hf.list_runs('nowhere')\n"
        "print('torch' in sys.modules, 'IPython' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_type_checkers_see_every_public_name_and_no_other() -> None:
    stub = ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8"))
    imported = {a.asname for n in stub.body if isinstance(n, ast.ImportFrom) for a in n.names}
    assert imported | {"__version__"} == set(hf.__all__)
    assert (PACKAGE / "py.typed").is_file()


def test_no_module_takes_a_public_name_away() -> None:
    """Importing a module `hundredfold.x` sets `hf.x`, whatever stood there."""
    for name in loadable(without=("tensorflow",)):
        import_module(name)
    for name in hf.__all__:
        assert type(getattr(hf, name)).__name__ != "module", name
    assert dir(hf) == sorted(hf.__all__)


def test_every_public_function_says_what_it_does() -> None:
    for name in hf.__all__:
        if name != "__version__":
            assert (getattr(hf, name).__doc__ or "").strip().endswith((".", ")")), name


def test_an_unknown_name_is_an_attribute_error() -> None:
    began = time.monotonic()
    assert not hasattr(hf, "trian")
    assert time.monotonic() - began < 1
