"""What the benchmark runs: the experiments of the paper as cells, by profile, and cut down by name.

An experiment is a figure's question; a cell that several of them want is run once. Which
hyper-parameters a cell has is the business of `presets.py`.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, product
from typing import Literal, get_args

from paper_envs.bench.results.results import Cell
from paper_envs.preset_names import PresetName
from paper_envs.tasks import TASKS
from ss_core.algorithms.names import ALGORITHM_FACTS
from ss_core.errors import ConfigError

ProfileName = Literal["smoke", "quick", "full"]
Option = Literal["env", "algorithm", "preset"]
Experiments = Mapping[str, tuple[Cell, ...]]

ALGORITHMS = tuple(name for name, facts in ALGORITHM_FACTS.items() if facts.in_paper)
PRESETS: tuple[PresetName, ...] = get_args(PresetName)
FIRST_SEED = 100  # hyper-parameters were chosen with small seeds; these are fresh
MAX_SEEDS = 1000
PAIR, HEADLINE, CROWD = 2, 8, 12  # predators
QUICK_ABLATIONS = 4  # so many of the first, unless a profile is thorough


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How much of the benchmark is run."""

    tasks: tuple[tuple[str, int], ...]  # of the main comparison, with numbers of agents
    algorithms: tuple[str, ...] = ALGORITHMS
    only_main: bool = False
    thorough: bool = False  # also variants of `paper` that learn nothing in a short run
    num_seeds: int = 5
    evaluation_episodes: int = 128


def _headline(*names: str) -> tuple[tuple[str, int], ...]:
    return tuple((name, TASKS[name].num_agents) for name in names)


PROFILES: dict[ProfileName, Profile] = {
    "smoke": Profile(
        tasks=(("predation", PAIR), *_headline("navigation", "cleanup-small")),
        algorithms=("ss", "independent"),
        only_main=True,
        num_seeds=2,
        evaluation_episodes=16,
    ),
    "quick": Profile(tasks=_headline("predation", "navigation", "cleanup-small", "harvest-small")),
    "full": Profile(
        tasks=_headline(
            "predation", "navigation", "cleanup", "harvest", "cleanup-small", "harvest-small"
        ),
        thorough=True,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What to leave in; nothing named means everything."""

    envs: tuple[str, ...] = ()
    algorithms: tuple[str, ...] = ()
    presets: tuple[str, ...] = ()
    num_seeds: int | None = None  # None: the profile's


@dataclass(frozen=True, slots=True)
class Plan:
    """Cells to run, each with every seed."""

    profile: ProfileName
    cells: tuple[Cell, ...]
    seeds: tuple[int, ...]
    experiments: tuple[tuple[str, tuple[Cell, ...]], ...]  # what each cell is for

    @property
    def num_runs(self) -> int:
        """How many runs that makes."""
        return len(self.cells) * len(self.seeds)


def make_plan(profile: ProfileName, selection: Selection, ablations: Sequence[str]) -> Plan:
    """The runs of a profile that a selection leaves; `ablations` are variants of tuned SS.

    Raises:
        ConfigError: a name that the profile does not have, or nothing is left.
    """
    chosen = PROFILES[profile]
    everything = experiments_of(chosen, ablations)
    cells = _distinct(cell for each in everything.values() for cell in each)
    _check_names("env", selection.envs, profile, ablations)
    _check_names("algorithm", selection.algorithms, profile, ablations)
    _check_names("preset", selection.presets, profile, ablations)
    num_seeds = chosen.num_seeds if selection.num_seeds is None else selection.num_seeds
    if not 1 <= num_seeds <= MAX_SEEDS:
        raise ConfigError(f"--seeds {num_seeds}: from 1 to {MAX_SEEDS}")
    kept = {name: _kept(each, selection) for name, each in everything.items()}
    left = _kept(cells, selection)
    if not left:
        raise ConfigError(
            f"nothing to run: the profile {profile!r} has no run of these environments with these "
            "algorithms and presets; leave one of --env, --algorithm and --preset out"
        )
    return Plan(
        profile=profile,
        cells=left,
        seeds=tuple(range(FIRST_SEED, FIRST_SEED + num_seeds)),
        experiments=tuple((name, each) for name, each in kept.items() if each),
    )


def experiments_of(profile: Profile, ablations: Sequence[str]) -> Experiments:
    """The cells of every experiment of a profile."""
    main = _main(profile)
    if profile.only_main:
        return {"main": main}
    presets: tuple[PresetName, ...] = PRESETS if profile.thorough else ("tuned",)
    parts = ablations if profile.thorough else ablations[:QUICK_ABLATIONS]
    shared_less = ("m6", "m4", "m2", "every2") if profile.thorough else ("m4", "m2", "every2")
    return {
        "main": main,  # Figs 1, 2; with `rho0` Fig. 4
        "pair": _predation(PAIR, (("ss", ""), ("ss", "rho0"), ("independent", ""))),  # Figs 3, 5
        "communication": _predation(
            HEADLINE, [("ss", variant) for variant in shared_less], presets
        ),  # Fig. 8
        "radius": (  # who talks to whom: each preset with the other's choice
            *_predation(HEADLINE, [("ss", "complete")], ("paper",) if profile.thorough else ()),
            *_predation(HEADLINE, [("ss", "radius"), ("ss", "radius-slow")], ("tuned",)),
        ),
        "ablation": _predation(HEADLINE, [("ss", name) for name in parts], ("tuned",)),
        "scale": _predation(CROWD, [("ss", "")], ("tuned",)),
    }


def _main(profile: Profile) -> tuple[Cell, ...]:
    conditions = [(algorithm, "") for algorithm in profile.algorithms]
    if not profile.only_main:
        conditions.insert(1, ("ss", "rho0"))
    return tuple(
        _cell(task, count, preset, algorithm, variant)
        for (task, count), preset, (algorithm, variant) in product(
            profile.tasks, PRESETS, conditions
        )
        if TASKS[task].has_cooperation
        or "cooperative_actions" not in ALGORITHM_FACTS[algorithm].needs
    )


def _predation(
    count: int,
    conditions: Iterable[tuple[str, str]],
    presets: Sequence[PresetName] = PRESETS,
) -> tuple[Cell, ...]:
    pairs = product(presets, tuple(conditions))
    return tuple(_cell("predation", count, preset, *condition) for preset, condition in pairs)


def _cell(task: str, count: int, preset: PresetName, algorithm: str, variant: str) -> Cell:
    return Cell(task=task, num_agents=count, preset=preset, algorithm=algorithm, variant=variant)


def _distinct(cells: Iterable[Cell]) -> tuple[Cell, ...]:
    return tuple(dict.fromkeys(cells))


def _kept(cells: Iterable[Cell], selection: Selection) -> tuple[Cell, ...]:
    return tuple(
        cell
        for cell in cells
        if (not selection.envs or cell.task in selection.envs)
        and (not selection.algorithms or cell.algorithm in selection.algorithms)
        and (not selection.presets or cell.preset in selection.presets)
    )


def _check_names(
    option: Option, names: Iterable[str], profile: ProfileName, ablations: Sequence[str]
) -> None:
    choices = _choices(option, profile, ablations)
    for name in names:
        if name in choices:
            continue
        near = difflib.get_close_matches(name, choices, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        others = [each for each in PROFILES if name in _choices(option, each, ablations)]
        if others:
            hint = f"`--profile {others[0]}` has it. "
        raise ConfigError(
            f"--{option} {name!r}: not in the profile {profile!r}; {hint}"
            f"It has: {', '.join(choices)}"
        )


def _choices(option: Option, profile: ProfileName, ablations: Sequence[str]) -> list[str]:
    """What a profile has of something, each once."""
    cells = _distinct(chain.from_iterable(experiments_of(PROFILES[profile], ablations).values()))
    names: dict[Option, list[str]] = {
        "env": [cell.task for cell in cells],
        "algorithm": [cell.algorithm for cell in cells],
        "preset": [cell.preset for cell in cells],
    }
    return list(dict.fromkeys(names[option]))
