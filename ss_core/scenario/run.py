"""One run of any world, from request to table: check, keep inputs, learn, refer, score, write."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ss_core.config import from_dict, to_dict
from ss_core.errors import ConfigError, Interrupted
from ss_core.processes import child_tasks
from ss_core.processes.child_tasks import Progress, Stop, Task, interruptible, perform_all
from ss_core.record.manifest import read_manifest
from ss_core.record.run_directory import RunDirectory
from ss_core.scenario.config import RunConfig
from ss_core.scenario.protocol import Prepared, Result, Scenario, load_scenario
from ss_core.scenario.request import (
    DEFAULT_WORKERS,
    check_device,
    checked_workers,
    dry_run_result,
    finished_result,
    open_run,
    seal_run,
    stored_config,
)
from ss_core.scenario.result import conclude
from ss_core.scenario.tasks import INPUTS, results_of, staged_tasks


def run_scenario(target: str, request: Mapping[str, Any], progress: Progress) -> Result:
    """Carry out what a command line asked for; see `cli.settings.scenario_request` for its form.

    Raises:
        ConfigError, InputError: something asked for does not make sense; nothing was written.
        SimulatorError: a simulator refuses its input, or dies again and again.
        ResourceError: the disk is full or not writable; what was written stays usable.
        RunLockedError: another process works on that run.
        Interrupted: a signal came; the same command continues.
    """
    with interruptible():
        return _run(load_scenario(target), request, progress)


def _run(scenario: Scenario, request: Mapping[str, Any], progress: Progress) -> Result:
    overrides = dict(request["overrides"])
    workers = checked_workers(overrides.pop("workers", DEFAULT_WORKERS))
    config = _asked_config(scenario, request, overrides)
    if request["dry_run"]:
        origins = _origins(scenario, request, overrides)
        return dry_run_result(config, origins, scenario.about(config))
    finished = finished_result(request["resume"])
    if finished is not None:
        return finished
    check_device(config.device)
    checked = scenario.check(config)
    task, size = _identity(scenario, config, checked)
    with open_run(
        Path(request["out"]),
        request["resume"],
        task=task,
        size=size,
        seed=config.seed,
        config=to_dict(config),
    ) as run:
        started = time.perf_counter()

        def in_children(stage: Sequence[Task]) -> bool:
            child_tasks.run_tasks(stage, workers, progress)
            return True

        result = _carry_out(scenario, run, config, checked, workers, progress, in_children)
        run.write_timing({"wall_s": round(time.perf_counter() - started, 1)})
    assert result is not None
    return result | {"run_dir": str(run.path)}


def run_here(
    scenario: Scenario,
    config: RunConfig,
    folder: Path,
    progress: Progress,
    stop: Stop,
    shared: Path | None = None,
) -> bool:
    """A whole run in `folder`, every sub-task in this process; returns whether it reached its end.

    For pools whose processes stay: what one run imported and compiled serves the next. The bytes
    are those of `run_scenario`. A run that was cut short goes on, a complete one is left alone.
    `shared`: where runs keep references that others may need as well.

    Raises:
        SuggestionSharingError: what a sub-task, or the check of its input, raised.
    """
    known = (folder / "manifest.json").exists()
    if known and read_manifest(folder)["ss"]["status"] == "complete":
        return True
    check_device(config.device)
    checked = scenario.check(config)

    def in_this_process(stage: Sequence[Task]) -> bool:
        return perform_all(stage, progress, stop)

    try:
        with (
            RunDirectory.open(folder)
            if known
            else _new_run(scenario, config, checked, folder) as run
        ):
            started = time.perf_counter()
            parts = (scenario, run, config, checked, 1, progress, in_this_process)
            if _carry_out(*parts, shared) is None:
                raise Interrupted("asked to stop")
            run.write_timing({"wall_s": round(time.perf_counter() - started, 1)})
    except Interrupted:
        return False
    return True


def _new_run(scenario: Scenario, config: RunConfig, checked: Any, folder: Path) -> RunDirectory:
    task, size = _identity(scenario, config, checked)
    return RunDirectory.create(
        folder, task=task, size=size, seed=config.seed, config=to_dict(config)
    )


def _identity(scenario: Scenario, config: RunConfig, checked: Any) -> tuple[str, str]:
    """Task and size, for the name of the run."""
    return (
        (scenario.name, "run") if scenario.identity is None else scenario.identity(config, checked)
    )


def _origins(
    scenario: Scenario, request: Mapping[str, Any], overrides: Mapping[str, Any]
) -> dict[str, str]:
    """Who gave each setting that somebody gave, or named in a file that somebody gave."""
    given: Mapping[str, str] = request["origins"]
    implied = {
        setting: f"{given.get(key, key)} {overrides[key]}"
        for key, settings in scenario.implied.items()
        if overrides.get(key)
        for setting in settings(overrides[key])
    }
    return implied | {scenario.shorthands.get(key, key): who for key, who in given.items()}


def _asked_config(
    scenario: Scenario, request: Mapping[str, Any], overrides: Mapping[str, Any]
) -> RunConfig:
    """The configuration asked for, or that of the run that `--resume PATH` names.

    Raises:
        ConfigError: settings do not fit, or differ from those of the run to continue.
    """
    resume, fixed = request["resume"], request.get("arguments", {})
    given_twice = sorted(fixed.keys() & overrides.keys())
    if given_twice:
        raise ConfigError(f"--set {given_twice[0]}: it is an argument of the command")
    kept = stored_config(resume)
    if kept is None:
        return scenario.resolve(request["preset"], {**fixed, **overrides})
    kept = _without(kept, scenario.withdrawn)
    stored = from_dict(scenario.config, kept, where=str(Path(resume) / "manifest.json"))
    scenario.check_stored(stored, request)
    if overrides and scenario.resolve(request["preset"], {**fixed, **overrides}) != stored:
        raise ConfigError(
            f"--resume {resume}: that run has other settings than the ones given "
            f"({', '.join(sorted(overrides))}), or its input files changed; leave them out, or "
            "start a new run"
        )
    return stored


def _without(settings: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Settings without those of these dotted names."""
    left = dict(settings)
    for name in names:
        section, _, rest = name.partition(".")
        if rest and isinstance(left.get(section), Mapping):
            left[section] = _without(left[section], [rest])
        elif not rest:
            left.pop(section, None)
    return left


def _carry_out(
    scenario: Scenario,
    run: RunDirectory,
    config: RunConfig,
    checked: Any,
    workers: int,
    progress: Progress,
    carry_out: Callable[[Sequence[Task]], bool],
    shared: Path | None = None,
) -> Result | None:
    """The result; None where a stage was asked to stop."""
    run.log_event("start", {"workers": workers})

    def tell(note: str) -> None:
        progress("prepare", 0.5, 1, note)

    prepared = Prepared(sentence=scenario.name)
    if scenario.prepare is not None:
        prepared = scenario.prepare(config, checked, run.path / INPUTS, tell)
    progress("prepare", 1, 1, prepared.sentence)
    if prepared.meanwhile is not None:
        threading.Thread(target=prepared.meanwhile, daemon=True).start()
    stages = [] if prepared.trivial else staged_tasks(scenario, config, run, workers, shared)
    for stage in stages:
        if not carry_out(stage):
            return None
    progress("score", 0, 1, "key figures, traces")
    names = [task.name for stage in stages for task in stage]
    results = results_of(run.path / "tasks", names)
    result = seal_run(run, conclude(scenario, run, config, prepared, results))
    progress("score", 1, 1, "")
    return result
