"""What is public, and how light it is to load."""

import importlib
import pkgutil
import subprocess
import sys

import pytest

import skyhold
from skyhold import errors

_HEAVY = {"pyarrow", "pydantic", "obstore", "cyclopts", "rich", "boto3", "orjson", "asyncio"}


def test_every_public_name_is_there_and_in_order():
    assert list(skyhold.__all__) == sorted(skyhold.__all__)
    for name in skyhold.__all__:
        assert getattr(skyhold, name) is not None
    with pytest.raises(AttributeError, match="nothing_like_it"):
        skyhold.nothing_like_it  # noqa: B018 - asking is the test


def test_what_a_module_calls_public_is_there():
    for module in pkgutil.walk_packages(skyhold.__path__, "skyhold."):
        if module.name.endswith("__main__"):
            continue
        loaded = importlib.import_module(module.name)
        missing = [name for name in getattr(loaded, "__all__", []) if not hasattr(loaded, name)]
        assert not missing, module.name


@pytest.mark.parametrize(
    "code",
    [
        "import skyhold",
        "import skyhold.simulation",
        "import skyhold.cli, sys; sys.argv = ['skyhold', '--version']; skyhold.cli.main()",
    ],
)
def test_loading_skyhold_and_telling_its_version_load_nothing_heavy(code: str):
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"], capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & _HEAVY


def test_the_tree_of_errors_names_every_error_with_its_builtin_twin() -> None:
    tree = errors.__doc__ or ""
    for name, kind in vars(errors).items():
        if not (isinstance(kind, type) and issubclass(kind, errors.SkyholdError)):
            continue
        line = next((line for line in tree.splitlines() if line.split("─ ")[-1].split()[:1] == [name]), None)
        assert line or name == "SkyholdError", f"{name} is not in the tree"
        builtin = [base for base in kind.__bases__ if base.__module__ != errors.__name__ and base is not Exception]
        assert all(f"({'io.' if base.__module__ == 'io' else ''}{base.__name__})" in (line or "") for base in builtin)
