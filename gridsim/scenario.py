"""One run, from request to table: check, train, refer, score on held-out days, audit, write.

Heavy imports happen inside functions, so that a run's first line appears at once.
"""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ss_core.errors import CheckFailedError, ConfigError

if TYPE_CHECKING:
    from gridsim.config import ScenarioConfig
    from ss_core.record.run_directory import RunDirectory

Progress = Callable[[str, float, float, str], None]
Result = dict[str, Any]


def run_from_cli(request: Mapping[str, Any], progress: Progress) -> Result:
    """Run what a command line asked for; see `cli.settings.scenario_request` for its form.

    Raises:
        ConfigError, InputError: something asked for does not make sense; nothing was written.
        ResourceError: the disk is full or not writable; what was written stays usable.
        RunLockedError: another process works on that run.
        Interrupted: a signal came; the same command continues.
    """
    from ss_core.processes.child_tasks import interruptible

    with interruptible():
        return _run(request, progress)


def verdict(result: Result) -> None:
    """End as the audit of the run did, once the outcome has been shown.

    Raises:
        CheckFailedError: pandapower confirmed no step at all.
    """
    audits = result.get("audit", {}).values()  # a dry run has none
    if audits and not any(one["steps_checked"] for one in audits):
        from gridsim.powerflow.audit import nothing_confirmed

        why = nothing_confirmed(sum(one["steps_disputed"] for one in audits))
        raise CheckFailedError(
            f"{result['run_dir']}: {why}; voltages and loadings of this run are not checked: "
            "look for impedances near 0 and for overloads in the net"
        )


def _run(request: Mapping[str, Any], progress: Progress) -> Result:
    progress("prepare", 0, 1, "settings and feeder; then learning, references, scores, audit")
    from gridsim.config import ScenarioConfig, resolve
    from ss_core.scenario.request import (
        DEFAULT_WORKERS,
        asked_config,
        check_device,
        checked_workers,
        dry_run_result,
        finished_result,
    )

    overrides = dict(request["overrides"])
    workers = checked_workers(overrides.pop("workers", DEFAULT_WORKERS))
    config = asked_config(ScenarioConfig, request, overrides, resolve)
    if request["dry_run"]:
        return dry_run_result(config, request["origins"])
    finished = finished_result(request["resume"])
    if finished is not None:
        return finished
    check_device(config.device)
    checked = _checked_feeder(config)
    with _run_directory(config, request) as run:
        _keep_feeder_file(run, config)
        started = time.perf_counter()
        result = _carry_out(run, config, checked, workers, progress)
        run.write_timing({"wall_s": round(time.perf_counter() - started, 1)})
    return result | {"run_dir": str(run.path)}


def _checked_feeder(config: "ScenarioConfig") -> Any:
    """The compiled feeder with its households: bad nets fail here, in seconds."""
    import numpy as np

    from gridsim.network.feeder import attach_households
    from gridsim.network.pandapower_io import load_feeder
    from gridsim.results.scoring import Grid

    feeder = load_feeder(
        config.feeder_name,
        households=config.households,
        kva_per_household=config.kva_per_household,
    )
    share = float(np.tan(np.arccos(config.power_factor)))
    return Grid(feeder, attach_households(feeder, config.households), share)


def _run_directory(config: "ScenarioConfig", request: Mapping[str, Any]) -> "RunDirectory":
    from ss_core.config import to_dict
    from ss_core.scenario.request import open_run

    return open_run(
        Path(request["out"]),
        request["resume"],
        task="grid",
        size=f"h{config.households}",
        seed=config.seed,
        config=to_dict(config),
    )


def _keep_feeder_file(run: "RunDirectory", config: "ScenarioConfig") -> None:
    """Copy the user's net into the run; a run is not continued on another net.

    Raises:
        ConfigError: the file has changed since the run began.
    """
    from gridsim.network.pandapower_io import feeder_names
    from ss_core.record.atomic import atomic_write

    if config.feeder_name in feeder_names():
        return
    data, kept = Path(config.feeder_name).read_bytes(), run.path / "inputs" / "feeder.json"
    if not kept.exists():
        atomic_write(kept, data)
    elif kept.read_bytes() != data:
        raise ConfigError(
            f"{config.feeder_name}: differs from the net this run began with ({kept}); "
            "put that one back, or start anew with --resume never"
        )


def _carry_out(
    run: "RunDirectory", config: "ScenarioConfig", grid: Any, workers: int, progress: Progress
) -> Result:
    from gridsim.runs.outcome import announce, conclude
    from ss_core.processes.child_tasks import run_tasks
    from ss_core.scenario.request import seal_run

    run.log_event("start", {"workers": workers})
    progress("prepare", 1, 1, announce(config, grid))
    warm = threading.Thread(target=_import_referee, daemon=True)
    warm.start()  # pandapower takes seconds to import; do so while the children work
    run_tasks(_tasks(run, config), workers, progress)
    warm.join()
    progress("score", 0, 1, "power flow, audit, traces")
    result = seal_run(run, conclude(run, config, grid))
    progress("score", 1, 1, "")
    return result


def _import_referee() -> None:
    with suppress(Exception):  # what fails here fails again where it is needed, and is told there
        import gridsim.powerflow.audit  # noqa: F401


def _tasks(run: "RunDirectory", config: "ScenarioConfig") -> list[Any]:
    from gridsim.runs.outcome import learners
    from ss_core.config import to_dict
    from ss_core.processes.child_tasks import Task

    common = {"config": to_dict(config), "run_id": run.trace_run_id}
    tasks = [
        Task(
            name=name,
            target="gridsim.runs.tasks:learn",
            arguments=common | {"algorithm": name, "folder": str(run.task_folder(name))},
            folder=str(run.task_folder(name)),
        )
        for name in learners(config)
    ]
    references = Task(
        name="references",
        target="gridsim.runs.tasks:refer",
        arguments=common | {"folder": str(run.task_folder("references"))},
        folder=str(run.task_folder("references")),
        commits=False,
    )
    return [tasks[0], references, *tasks[1:]]
