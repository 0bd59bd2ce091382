"""The sub-tasks of a run, each in a folder and a process of its own: learning, and references.

Called by `ss_core.processes.child_tasks` with plain arguments. Each commits its own work and, run
again, goes on where it was; a finished one returns at once.
"""

import contextlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ss_core.config import config_hash, from_dict, to_dict
from ss_core.exchange.channel import exchange_facts
from ss_core.learning.learner import LearnerConfig
from ss_core.processes.child_tasks import Report, Stop, Task
from ss_core.record.atomic import sha256_of
from ss_core.record.checkpoint import (
    Checkpoint,
    load_latest,
    prune_checkpoints,
    result_of,
    save_checkpoint,
)
from ss_core.record.run_directory import RunDirectory
from ss_core.record.trace_writer import TraceWriter
from ss_core.scenario.config import RunConfig
from ss_core.scenario.pilot import (
    LearnerTask,
    Pilot,
    ahead,
    candidates_of,
    run_pilot,
    shares_of,
    trial_updates,
)
from ss_core.scenario.protocol import Place, Reference, Scenario, Setting, load_scenario
from ss_core.training.loop import Training, affordable_updates, record_messages, train
from ss_core.training.saved_learner import write_learner_file

TRIAL_COST = "trial_cost"  # of a learner's result: all agents, by trial day
INPUTS = "inputs"  # folder of a run


def staged_tasks(
    scenario: Scenario,
    config: RunConfig,
    run: RunDirectory,
    workers: int,
    shared: Path | None = None,
) -> list[list[Task]]:
    """Sub-tasks in stages: those of a stage may run side by side, stages follow one another.

    `shared`: where runs keep references that others may need as well.
    """
    references = scenario.references(config)
    first, *others = config.learners
    stages = [[(first, ""), *[("", r.name) for r in references if not r.after]]]
    stages[0] += [(name, "") for name in others]
    later = [[("", r.name)] for r in references if r.after]
    return [
        [
            _task(scenario, config, run, *names, max(1, workers // len(stage)), shared)
            for names in stage
        ]
        for stage in [*stages, *later]
    ]


def _task(
    scenario: Scenario,
    config: RunConfig,
    run: RunDirectory,
    algorithm: str,
    reference: str,
    processes: int,
    shared: Path | None,
) -> Task:
    folder = str(run.task_folder(algorithm or reference))
    return Task(
        name=algorithm or reference,
        target=f"ss_core.scenario.tasks:{'learn' if algorithm else 'refer'}",
        arguments={
            "scenario": scenario.target,
            "config": to_dict(config),
            "run_id": run.trace_run_id,
            "inputs": str(run.path / INPUTS),
            "processes": processes,
            "algorithm": algorithm,
            "reference": reference,
            "shared": "" if shared is None else str(shared),
            "folder": folder,
        },
        folder=folder,
        commits=bool(algorithm),
    )


def learn(arguments: Mapping[str, Any], report: Report, stop: Stop) -> bool:
    """Train one learner, then play the held-out days with it; result in `result/`."""
    torch.set_num_threads(1)
    folder = Path(arguments["folder"])
    if load_latest(folder / "result") is not None:
        prune_checkpoints(folder, keep=1)
        return True
    with contextlib.redirect_stdout(sys.stderr):  # other people's environments may print
        scenario = load_scenario(arguments["scenario"])
        config = from_dict(scenario.config, arguments["config"], where="run")
        row, run_id = arguments["algorithm"], arguments["run_id"]
        with scenario.open(config, Path(arguments["inputs"]), arguments["processes"]) as setting:
            task = LearnerTask(
                config=config,
                setting=setting,
                folder=folder,
                constants={"run_id": run_id, "algorithm": row, "seed": config.seed},
                report=report,
                stop=stop,
            )
            learner = replace(config.learner, algorithm=config.learners[row])
            pilot = _pilot(scenario, task, learner)
            return pilot is not None and _train(scenario, task, pilot)


def _pilot(scenario: Scenario, task: LearnerTask, learner: LearnerConfig) -> Pilot | None:
    """What to train with: settings that a pilot keeps, and as many updates as a budget affords."""
    setting, seconds = task.setting, task.config.budget_seconds
    each = trial_updates(learner.num_updates)
    if seconds is not None:
        trial, measured = setting.training(learner), scenario.calibration_updates
        affordable = affordable_updates(task.folder, seconds, trial, measured)
        most, each = shares_of(affordable, len(candidates_of(setting, learner)))
        learner = replace(learner, num_updates=most)
    return run_pilot(task, learner, each)


def _train(scenario: Scenario, task: LearnerTask, pilot: Pilot) -> bool:
    """Train, then play the held-out days; returns whether the end was reached."""
    config, setting, folder, learner = task.config, task.setting, task.folder, pilot.kept
    if setting.saved_learner is not None:
        write_learner_file(folder, setting.saved_learner(learner))
    report = ahead(task.report, pilot.spent, pilot.spent + learner.num_updates)
    with setting.training(learner) as training:
        writer = task.writer(folder)
        finished = train(
            training,
            folder,
            writer,
            evaluate=setting.evaluate,
            evaluate_every=max(1, learner.num_updates // config.evaluations),
            commit_every=config.commit_every,
            progress=_with_reward(training, scenario.earned, report),
            stop_requested=task.stop,
        )
        if finished:
            tried = _trial_days(training, setting, writer)
            saved = setting.play(training)
            facts = exchange_facts(training.channel, training.learner.spec.agent_names)
            state = {"num_updates": training.update, **facts, **pilot.state, **saved.state}
            tensors = {**tried, **saved.tensors}
            save_checkpoint(folder / "result", training.update, tensors, state)
            prune_checkpoints(folder, keep=1)  # models of credit are large
    return finished


def _trial_days(training: Training, setting: Setting, writer: TraceWriter) -> dict[str, Tensor]:
    """Costs of all agents together on trial days, which they add up over the channel."""
    if setting.trial is None:
        return {}
    costs = torch.from_numpy(setting.trial(training)).double()
    total = training.channel.total("cost_total", costs, training.update - 1)
    names = training.learner.spec.agent_names
    record_messages(writer, training.channel.ledger.take_rows(), names)
    writer.commit()
    return {TRIAL_COST: total}


def _with_reward(training: Training, earned: str, report: Report) -> Report:
    """Progress whose note is how the last episodes went."""

    def progress(done: int, total: int, note: str) -> None:
        reward = training.metrics.get("episode_reward")
        report(done, total, note if reward is None else f"{earned} {reward:.4g}, {note}")

    return progress


def refer(arguments: Mapping[str, Any], report: Report, stop: Stop) -> bool:
    """Compute one reference; result in `result/`."""
    torch.set_num_threads(1)
    folder = Path(arguments["folder"])
    if load_latest(folder / "result") is not None:
        return True
    scenario = load_scenario(arguments["scenario"])
    config = from_dict(scenario.config, arguments["config"], where="run")
    named = {each.name: each for each in scenario.references(config)}
    reference, inputs = named[arguments["reference"]], Path(arguments["inputs"])
    if reference.depends_on is not None:
        config = reference.depends_on(config)
    shared = _shared_folder(scenario, reference, config, inputs, arguments["shared"])
    known = None if shared is None else load_latest(shared)
    if known is not None:
        save_checkpoint(folder / "result", 0, known.tensors, known.state)
        return True
    place = Place(
        folder=folder,
        inputs=inputs,
        results=results_of(folder.parent, reference.after),
        processes=arguments["processes"],
    )
    saved = reference.compute(config, place, report, stop)
    if saved is None:
        return False
    for target in (folder / "result", *([shared] if shared else [])):
        save_checkpoint(target, 0, saved.tensors, saved.state)
    return True


def _shared_folder(
    scenario: Scenario, reference: Reference, config: RunConfig, inputs: Path, shared: str
) -> Path | None:
    """Where other runs find this result: named by all that it depends on, input files included."""
    if not shared or reference.depends_on is None:
        return None
    files = sorted(path for path in inputs.rglob("*") if path.is_file())
    facts = {"config": to_dict(config), "inputs": sha256_of(*files)}
    return Path(shared) / f"{scenario.name}-{reference.name}-{config_hash(facts)[:16]}"


def results_of(tasks: Path, names: Sequence[str]) -> dict[str, Checkpoint]:
    """What finished sub-tasks left, by name; `tasks` is the folder above theirs.

    Raises:
        FileNotFoundError: one has not finished.
    """
    return {name: result_of(tasks / name) for name in names}
