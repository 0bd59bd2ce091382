"""Beartype for the import hook; what it cannot check at run time is left to the static checker.

That is a `Protocol` without `@runtime_checkable` and `typing.Self` in a method.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from beartype import BeartypeConf, beartype
from beartype.roar import BeartypeDecorHintPep673Exception, BeartypeDecorHintPep3119Exception

Function = TypeVar("Function", bound=Callable[..., Any])
CONFIG = BeartypeConf(is_pep484_tower=True)  # an int is a float, as static checkers have it


def check(function: Function) -> Function:
    """The function, refusing arguments of the wrong type, shape or axes where that can be told."""
    try:
        return beartype(conf=CONFIG)(function)
    except (BeartypeDecorHintPep3119Exception, BeartypeDecorHintPep673Exception):
        return function
