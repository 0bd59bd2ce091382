"""Short trainings for benchmarks that compare many conditions: no checkpoints, one result each.

A short run that is killed begins anew; one whose result is there returns at once.
"""

import contextlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from ss_core.config import config_hash
from ss_core.errors import ConfigError, CorruptError, SimulatorError
from ss_core.exchange.trust import weights
from ss_core.processes.child_tasks import Progress, Report, Stop, Task
from ss_core.processes.pool import Stage, run_pool
from ss_core.record.atomic import atomic_write, json_bytes
from ss_core.record.locks import acquire_lock
from ss_core.scenario.protocol import Scenario, load_scenario
from ss_core.scenario.tasks import INPUTS
from ss_core.training.loop import Training

RESULT_FILE = "trial.json"
ANY_WORLD = "ss_core.scenario.short_runs:short_run"  # target of a short run

Results = Mapping[tuple[str, int], Mapping[str, Any]]  # by name of the condition and seed


@dataclass(frozen=True, slots=True)
class ShortRun:
    """One training of a benchmark: which function carries it out, on what."""

    name: str  # of its condition
    seed: int
    target: str  # module:function
    arguments: Mapping[str, Any]

    def folder(self, out: Path) -> Path:
        """Where its result goes; other settings have another folder."""
        return out / "trials" / self.name / f"s{self.seed}-{config_hash(self.arguments)[:8]}"


def run_short_runs(
    short_runs: Sequence[ShortRun], out: Path, workers: int, progress: Progress
) -> Results:
    """Carry out what is not done yet; the results of those that succeeded, by name and seed.

    Raises:
        SimulatorError: some failed; the others are kept, and the same command repeats only these.
        Interrupted, ResourceError: what was done is kept.
    """
    folders = {(one.name, one.seed): one.folder(out) for one in short_runs}
    waiting = [one for one in short_runs if not is_done(one.folder(out))]
    done = [len(short_runs) - len(waiting)]

    def observe(task: str, stage: Stage, _done: int, _total: int, note: str) -> None:
        done[0] += stage in ("done", "failed")
        if stage != "working":
            progress("short runs", done[0], len(short_runs), f"{task} {stage} {note}".strip())

    progress("short runs", done[0], len(short_runs), f"{workers} at a time")
    tasks = [
        Task(
            name=f"{one.name} seed {one.seed}",
            target=one.target,
            arguments={**one.arguments, "folder": str(one.folder(out))},
            folder=str(one.folder(out)),
            commits=False,
        )
        for one in waiting
    ]
    failures = run_pool(tasks, workers, observe) if tasks else []
    if failures:
        raise SimulatorError(
            f"{len(failures)} of {len(short_runs)} short runs failed, the first of them "
            f"{failures[0].task}: {failures[0].reason} (see {failures[0].log}); run the same "
            "command again to repeat only these"
        )
    return {key: read_short_run(folder) for key, folder in folders.items()}


def run_bench(
    short_runs: Sequence[ShortRun],
    out: Path,
    workers: int,
    progress: Progress,
    conclude: Callable[[Results], dict[str, Any]],
    *,
    file: str,
) -> dict[str, Any]:
    """Carry out a benchmark's short runs in the folder `out`, and leave its result in `file` there.

    Raises:
        RunLockedError: another process works in that folder.
        SimulatorError, Interrupted, ResourceError: see `run_short_runs`.
    """
    lock = acquire_lock(out)
    try:
        result = conclude(run_short_runs(short_runs, out, workers, progress))
        atomic_write(out / file, json_bytes(result))
    finally:
        lock.release()
    return result


def short_run(arguments: Mapping[str, Any], report: Report, stop: Stop) -> bool:
    """Train in the world `scenario` with the given `settings`, then measure agents' welfare.

    Raises:
        ConfigError: settings do not fit, or that world does not tell its agents' welfare.
    """
    torch.set_num_threads(1)
    folder = Path(arguments["folder"])
    if is_done(folder):
        return True
    with contextlib.redirect_stdout(sys.stderr):  # other people's environments may print
        scenario = load_scenario(arguments["scenario"])
        return _carry_out(scenario, arguments, folder, report, stop)


def _carry_out(
    scenario: Scenario, arguments: Mapping[str, Any], folder: Path, report: Report, stop: Stop
) -> bool:
    config = scenario.resolve(arguments.get("preset", "tuned"), arguments["settings"])
    inputs = folder / INPUTS
    checked = scenario.check(config)
    if scenario.prepare is not None:
        scenario.prepare(config, checked, inputs, lambda _: None)
    with scenario.open(config, inputs, arguments.get("processes", 1)) as setting:
        if setting.welfare is None:
            raise ConfigError(f"scenario {scenario.name!r} does not tell the welfare of its agents")
        with setting.training(config.learner) as training:
            if not run_updates(training, report, stop):
                return False
            write_short_run(folder, training, setting.welfare(training))
    return True


def is_done(folder: Path) -> bool:
    """Whether the short run in `folder` has left its result."""
    return (folder / RESULT_FILE).exists()


def run_updates(training: Training, report: Report, stop: Stop) -> bool:
    """Train to the last update; returns whether that point was reached."""
    total = training.learner.config.num_updates
    while training.update < total:
        if stop():
            return False
        training.advance()
        report(training.update, total, "")
    return True


def write_short_run(
    folder: Path, training: Training, welfare: Float[np.ndarray, " N"], **facts: Any
) -> None:
    """Leave what was found: each agent's `welfare` (more is better), and weights of senders."""
    liars = training.channel.liars
    among = np.zeros(len(welfare), dtype=bool) if liars is None else liars.among.numpy(force=True)
    result = {
        "welfare": float(welfare.mean()),
        "honest_welfare": float(welfare[~among].mean()) if not among.all() else None,
        "liars": int(among.sum()),
        "bytes": training.channel.ledger.num_bytes(),
        **_weights_of_senders(training, among),
        **facts,
    }
    atomic_write(folder / RESULT_FILE, json_bytes(result))


def _weights_of_senders(training: Training, liars: np.ndarray) -> dict[str, float | None]:
    """Mean weight that honest receivers give liars, and honest senders."""
    learner, last = training.learner, training.learner.last_round
    if learner.trust is None or last is None:
        return {}
    weight = weights(learner.trust, last.links, learner.config.trust_tolerance)
    lying = torch.from_numpy(liars).to(weight.device)
    received = last.links.received & ~lying[:, None]
    groups = {
        "weight_of_liars": received & lying[last.links.senders],
        "weight_of_honest": received & ~lying[last.links.senders],
    }
    return {k: float(weight[m].mean()) if bool(m.any()) else None for k, m in groups.items()}


def read_short_run(folder: Path) -> Mapping[str, Any]:
    """The result of a short run.

    Raises:
        CorruptError: the file is not one.
    """
    path = folder / RESULT_FILE
    try:
        result = json.loads(path.read_bytes())
        float(result["welfare"])
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptError(
            f"{path}: not the result of a short run ({error!r}); delete it and run again"
        ) from error
    return result
