"""One run, from request to table: check, draw or read demand, learn, refer, optimise, score, write.

Heavy imports happen inside functions, so that a run's first line appears at once.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ss_core.processes.child_tasks import Task
    from ss_core.record.run_directory import RunDirectory
    from trafficsim.routing.config import ScenarioConfig
    from trafficsim.routing.game import RoutingGame

Progress = Callable[[str, float, float, str], None]
Result = dict[str, Any]


def run_from_cli(request: Mapping[str, Any], progress: Progress) -> Result:
    """Run what a command line asked for; see `cli.settings.scenario_request` for its form.

    Raises:
        ConfigError, InputError: something asked for does not make sense; nothing was written.
        SimulatorError: SUMO refuses the net or the demand, or dies again and again.
        ResourceError: the disk is full or not writable; what was written stays usable.
        RunLockedError: another process works on that run.
        Interrupted: a signal came; the same command continues.
    """
    from ss_core.processes.child_tasks import interruptible

    with interruptible():
        return _run(request, progress)


def _run(request: Mapping[str, Any], progress: Progress) -> Result:
    progress("prepare", 0, 1, "settings, net and demand; then learning, references, optimum")
    from ss_core.scenario.request import (
        DEFAULT_WORKERS,
        asked_config,
        check_device,
        checked_workers,
        dry_run_result,
        finished_result,
    )
    from trafficsim.routing.config import ScenarioConfig, resolve

    overrides = dict(request["overrides"])
    workers = checked_workers(overrides.pop("workers", DEFAULT_WORKERS))
    config = asked_config(ScenarioConfig, request, overrides, resolve)
    if request["dry_run"]:
        return dry_run_result(config, request["origins"])
    finished = finished_result(request["resume"])
    if finished is not None:
        return finished
    check_device(config.device)

    from trafficsim.sumo.process import check_installed

    check_installed()
    from trafficsim.routing.inputs import checked_net, given_demand

    net = checked_net(config)
    given = given_demand(config, net)
    with _run_directory(config, request) as run:
        started = time.perf_counter()
        result = _carry_out(run, config, (net, given), workers, progress)
        run.write_timing({"wall_s": round(time.perf_counter() - started, 1)})
    return result | {"run_dir": str(run.path)}


def _run_directory(config: "ScenarioConfig", request: Mapping[str, Any]) -> "RunDirectory":
    from ss_core.config import to_dict
    from ss_core.scenario.request import open_run
    from trafficsim.routing.inputs import net_path

    name = net_path(config).name.split(".")[0].lower()
    return open_run(
        Path(request["out"]),
        request["resume"],
        task="traffic",
        size="".join(c if c.isalnum() or c in "._-" else "-" for c in name)[:40] or "net",
        seed=config.seed,
        config=to_dict(config),
    )


def _carry_out(
    run: "RunDirectory", config: "ScenarioConfig", inputs: Any, workers: int, progress: Progress
) -> Result:
    from ss_core.processes.child_tasks import run_tasks
    from ss_core.scenario.request import seal_run
    from trafficsim.routing.inputs import game_of, keep_inputs
    from trafficsim.runs.outcome import conclude, without_choice

    run.log_event("start", {"workers": workers})
    net, given = inputs
    folder = run.path / "inputs"

    def tell(note: str) -> None:
        progress("prepare", 0.5, 1, note)

    demand = keep_inputs(config, net, given, folder, tell)
    game = game_of(config, net, demand)
    progress("prepare", 1, 1, f"{_announcement(game)}; {demand.source}")
    notes = [f"demand: {demand.source}", *net.notes]
    if game.num_drivers < 2:
        result = without_choice(run, config, game, notes)
    else:
        run_tasks(_tasks(run, config, workers), workers, progress)
        run_tasks([_optimum(run, config, workers)], 1, progress)
        progress("score", 0, 1, "recorded days, traces")
        result = conclude(run, config, game, notes)
    result = seal_run(run, result)
    progress("score", 1, 1, "")
    return result


def _announcement(game: "RoutingGame") -> str:
    with_choice = int((game.option_count > 1).sum())
    return (
        f"{len(game.od)} trips between {len(game.od_pairs)} zone pairs, {with_choice} with a "
        f"choice, {game.num_drivers} take part, {len(game.scene.routes)} routes"
    )


def _tasks(run: "RunDirectory", config: "ScenarioConfig", workers: int) -> list["Task"]:
    from ss_core.processes.child_tasks import Task
    from trafficsim.results.rows import learners

    common = _common(run, config, max(1, workers // 3))
    tasks = [
        Task(
            name=name,
            target="trafficsim.runs.tasks:learn",
            arguments=common | {"algorithm": name, "folder": str(run.task_folder(name))},
            folder=str(run.task_folder(name)),
        )
        for name in learners(config)
    ]
    references = Task(
        name="references",
        target="trafficsim.runs.tasks:refer",
        arguments=common | {"folder": str(run.task_folder("references"))},
        folder=str(run.task_folder("references")),
        commits=False,
    )
    return [tasks[0], references, *tasks[1:]]


def _optimum(run: "RunDirectory", config: "ScenarioConfig", workers: int) -> "Task":
    from ss_core.processes.child_tasks import Task
    from trafficsim.results.rows import learners

    starts = [str(run.task_folder(name)) for name in ("references", *learners(config))]
    folder = str(run.task_folder("optimum"))
    return Task(
        name="optimum",
        target="trafficsim.runs.tasks:optimise",
        arguments=_common(run, config, workers) | {"folder": folder, "starts": starts},
        folder=folder,
        commits=False,
    )


def _common(run: "RunDirectory", config: "ScenarioConfig", simulators: int) -> dict[str, Any]:
    from ss_core.config import to_dict

    return {
        "config": to_dict(config),
        "run_id": run.trace_run_id,
        "inputs": str(run.path / "inputs"),
        "simulators": simulators,
    }
