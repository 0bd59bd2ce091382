"""The user's own code by name: `module:name`, found as `python -m` finds it.

The current folder comes first. What the code prints is the caller's to redirect.
"""

import difflib
import importlib
import os
import pkgutil
import sys
from types import ModuleType
from typing import Any

from ss_core.errors import InputError, SuggestionSharingError


def user_object(target: str, *, kind: str, example: str) -> Any:
    """What `target` names in its module; `kind` says in errors what that should be.

    Raises:
        InputError: no such module, or nothing of that name in it.
    """
    module, name = user_module(target, kind=kind, example=example), target.partition(":")[2]
    if not hasattr(module, name):
        near = difflib.get_close_matches(name, [n for n in dir(module) if n[0] != "_"], n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise InputError(f"{target}: module {module.__name__} has no {kind} {name!r}{hint}")
    return vars(module)[name]


def user_module(target: str, *, kind: str, example: str) -> ModuleType:
    """The module of `target`, imported.

    Raises:
        InputError: not of the form `module:name`, no such module, or importing it failed.
    """
    name = target.partition(":")[0]
    if not is_target(target):
        raise InputError(f"{target}: expected MODULE:{kind.upper()}, as in {example}")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise InputError(f"{target}: {error}; {_remedy(name, error.name or name)}") from error
    except SuggestionSharingError:
        raise
    except Exception as error:  # other people's code may raise anything
        raise InputError(f"{target}: importing {name} raised {error_words(error)}") from error


def is_target(text: str) -> bool:
    """Whether `text` has the form `module:name`."""
    module, colon, name = text.partition(":")
    return bool(colon) and name.isidentifier() and module.replace(".", "").isidentifier()


def error_words(error: Exception) -> str:
    """What other people's code raised, in one line."""
    return f"{' '.join(f'{type(error).__name__}: {error}'.split())}; --debug shows where"


def _remedy(name: str, missing: str) -> str:
    """What helps where importing module `name` found `missing` missing."""
    package, _, last = missing.rpartition(".")
    if not f"{name}.".startswith(f"{missing}."):
        return f"{name} needs it: install it"
    if not package:
        return f"install it, or run this where {missing}.py lies"
    paths = getattr(importlib.import_module(package), "__path__", [])
    inside = [found.name for found in pkgutil.iter_modules(paths)]
    near = difflib.get_close_matches(last, inside, n=1)
    return f"did you mean {package}.{near[0]}?" if near else f"{package} is there, but not that"
