"""The algorithms themselves: those whose files lie in this folder, and the user's own by name."""

import importlib
from collections.abc import Mapping

from ss_core.adapters.user_code import user_object
from ss_core.algorithms.algorithm import Algorithm
from ss_core.algorithms.names import ALGORITHM_FACTS, name_problem
from ss_core.errors import ConfigError

EXAMPLE = "my_module:ALGORITHM"

ALGORITHMS: Mapping[str, Algorithm] = {
    name: importlib.import_module(f"ss_core.algorithms.{name}").ALGORITHM
    for name in ALGORITHM_FACTS
}


def algorithm_named(name: str) -> Algorithm:
    """An algorithm of this package, or the user's own: `module:ALGORITHM`.

    Raises:
        ConfigError: there is none of this name, or the user's record breaks a rule.
        InputError: the user's module cannot be imported, or has no such record.
    """
    if name in ALGORITHMS:
        return ALGORITHMS[name]
    problem = name_problem(name)
    if problem:
        raise ConfigError(problem)
    return _users(name)


def _users(target: str) -> Algorithm:
    found = user_object(target, kind="algorithm", example=EXAMPLE)
    if not isinstance(found, Algorithm):
        raise ConfigError(
            f"{target}: is a {type(found).__name__}; it must be an "
            "ss_core.algorithms.algorithm.Algorithm"
        )
    if found.name in ALGORITHMS:
        raise ConfigError(
            f"{target}: its name {found.name!r} is that of an algorithm of this package; "
            "give it another"
        )
    return found
