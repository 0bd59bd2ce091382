"""What the benchmark runs: the experiments of the paper as cells, by profile, and cut down by name.

An experiment is a figure's question; a cell that several of them want is run once. Which
hyper-parameters a cell has is the business of `presets.py`.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, product
from typing import Literal, get_args

from paper_envs.bench.results.results import Cell
from paper_envs.preset_names import PresetName
from paper_envs.tasks import TASKS
from ss_core.algorithms.names import ALGORITHM_FACTS
from ss_core.errors import ConfigError

ProfileName = Literal["smoke", "quick", "full", "literal"]
Option = Literal["env", "algorithm", "preset"]
Experiments = Mapping[str, tuple[Cell, ...]]
Conditions = tuple[tuple[str, str], ...]  # algorithm and variant

ALGORITHMS = tuple(name for name, facts in ALGORITHM_FACTS.items() if facts.in_paper)
PRESETS: tuple[PresetName, ...] = get_args(PresetName)
EVERYBODY: Conditions = (
    *(("ss", ""), ("ss", "rho0")),
    *((name, "") for name in ALGORITHMS if name != "ss"),
)  # the paper's eight
SHORT: Conditions = (("ss", ""), ("independent", ""), ("vs", ""))  # VS: the rival hardest to beat
FIRST_SEED = 100  # hyper-parameters were chosen with small seeds; these are fresh
MAX_SEEDS = 1000
PAIR, HEADLINE, DOZEN = 2, 8, 12  # predators
FULL_SIZE_GRIDS = ("cleanup", "harvest")
GROUPS = (2, 4, 8)  # agents of the full-size grid worlds
CROWD, CROWD_VARIANT, CROWD_SEEDS = 16, "m4", 3
NUM_ABLATIONS = 4  # so many of the first


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How much of the benchmark is run."""

    presets: tuple[PresetName, ...]
    main: Mapping[str, Conditions]  # of the main comparison, by task
    main_agents: Mapping[str, int] = field(default_factory=dict)  # where not the headline number
    experiments: tuple[str, ...] = ()  # besides the main comparison, named in `experiments_of`
    num_seeds: int = 5
    evaluation_episodes: int = 128
    may_end_early: bool = False  # too long to be finished: short runs first, a page at every stop


_BY_SIZE: tuple[ProfileName, ...] = ("quick", "full", "literal", "smoke")  # as one would look
_MOST = ("pair", "communication", "radius")
PROFILES: dict[ProfileName, Profile] = {
    "smoke": Profile(
        presets=PRESETS,
        main=dict.fromkeys(
            ("predation", "navigation", "cleanup-small"), (("ss", ""), ("independent", ""))
        ),
        main_agents={"predation": PAIR},
        num_seeds=2,
        evaluation_episodes=16,
    ),
    "quick": Profile(
        presets=("tuned",),
        main={
            **dict.fromkeys(("predation", "navigation"), EVERYBODY),
            **dict.fromkeys(FULL_SIZE_GRIDS, SHORT),
        },
        experiments=(*_MOST, "ablation", "dozen"),
    ),
    "full": Profile(
        presets=("tuned",),
        main=dict.fromkeys(("predation", "navigation", *FULL_SIZE_GRIDS), EVERYBODY),
        experiments=(*_MOST, "six neighbours", "ablation", "dozen", "agents", "crowd"),
    ),
    "literal": Profile(
        presets=("paper",),
        main=dict.fromkeys(("predation", "navigation", *FULL_SIZE_GRIDS), EVERYBODY),
        experiments=(*_MOST, "six neighbours"),
        may_end_early=True,
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
    """Cells to run, each with its seeds."""

    profile: ProfileName
    cells: tuple[Cell, ...]
    seeds: tuple[int, ...]
    experiments: tuple[tuple[str, tuple[Cell, ...]], ...]  # what each cell is for
    fewer_seeds: Mapping[Cell, int] = field(default_factory=dict)  # cells with so many of the seeds

    def seeds_of(self, cell: Cell) -> tuple[int, ...]:
        """The seeds of one cell."""
        return self.seeds[: self.fewer_seeds.get(cell, len(self.seeds))]

    @property
    def runs(self) -> list[tuple[Cell, int]]:
        """Every run: cell and seed."""
        return [(cell, seed) for cell in self.cells for seed in self.seeds_of(cell)]


def make_plan(profile: ProfileName, selection: Selection, ablations: Sequence[str]) -> Plan:
    """The runs of a profile that a selection leaves; `ablations` are variants of tuned SS.

    Seeds that somebody asks for are those of every cell, however few the profile gives it.

    Raises:
        ConfigError: a name that the profile does not have, or nothing is left.
    """
    chosen = PROFILES[profile]
    everything = experiments_of(chosen, ablations)
    _check_names("env", selection.envs, profile, ablations)
    _check_names("algorithm", selection.algorithms, profile, ablations)
    _check_names("preset", selection.presets, profile, ablations)
    num_seeds = chosen.num_seeds if selection.num_seeds is None else selection.num_seeds
    if not 1 <= num_seeds <= MAX_SEEDS:
        raise ConfigError(f"--seeds {num_seeds}: from 1 to {MAX_SEEDS}")
    kept = {name: _kept(each, selection) for name, each in everything.items()}
    left = _kept(_cells_of(profile, ablations), selection)
    if not left:
        raise ConfigError(_nothing_left(profile, selection, ablations))
    few = kept.get("crowd", ()) if selection.num_seeds is None else ()
    return Plan(
        profile=profile,
        cells=left,
        seeds=tuple(range(FIRST_SEED, FIRST_SEED + num_seeds)),
        experiments=tuple((name, each) for name, each in kept.items() if each),
        fewer_seeds=dict.fromkeys(few, CROWD_SEEDS),
    )


def experiments_of(profile: Profile, ablations: Sequence[str]) -> Experiments:
    """The cells of every experiment of a profile."""
    besides = {
        "pair": _predation(  # Figs 3, 5
            PAIR, (("ss", ""), ("ss", "rho0"), ("independent", "")), profile.presets
        ),
        "communication": _predation(  # Fig. 8
            HEADLINE, [("ss", variant) for variant in ("m4", "m2", "every2")], profile.presets
        ),
        "six neighbours": _predation(HEADLINE, [("ss", "m6")], profile.presets),  # Fig. 8
        "radius": _radius(profile),
        "ablation": _predation(
            HEADLINE, [("ss", name) for name in ablations[:NUM_ABLATIONS]], profile.presets
        ),
        "dozen": _predation(DOZEN, [("ss", "")], profile.presets),
        "agents": _groups(profile.presets, GROUPS, (("ss", ""), ("independent", ""))),
        "crowd": _groups(profile.presets, (CROWD,), (("ss", CROWD_VARIANT), ("independent", ""))),
    }
    return {
        "main": _main(profile),  # Figs 1, 2; with `rho0` Fig. 4
        **{name: besides[name] for name in profile.experiments},
    }


def _radius(profile: Profile) -> tuple[Cell, ...]:
    """Who talks to whom: each preset with the other's choice."""
    other = {"paper": "complete", "tuned": "radius"}
    return tuple(
        cell
        for preset in profile.presets
        for cell in _predation(HEADLINE, [("ss", other[preset])], (preset,))
    )


def _main(profile: Profile) -> tuple[Cell, ...]:
    return tuple(
        _cell(task, count, preset, algorithm, variant)
        for task, conditions in profile.main.items()
        for count in (profile.main_agents.get(task, TASKS[task].num_agents),)
        for preset, (algorithm, variant) in product(profile.presets, conditions)
        if TASKS[task].has_cooperation
        or "cooperative_actions" not in ALGORITHM_FACTS[algorithm].needs
    )


def _groups(
    presets: Sequence[PresetName], counts: Sequence[int], conditions: Conditions
) -> tuple[Cell, ...]:
    """Numbers of agents in the full-size grid worlds."""
    return tuple(
        _cell(task, count, preset, *condition)
        for task, preset, count, condition in product(FULL_SIZE_GRIDS, presets, counts, conditions)
    )


def _predation(
    count: int,
    conditions: Iterable[tuple[str, str]],
    presets: Sequence[PresetName],
) -> tuple[Cell, ...]:
    pairs = product(presets, tuple(conditions))
    return tuple(_cell("predation", count, preset, *condition) for preset, condition in pairs)


def _cell(task: str, count: int, preset: PresetName, algorithm: str, variant: str) -> Cell:
    return Cell(task=task, num_agents=count, preset=preset, algorithm=algorithm, variant=variant)


def _cells_of(profile: ProfileName, ablations: Sequence[str]) -> tuple[Cell, ...]:
    """Every cell of a profile, each once."""
    experiments = experiments_of(PROFILES[profile], ablations)
    return tuple(dict.fromkeys(chain.from_iterable(experiments.values())))


def _kept(cells: Iterable[Cell], selection: Selection) -> tuple[Cell, ...]:
    return tuple(
        cell
        for cell in cells
        if (not selection.envs or cell.task in selection.envs)
        and (not selection.algorithms or cell.algorithm in selection.algorithms)
        and (not selection.presets or cell.preset in selection.presets)
    )


def _nothing_left(profile: ProfileName, selection: Selection, ablations: Sequence[str]) -> str:
    """Why a selection leaves nothing of a profile, each name of which it has; and what to do."""
    given = {
        "--env": selection.envs,
        "--algorithm": selection.algorithms,
        "--preset": selection.presets,
    }
    named = [f"{option} {name}" for option, names in given.items() for name in names]
    others = [each for each in _BY_SIZE if _kept(_cells_of(each, ablations), selection)]
    remedy = (
        f"`--profile {others[0]}` has it"
        if others
        else f"nor has any other; leave out {' or '.join(name for name in given if given[name])}"
    )
    return (
        f"nothing to run: the profile {profile!r} has no run of {' with '.join(named)} together; "
        f"{remedy}"
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
        others = [each for each in _BY_SIZE if name in _choices(option, each, ablations)]
        if others:
            hint = f"`--profile {others[0]}` has it. "
        raise ConfigError(
            f"--{option} {name!r}: not in the profile {profile!r}; {hint}"
            f"It has: {', '.join(choices)}"
        )


def _choices(option: Option, profile: ProfileName, ablations: Sequence[str]) -> list[str]:
    """What a profile has of something, each once."""
    cells = _cells_of(profile, ablations)
    names: dict[Option, list[str]] = {
        "env": [cell.task for cell in cells],
        "algorithm": [cell.algorithm for cell in cells],
        "preset": [cell.preset for cell in cells],
    }
    return list(dict.fromkeys(names[option]))
