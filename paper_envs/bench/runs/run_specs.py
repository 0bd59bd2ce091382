"""From planned cells to specs that a process can carry out: settings, folders, expected time."""

from functools import cache
from itertools import pairwise
from pathlib import Path

from paper_envs.bench.results.results import Cell
from paper_envs.bench.runs.folder import run_folder, run_name
from paper_envs.bench.runs.plan import FIRST_SEED, PROFILES, Plan
from paper_envs.bench.runs.run import RunSpec
from paper_envs.presets import env_options, episodes, learner_config
from paper_envs.tasks import make_env
from ss_core.config import to_dict
from ss_core.env import EnvSpec
from ss_core.learning.learner import LearnerConfig
from ss_core.processes.child_tasks import Task

STDERR_LOG = "stderr.log"
SECONDS_PER_STEP = 7e-4  # of an environment, all its copies together
SECONDS_PER_PASS = 4e-3  # whatever its size
FLOPS_PER_SECOND = 2e10  # of one core, in products of this size


def specs_of(plan: Plan, out: Path, *, device: str) -> list[RunSpec]:
    """Every run of a plan, below the folder `out`; policies are kept of the first seed."""
    return [
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
        for cell in plan.cells
        for seed in plan.seeds
    ]


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
    wanted = episodes(cell.task, cell.num_agents, cell.preset, plan.profile, cell.variant)
    return with_updates(-(-wanted // per_update))


def task_of(spec: RunSpec) -> Task:
    """The spec as a task of a pool."""
    return Task(
        name=run_name(spec.cell.slug, spec.seed),
        target="paper_envs.bench.runs.run:train_run",
        arguments=to_dict(spec),
        folder=spec.folder,
        log=STDERR_LOG,
    )


def weight_of(spec: RunSpec) -> float:
    """Expected seconds of a run; only the sequence of runs and the time left are judged by it."""
    config = spec.learner
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
