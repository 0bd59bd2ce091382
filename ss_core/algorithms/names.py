"""The algorithms by name, with all that can be said of them without torch.

A file of this folder that ends with `ALGORITHM = Algorithm(name=…, …, learn=learn)` is an
algorithm. Its facts are read from the source, which is not run; `registry.py` has the code.
"""

import ast
import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from ss_core.adapters.user_code import is_target
from ss_core.errors import ConfigError

Capability = Literal[
    "cooperative_actions",  # the world tells which actions are cooperative (`Step.cooperative`)
    "own_copies",  # an architecture in which agents hold copies of others' policies
]
Role = Literal["uncontrolled", "selfish", "equilibrium", "ours", "planner", "best"]

FEW_WORDS = 80  # characters of a title
CODE = ("learn", "prepare")  # what of a record is no fact
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_LAST = 1000  # rank of those that ask for none


@dataclass(frozen=True, slots=True, kw_only=True)
class AlgorithmFacts:
    """What commands, tables and pages say of an algorithm, and what a learner must know of it."""

    name: str  # in settings, tables and names of folders
    title: str  # for people
    description: str  # what it is
    crosses: str  # what crosses between agents, in words
    short_title: str = ""  # as papers abbreviate it; empty: its name
    role: Role = "ours"  # which gives it its colour
    reference: str = ""  # paper
    rank: int = _LAST  # place in lists
    in_paper: bool = False  # of the paper's comparison, selfish end included: `ss bench paper`
    exchanges: tuple[str, ...] = ()  # kinds of the ledger that it may use
    needs: tuple[Capability, ...] = ()
    judges_counterfactuals: bool = False  # can use the own rewards of alternative actions
    beside_liars: bool = False  # may be run among agents that lie in suggestions
    single_critic: bool = False  # one critic sees everything
    common_view: bool = False  # all critics look at the state from the first agent's place

    def __post_init__(self) -> None:
        for rule, kept in self._rules().items():
            if not kept:
                raise ConfigError(f"algorithm {self.name!r}: {rule}")

    def _rules(self) -> dict[str, bool]:
        words = (self.title, self.description, self.crosses)
        return {
            f"name must match {_NAME.pattern}": _NAME.fullmatch(self.name) is not None,
            "title, description and crosses must be text": (
                all(isinstance(text, str) and text.strip() for text in words)
            ),
            f"title must have at most {FEW_WORDS} characters": len(str(self.title)) <= FEW_WORDS,
            f"role must be one of {', '.join(get_args(Role))}": self.role in get_args(Role),
            f"needs must be among {', '.join(get_args(Capability))}": (
                isinstance(self.needs, tuple) and set(self.needs) <= set(get_args(Capability))
            ),
            "exchanges must be a tuple of kinds of messages": isinstance(self.exchanges, tuple),
        }

    @property
    def messages_per_link(self) -> int:
        """Rows of the ledger per link and update, at most; parameters cross a link both ways.

        Sums go around a ring, not along links.
        """
        along = [kind for kind in self.exchanges if not kind.endswith("_total")]
        return sum(2 if kind.endswith("_parameters") else 1 for kind in along)

    @property
    def suggests(self) -> bool:
        """Whether agents send each other suggestions."""
        return "suggestion" in self.exchanges


def facts_in(folder: Path) -> dict[str, AlgorithmFacts]:
    """The algorithms whose files lie in a folder, by name.

    Raises:
        ConfigError: a record breaks a rule, or a fact is computed.
    """
    found = [facts for path in sorted(folder.glob("*.py")) if (facts := _facts_of(path))]
    return {facts.name: facts for facts in sorted(found, key=lambda each: (each.rank, each.name))}


def _facts_of(path: Path) -> AlgorithmFacts | None:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        match node:
            case ast.Assign(
                targets=[ast.Name(id="ALGORITHM")],
                value=ast.Call(func=ast.Name(id="Algorithm"), keywords=keywords),
            ):
                given = {each.arg or "**": each.value for each in keywords}
                return _checked(path, {k: v for k, v in given.items() if k not in CODE})
    return None


def _checked(path: Path, given: Mapping[str, ast.expr]) -> AlgorithmFacts:
    facts: dict[str, Any] = {}
    for name, value in given.items():
        try:
            facts[name] = ast.literal_eval(value)
        except ValueError as error:
            raise ConfigError(f"{path}: ALGORITHM: {name} must be written out there") from error
    try:
        made = AlgorithmFacts(**facts)
    except (TypeError, ConfigError) as error:
        raise ConfigError(f"{path}: ALGORITHM: {error}") from error
    if made.name != path.stem:
        raise ConfigError(f"{path}: ALGORITHM: name {made.name!r} must be that of the file")
    return made


ALGORITHM_FACTS: Mapping[str, AlgorithmFacts] = facts_in(Path(__file__).parent)
ALGORITHM_LABELS: Mapping[str, tuple[str, Role]] = {
    name: (facts.title, facts.role) for name, facts in ALGORITHM_FACTS.items()
}


def name_problem(name: str) -> str:
    """Why `name` cannot be an algorithm's; empty if it can: a known one, or `module:name`."""
    if name in ALGORITHM_FACTS or is_target(name):
        return ""
    near = difflib.get_close_matches(name, ALGORITHM_FACTS, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return (
        f"no algorithm {name!r}: {hint}Known: {', '.join(ALGORITHM_FACTS)}, "
        "or your own as module:ALGORITHM"
    )
