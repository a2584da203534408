"""Finding the model that ``--schema module:Model`` names."""

import importlib
import importlib.util
import sys
import traceback
from dataclasses import is_dataclass
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any, cast, is_typeddict

from pydantic import BaseModel

from skyhold.errors import BadOptionError

__all__ = ["load_model", "load_object"]


def load_model(name: str) -> Any:
    """Return what ``module:Model`` or ``file.py:Model`` names; modules are looked for in the working folder too.

    Raises:
        BadOptionError: There is no such module or model, or importing it fails.
    """
    home, _, model = name.rpartition(":")
    if not home or not model:
        home, model = name.rstrip(":"), ""
    module = _import(home, "--schema")
    found = _find(module, model)
    if model and found is not None:
        return found
    models = sorted(each for each, value in vars(module).items() if _is_model(value, module))
    near = get_close_matches(model, models, n=1)
    guess = f"Did you mean {home}:{near[0]}? " if near else ""
    listed = f"It has {', '.join(models)}" if models else "Define a pydantic model in it"
    what = f"{home!r} has no model {model!r}" if model else f"--schema {name!r} names no model"
    raise BadOptionError(what, remedy=f"{guess}{listed}; write --schema {home}:Model")


def load_object(name: str, *, argument: str) -> Any:
    """Return what ``module:name`` or ``file.py:name`` names; modules are looked for in the working folder too.

    Args:
        name: Of a module or a file, and of something in it.
        argument: For which argument of a command, such as ``"--simulator"``.

    Raises:
        BadOptionError: There is no such module or name, or importing it fails.
    """
    home, _, inner = name.rpartition(":")
    if not home or not inner:
        raise BadOptionError(
            f"{argument} {name!r} names nothing in a module",
            remedy=f"Write {argument} module:name or {argument} path/to/file.py:name",
        )
    module = _import(home, argument)
    found = _find(module, inner)
    if found is None:
        known = [each for each in vars(module) if not each.startswith("_")]
        near = get_close_matches(inner, known, n=1)
        raise BadOptionError(
            f"{home!r} has no {inner!r}",
            remedy=f"Did you mean {home}:{near[0]}?" if near else f"Define {inner} in it",
        )
    return found


def _find(module: ModuleType, name: str) -> Any:
    found: Any = module
    for part in name.split(".") if name else ():
        found = getattr(found, part, None)
    return found


def _import(home: str, argument: str) -> ModuleType:
    return _import_file(home, argument) if home.endswith(".py") else _import_module(home, argument)


def _import_file(path: str, argument: str) -> ModuleType:
    file = Path(path)
    if not file.is_file():
        near = get_close_matches(file.name, [each.name for each in file.parent.glob("*.py")], n=1)
        raise BadOptionError(
            f"there is no file {path!r} for {argument}",
            remedy=f"Did you mean {str(file.with_name(near[0]))!r}?" if near else "Check the path",
        )
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    known = sys.modules.get(file.stem)
    sys.modules[file.stem] = module  # models look their module up while they are made
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise _failed(path, error) from error
    finally:
        if known is not None:
            sys.modules[file.stem] = known
    return module


def _import_module(name: str, argument: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)  # as `python -m` does
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(f"{error.name}.")):
            raise _failed(name, error) from error
        near = get_close_matches(name, [*(each.stem for each in Path.cwd().glob("*.py")), *sys.modules], n=1)
        guess = f"Did you mean {near[0]!r}? " if near else ""
        raise BadOptionError(
            f"there is no module {name!r} for {argument}",
            remedy=f"{guess}Write {argument} module:name or {argument} path/to/file.py:name",
        ) from error
    except Exception as error:
        raise _failed(name, error) from error


def _failed(name: str, error: Exception) -> BadOptionError:
    """Say what an import raised, and in which line of the user's code."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename]
    place = f" ({frames[-1].filename}, line {frames[-1].lineno})" if len(frames) > 1 else ""
    return BadOptionError(
        f"importing {name!r} failed: {type(error).__name__}: {error}{place}", remedy="Correct it; python imports it too"
    )


def _is_model(value: Any, module: ModuleType) -> bool:
    if not isinstance(value, type) or value.__module__ != module.__name__:
        return False
    kind = cast("type[Any]", value)
    return issubclass(kind, BaseModel) or is_dataclass(kind) or is_typeddict(kind)
