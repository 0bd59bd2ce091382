"""A study as its file tells it, and the runs it consists of, each with settings that were checked.

The file has three tables: `[study]` (command, design, seeds), `[base]` (settings of every run) and
`[axes]` (settings that differ). Nothing is written here, and no input file is read.
"""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast, get_args

from ss_core.config import config_hash, read_toml, to_dict
from ss_core.errors import ConfigError
from ss_core.experiments.studies.design import (
    DESIGNS,
    Axis,
    Design,
    Point,
    axis_of,
    column_names,
    count_points,
    points_of,
    seeds_in,
)
from ss_core.scenario.config import RunConfig
from ss_core.scenario.protocol import Scenario

MOST_RUNS = 100_000
MOST_SEEDS = 1000
MOST_POLICIES = 6  # in a picture, each in a colour of its own
DEFAULT_SEEDS = 3
DEFAULT_PRESET = "tuned"
DEFAULT_TRACE = "kpi"  # of a run: key figures only, as there are many runs
FIELDS = (
    "command",
    "design",
    "samples",
    "seeds",
    "seed",
    "title",
    "question",
    "figure",
    "above",
    "policies",
)
OWN_COLUMNS = (
    *("run", "seed", "algorithm", "title", "recommended", "no_dilemma", "gap_closed"),
    *("status", "reason", "log"),
)
NOT_OF_A_STUDY = {  # settings that the study sets itself, and where
    "seed": "[study] seeds",
    "workers": "--workers",
    "out": "--out",
    "resume": "the study, which always goes on where it was",
}
SLUG = re.compile(r"[^A-Za-z0-9.=_-]+")
LONGEST_SLUG = 60

BudgetOf = Callable[[str], Mapping[str, float]]  # what a text such as 90s stands for


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySpec:
    """What a file asks for, before any setting of it is looked at."""

    name: str
    command: str  # grid, traffic, signals or train
    axes: tuple[Axis, ...]
    base: Mapping[str, Any]  # dotted key: value
    design: Design = "grid"
    samples: int = 0  # of a Latin hypercube
    seeds: tuple[int, ...] = tuple(range(DEFAULT_SEEDS))
    seed: int = 0  # of the design itself
    title: str = ""
    question: str = ""
    figure: str = ""  # the key figure that the answer is about; "": the gap closed, or the first
    above: float | None = None  # a level of it that is too much; None: there is none
    policies: tuple[str, ...] = ()  # to be drawn, by name in the tables; (): chosen by role

    @property
    def num_points(self) -> int:
        """Combinations of values of the axes."""
        return count_points(self.axes, self.design, self.samples)

    @property
    def num_runs(self) -> int:
        """Points times seeds."""
        return self.num_points * len(self.seeds)

    @property
    def columns(self) -> dict[str, str]:
        """Name of each axis in tables, by its key."""
        return column_names(self.axes, OWN_COLUMNS)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRun:
    """One run of a study."""

    name: str  # of its folder
    point: Point
    seed: int
    config: RunConfig


def read_spec(path: Path, commands: Sequence[str]) -> StudySpec:
    """The study that a file describes.

    Raises:
        ConfigError: it is no such file; the message names table, key, value and a remedy.
    """
    document = read_toml(path)
    try:
        return _spec(path.stem, document, commands)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def _spec(name: str, document: Mapping[str, Any], commands: Sequence[str]) -> StudySpec:
    unknown = sorted(document.keys() - {"study", "base", "axes"})
    if unknown:
        raise ConfigError(f"[{unknown[0]}]: unknown table; a study has [study], [base] and [axes]")
    study, base, axes = (_table(document, one) for one in ("study", "base", "axes"))
    unknown = sorted(study.keys() - {*FIELDS})
    if unknown:
        raise ConfigError(f"[study] {unknown[0]}: unknown key; known: {', '.join(FIELDS)}")
    command = study.get("command")
    if command not in commands:
        raise ConfigError(f"[study] command = {command!r}: choose {', '.join(commands)}")
    design = study.get("design", "grid")
    if design not in get_args(Design):
        raise ConfigError(f"[study] design = {design!r}: choose {', '.join(DESIGNS)}")
    found = tuple(axis_of(key, value) for key, value in _leaves(axes))
    if not found:
        raise ConfigError(
            "[axes] is empty: name at least one setting with its values, as in "
            '"learner.exchange.num_neighbours" = [4, 8]'
        )
    spec = StudySpec(
        name=name,
        command=str(command),
        axes=found,
        base=dict(_leaves(base)),
        design=cast(Design, design),
        samples=_samples(study, design),
        seeds=seeds_in(study.get("seeds"), DEFAULT_SEEDS, MOST_SEEDS),
        seed=_number(study, "seed"),
        title=str(study.get("title", "")),
        question=str(study.get("question", "")),
        figure=str(study.get("figure", "")),
        above=_above(study),
        policies=_policies(study),
    )
    _check_size(spec)
    return spec


def _table(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = document.get(name, {})
    if not isinstance(found, Mapping):
        raise ConfigError(f"{name} = {found!r}: write it as a table, [{name}]")
    return found


def _leaves(table: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Dotted keys and values; a range is a value."""
    found: list[tuple[str, Any]] = []
    for key, value in table.items():
        if isinstance(value, Mapping) and not value.keys() & {"from", "to"}:
            found += _leaves(value, f"{prefix}{key}.")
        else:
            found.append((f"{prefix}{key}", value))
    return found


def _samples(study: Mapping[str, Any], design: object) -> int:
    samples = study.get("samples")
    if design != "latin-hypercube":
        if samples is not None:
            raise ConfigError("[study] samples: of design = 'latin-hypercube' only; leave it out")
        return 0
    if type(samples) is not int or samples < 1:
        raise ConfigError(
            f"[study] samples = {samples!r}: how many points a latin-hypercube has, 1 or more"
        )
    return samples


def _number(study: Mapping[str, Any], name: str) -> int:
    value = study.get(name, 0)
    if type(value) is not int or value < 0:
        raise ConfigError(f"[study] {name} = {value!r}: an integer, 0 or more")
    return value


def _above(study: Mapping[str, Any]) -> float | None:
    above = study.get("above")
    if above is None:
        return None
    if type(above) not in (int, float) or not math.isfinite(above) or not study.get("figure"):
        raise ConfigError(
            f"[study] above = {above!r}: a number, the level of the key figure that `figure` names"
        )
    return float(above)


def _policies(study: Mapping[str, Any]) -> tuple[str, ...]:
    given = study.get("policies", [])
    fits = isinstance(given, list) and all(isinstance(name, str) for name in given)
    if not fits or len(set(given)) < len(given) or len(given) > MOST_POLICIES:
        raise ConfigError(
            f"[study] policies = {given!r}: up to {MOST_POLICIES} different names, as in "
            '["ss", "nash"]'
        )
    return tuple(given)


def _check_size(spec: StudySpec) -> None:
    if spec.num_runs > MOST_RUNS:
        raise ConfigError(
            f"{spec.num_runs:,} runs ({spec.num_points:,} points, {len(spec.seeds)} seeds), more "
            f"than {MOST_RUNS:,}: give fewer values, or design = 'latin-hypercube' with so many "
            "samples as you can afford"
        )


def plan_of(spec: StudySpec, scenario: Scenario, budget_of: BudgetOf) -> list[StudyRun]:
    """Every run of the study, its settings resolved; the seeds of a point follow one another.

    Raises:
        ConfigError: a key is unknown or set twice, or a value does not fit.
    """
    _refuse_clashes(spec, scenario)
    columns, plan = spec.columns, dict[str, StudyRun]()
    for point in points_of(spec.axes, spec.design, spec.samples, spec.seed):
        resolved = _resolved(spec, scenario, budget_of, point)
        for seed in spec.seeds:
            config = replace(resolved, seed=seed)
            name = _run_name({columns[key]: value for key, value in point.items()}, seed, config)
            plan.setdefault(name, StudyRun(name=name, point=point, seed=seed, config=config))
    differ = {(run.seed, run.name.rpartition("-")[2]) for run in plan.values()}
    if len(differ) < spec.num_runs and spec.design != "latin-hypercube":  # of lists: may meet again
        raise ConfigError(
            f"[axes]: {spec.num_runs} runs, of which only {len(differ)} differ; a value of an axis "
            "means the same as another, or an axis changes nothing"
        )
    return list(plan.values())


def _keys(spec: StudySpec) -> list[str]:
    return [axis.key for axis in spec.axes]


def _refuse_clashes(spec: StudySpec, scenario: Scenario) -> None:
    """Two keys that set the same, and keys that are the study's own."""
    own = {"budget": "learner.num_updates"} | dict(scenario.shorthands)
    given: dict[str, str] = {}
    for place, key in [*(("base", k) for k in spec.base), *(("axes", k) for k in _keys(spec))]:
        if key in NOT_OF_A_STUDY:
            raise ConfigError(f"[{place}] {key}: not here; {NOT_OF_A_STUDY[key]} says it")
        meant = own.get(key, key)
        if meant in given:
            raise ConfigError(
                f"[{place}] {key} sets what {given[meant]} sets ({meant}); leave one of them out"
            )
        given[meant] = f"[{place}] {key}"


def _resolved(spec: StudySpec, scenario: Scenario, budget_of: BudgetOf, point: Point) -> RunConfig:
    try:
        config = _config(scenario, budget_of, {**spec.base, **point})
    except ConfigError as error:
        problem = _reason(error)
        place = ", ".join(f"{key} = {value!r}" for key, value in point.items())
        if problem == _reason(_refusal(scenario, budget_of, spec.base)):
            raise ConfigError(f"[base]: {problem}") from error
        raise ConfigError(f"[axes] {place}: {problem}") from error
    if config.trace == "off":
        raise ConfigError("[base] trace = 'off': a study is made of key figures; give kpi or more")
    return config


def _config(scenario: Scenario, budget_of: BudgetOf, given: Mapping[str, Any]) -> RunConfig:
    values = {"trace": DEFAULT_TRACE, **given}
    if "budget" in values:
        values["budget"] = budget_of(str(values["budget"]))
    config = scenario.resolve(str(values.pop("preset", DEFAULT_PRESET)), values)
    assert isinstance(config, RunConfig)
    return config


def _refusal(
    scenario: Scenario, budget_of: BudgetOf, given: Mapping[str, Any]
) -> ConfigError | None:
    """Why settings do not fit; None where they do."""
    try:
        _config(scenario, budget_of, given)
    except ConfigError as error:
        return error
    return None


def _reason(error: ConfigError | None) -> str:
    """What a refusal says, without the flag that it takes settings to be from."""
    return "" if error is None else str(error).replace("--set: ", "").replace("--set ", "")


def _run_name(point: Point, seed: int, config: RunConfig) -> str:
    shown = "-".join(f"{key}={shown_value(value)}" for key, value in point.items())
    slug = SLUG.sub("_", shown)[:LONGEST_SLUG]
    return f"{slug}-s{seed}-{config_hash(to_dict(config))[:8]}"


def shown_value(value: Any) -> str:
    """A value of an axis in words, the same in names, tables and folders."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list) else str(value)
