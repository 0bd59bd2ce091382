"""From planned cells to specs that a process can carry out: settings, folders, expected time."""

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Literal

from paper_envs.bench.results.results import Cell
from paper_envs.bench.runs.folder import run_folder, run_name
from paper_envs.bench.runs.plan import FIRST_SEED, PROFILES, Plan
from paper_envs.bench.runs.run import RESULT_FILE, RunSpec
from paper_envs.presets import env_options, episodes, learner_config
from paper_envs.tasks import TASKS, make_env
from ss_core.config import to_dict
from ss_core.env import EnvSpec
from ss_core.learning.learner import LearnerConfig
from ss_core.processes.child_tasks import Task

STDERR_LOG = "stderr.log"
POINTER = "LATEST"  # of the checkpoints of a run
SECONDS_PER_STEP = 7e-4  # of an environment, all its copies together
SECONDS_PER_PASS = 4e-3  # whatever its size
FLOPS_PER_SECOND = 2e10  # of one core, in products of this size
# full-size grid worlds under `tuned`: processor seconds per episode of four agents, of who learns
# for others and of everybody else; as `benchmarks/learner.py --parts full` measures them
FULL_SIZE_S = {"cleanup": (0.0135, 0.0075), "harvest": (0.0130, 0.0080)}
SECONDS_BETWEEN_COMMITS = 60.0  # expected; what a stop may cost


def specs_of(plan: Plan, out: Path, *, device: str) -> list[RunSpec]:
    """Every run of a plan, below the folder `out`; policies are kept of the first seed."""
    specs = [
        RunSpec(
            cell=cell,
            seed=seed,
            learner=learner_of(cell, plan),
            env_options=dict(env_options(cell.task, cell.preset)),
            evaluation_episodes=PROFILES[plan.profile].evaluation_episodes,
            device=device,
            folder=str(run_folder(out, cell.slug, seed)),
            keep_policies=seed == FIRST_SEED,
        )
        for cell, seed in plan.runs
    ]
    return [replace(spec, commits=_commits(spec)) for spec in specs]


def _commits(spec: RunSpec) -> int:
    """Checkpoints of a run: enough that a stop costs minutes, not hours."""
    return max(spec.commits, round(weight_of(spec) / SECONDS_BETWEEN_COMMITS))


def core_hours(specs: Iterable[RunSpec]) -> float:
    """Expected processor time of runs, together."""
    return sum(map(weight_of, specs)) / 3600


def hours_shown(hours: float) -> str:
    """`1,500` or `0.0088`: two digits that count, for no estimate knows more."""
    return f"{float(f'{hours:.2g}'):,g}"


def learner_of(cell: Cell, plan: Plan) -> LearnerConfig:
    """The settings of a cell, with as many updates as the episodes of the profile fill."""

    def with_updates(count: int) -> LearnerConfig:
        return learner_config(
            cell.task,
            cell.num_agents,
            cell.preset,
            cell.algorithm,
            cell.variant,
            num_updates=count,
        )

    per_update = with_updates(1).num_envs
    wanted = episodes(cell.task, cell.num_agents, cell.preset, plan.profile)
    return with_updates(-(-wanted // per_update))


def is_finished(spec: RunSpec) -> bool:
    """Whether the run has its result."""
    return (Path(spec.folder) / RESULT_FILE).exists()


def has_begun(spec: RunSpec) -> bool:
    """Whether the run has a checkpoint."""
    return (Path(spec.folder) / POINTER).exists()


def task_of(spec: RunSpec, *, of: Literal["train_run", "evaluate_run"] = "train_run") -> Task:
    """The spec as a task of a pool."""
    return Task(
        name=run_name(spec.cell.slug, spec.seed),
        target=f"paper_envs.bench.runs.run:{of}",
        arguments=to_dict(spec),
        folder=spec.folder,
        log=STDERR_LOG,
    )


def weight_of(spec: RunSpec) -> float:
    """Expected processor seconds of a run.

    Sequence, time left, the plan's core-hours and the number of checkpoints are judged by it.
    """
    config = spec.learner
    if spec.cell.preset == "tuned" and spec.cell.task in FULL_SIZE_S:
        for_others, alone = FULL_SIZE_S[spec.cell.task]
        each_s = for_others if config.algorithm in ("ss", "ps") else alone
        agents = spec.cell.num_agents / TASKS[spec.cell.task].num_agents
        return config.num_updates * config.num_envs * agents * each_s
    sizes = _sizes(spec.cell.task, spec.cell.num_agents, tuple(spec.env_options.items()))
    n = sizes.num_agents
    of_others = config.architecture == "independent" and config.algorithm in ("ss", "ps")
    networks = n * n if of_others else n
    widths = (sizes.observation_size, *config.hidden)
    weights = sum(a * b for a, b in pairwise(widths))
    in_turn = config.agent_order == "sequential" and config.algorithm == "ss"
    passes = config.num_epochs * (n if in_turn else 1)
    samples = sizes.horizon * config.num_envs
    flops = 6 * weights * networks * samples * (config.num_epochs + 1)
    fixed_s = SECONDS_PER_STEP * sizes.horizon + SECONDS_PER_PASS * passes
    return config.num_updates * (fixed_s + flops / FLOPS_PER_SECOND)


@cache
def _sizes(task: str, num_agents: int, options: tuple[tuple[str, str], ...]) -> EnvSpec:
    return make_env(task, 1, num_agents=num_agents, options=dict(options)).spec
