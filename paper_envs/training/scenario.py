"""`ss train`, from request to table: resolve, probe, train in a child process, compare, write.

Heavy imports happen inside functions, so that a run's first line appears at once.
"""

import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ss_core.errors import ConfigError

if TYPE_CHECKING:
    from paper_envs.training.config import TrainingConfig
    from ss_core.record.run_directory import RunDirectory

Progress = Callable[[str, float, float, str], None]
Result = dict[str, Any]


def train_from_cli(request: Mapping[str, Any], progress: Progress) -> Result:
    """Train what a command line asked for; `cli.commands.train.build_request` has its form.

    Raises:
        ConfigError, InputError: something asked for does not make sense; nothing was written.
        ResourceError: the disk is full or not writable; what was written stays usable.
        RunLockedError: another process works on that run.
        Interrupted: a signal came; the same command continues.
    """
    from ss_core.processes.child_tasks import interruptible

    progress("prepare", 0, 1, f"{request['env']}: looking at it; then learning, comparison")
    with interruptible():
        return _train(request, progress)


def _train(request: Mapping[str, Any], progress: Progress) -> Result:
    from paper_envs.training.config import TrainingConfig, full_name, resolve
    from ss_core.config import from_dict, to_dict
    from ss_core.scenario.request import (
        check_device,
        finished_result,
        open_run,
        settings_table,
        stored_config,
    )

    resume = request["resume"]
    stored = stored_config(resume)
    asked, about = resolve(request["env"], request["env_args"], request["overrides"])
    config = asked
    if stored is not None:
        config = from_dict(TrainingConfig, stored, where=str(Path(resume) / "manifest.json"))
        _check_same(asked, config, request)
        if (finished := finished_result(resume)) is not None:
            return finished
    if request["dry_run"]:
        origins = {full_name(key): who for key, who in request["origins"].items()}
        settings = settings_table(to_dict(config), origins)
        return {"tables": {"settings": settings}, "notes": [about], "run_dir": ""}
    check_device(config.device)
    progress("prepare", 1, 1, about)
    size = f"n{config.num_agents}"
    with open_run(
        Path(request["out"]),
        resume,
        task=_slug(config.env),
        size=size,
        seed=config.seed,
        config=to_dict(config),
    ) as run:
        started = time.perf_counter()
        result = _carry_out(run, config, progress)
        run.write_timing({"wall_s": round(time.perf_counter() - started, 1)})
    return result | {"run_dir": str(run.path)}


def _check_same(
    asked: "TrainingConfig", stored: "TrainingConfig", request: Mapping[str, Any]
) -> None:
    """A run is not continued in another environment, or with other settings than it began with."""
    resume = request["resume"]
    if asked.env != stored.env:
        raise ConfigError(f"--resume {resume}: that run is of {stored.env}, not of {asked.env}")
    if asked.env_sha256 != stored.env_sha256:
        raise ConfigError(
            f"--resume {resume}: the code of {asked.env} has changed since that run began; "
            "start anew with --resume never"
        )
    if (request["overrides"] or request["env_args"]) and asked != stored:
        given = ", ".join(sorted([*request["overrides"], *request["env_args"]]))
        raise ConfigError(
            f"--resume {resume}: that run has other settings than the ones given ({given}); "
            "leave them out, or start a new run"
        )


def _slug(env: str) -> str:
    """A name for files: `mpe2.simple_spread_v3:parallel_env` is `simple_spread_v3`."""
    last = env.partition(":")[0].rpartition(".")[2]
    return re.sub(r"[^a-z0-9_-]+", "-", last.lower())


def _carry_out(run: "RunDirectory", config: "TrainingConfig", progress: Progress) -> Result:
    from paper_envs.training.result import conclude, record_kpis
    from ss_core.algorithms.registry import algorithm_named
    from ss_core.config import to_dict
    from ss_core.processes.child_tasks import Task, run_tasks
    from ss_core.scenario.request import seal_run

    name = algorithm_named(config.learner.algorithm).name
    folder = run.task_folder(name)
    arguments = {
        "config": to_dict(config),
        "run_id": run.trace_run_id,
        "folder": str(folder),
    }
    run.log_event("start")
    task = Task(
        name=name, target="paper_envs.training.learn:learn", arguments=arguments, folder=str(folder)
    )
    run_tasks([task], 1, progress)
    result = conclude(config, folder)
    record_kpis(result, run, config.trace)
    return seal_run(run, result)
