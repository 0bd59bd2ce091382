"""`sstraffic signals`, from request to table: check, learn, refer, score, write.

Heavy imports happen inside functions, so that a run's first line appears at once.
"""

import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ss_core.errors import ConfigError

if TYPE_CHECKING:
    from ss_core.processes.child_tasks import Task
    from ss_core.record.run_directory import RunDirectory
    from trafficsim.signals.config import SignalsConfig

Progress = Callable[[str, float, float, str], None]
Result = dict[str, Any]

INPUTS = "inputs"  # folder of a run


def signals_from_cli(request: Mapping[str, Any], progress: Progress) -> Result:
    """Run what a command line asked for; see `cli.settings.scenario_request` for its form.

    Raises:
        ConfigError, InputError: something asked for does not make sense; nothing was written.
        SimulatorError: SUMO dies again and again.
        ResourceError: the disk is full or not writable; what was written stays usable.
        RunLockedError: another process works on that run.
        Interrupted: a signal came; the same command continues.
    """
    from ss_core.processes.child_tasks import interruptible

    with interruptible():
        return _run(request, progress)


def _run(request: Mapping[str, Any], progress: Progress) -> Result:
    progress("prepare", 0, 1, "settings, net and demand; then learning, references")
    from ss_core.config import to_dict
    from ss_core.scenario.request import (
        DEFAULT_WORKERS,
        check_device,
        checked_workers,
        dry_run_result,
        finished_result,
        open_run,
    )
    from trafficsim.runs.signal_outcome import licence_notes
    from trafficsim.runs.signal_tasks import probe
    from trafficsim.signals.config import SHORTHANDS

    overrides = dict(request["overrides"])
    workers = checked_workers(overrides.pop("workers", DEFAULT_WORKERS))
    config = _config(request, overrides)
    if request["dry_run"]:
        given: Mapping[str, str] = request["origins"]
        origins = {SHORTHANDS.get(key, key): who for key, who in given.items()}
        return dry_run_result(config, origins, licence_notes(config))
    finished = finished_result(request["resume"])
    if finished is not None:
        return finished
    check_device(config.device)
    lights = probe(config)
    with open_run(
        Path(request["out"]),
        request["resume"],
        task="signals",
        size=_slug(config.scenario or Path(config.scene.net).name.split(".")[0]),
        seed=config.seed,
        config=to_dict(config),
    ) as run:
        started = time.perf_counter()
        result = _carry_out(run, config, lights, workers, progress)
        run.write_timing({"wall_s": round(time.perf_counter() - started, 1)})
    return result | {"run_dir": str(run.path)}


def _config(request: Mapping[str, Any], overrides: Mapping[str, Any]) -> "SignalsConfig":
    from ss_core.scenario.request import asked_config
    from trafficsim.signals.config import SignalsConfig, resolve, with_checksums

    also = ", or its net or demand changed"
    config = asked_config(SignalsConfig, request, overrides, resolve, also=also)
    if with_checksums(config) != config:
        raise ConfigError(
            f"--resume {request['resume']}: net or demand changed since that run began; put them "
            "back, or start anew with --resume never"
        )
    return config


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9_-]+", "-", name.lower()) or "net"


def _carry_out(
    run: "RunDirectory",
    config: "SignalsConfig",
    lights: tuple[str, ...],
    workers: int,
    progress: Progress,
) -> Result:
    from ss_core.processes.child_tasks import run_tasks
    from ss_core.scenario.request import seal_run
    from trafficsim.runs.signal_outcome import conclude, demand_notes, licence_notes
    from trafficsim.runs.signal_tasks import scene_of

    run.log_event("start", {"workers": workers})
    words = [f"{len(lights)} traffic lights, {config.scene.seconds} s per episode"]
    words += demand_notes(config)
    scene_of(config, run.path / INPUTS)  # draws demand before the sub-tasks look for it
    progress("prepare", 1, 1, "; ".join(words + licence_notes(config)))
    run_tasks(_tasks(run, config), workers, progress)
    progress("score", 0, 1, "key figures, traces")
    result = seal_run(run, conclude(run, config, lights))
    progress("score", 1, 1, "")
    return result


def _tasks(run: "RunDirectory", config: "SignalsConfig") -> list["Task"]:
    from ss_core.config import to_dict
    from ss_core.processes.child_tasks import Task
    from trafficsim.runs.signal_outcome import learners
    from trafficsim.runs.signal_tasks import PROGRAMS

    common = {"config": to_dict(config), "run_id": run.trace_run_id}
    common["inputs"] = str(run.path / INPUTS)

    def task(name: str, function: str, more: Mapping[str, str], *, commits: bool) -> Task:
        folder = str(run.task_folder(name))
        return Task(
            name=name,
            target=f"trafficsim.runs.signal_tasks:{function}",
            arguments={**common, **more, "folder": folder},
            folder=folder,
            commits=commits,
        )

    learning = [task(n, "learn", {"algorithm": n}, commits=True) for n in learners(config)]
    playing = [task(n, "refer", {"program": n}, commits=False) for n in PROGRAMS]
    return learning + playing
