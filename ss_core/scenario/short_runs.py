"""Short trainings for benchmarks that compare many conditions: no checkpoints, one result each.

A trial that is killed begins anew; one whose result is there returns at once.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from ss_core.config import config_hash
from ss_core.errors import CorruptError, SimulatorError
from ss_core.exchange.trust import weights
from ss_core.processes.child_tasks import Progress, Report, Stop, Task
from ss_core.processes.pool import Stage, run_pool
from ss_core.record.atomic import atomic_write, json_bytes
from ss_core.record.locks import acquire_lock
from ss_core.training.loop import Training

TRIAL_FILE = "trial.json"


Results = Mapping[tuple[str, int], Mapping[str, Any]]  # by name of the condition and seed


@dataclass(frozen=True, slots=True)
class Trial:
    """One training of a benchmark: which function of a world, on what."""

    name: str  # of its condition
    seed: int
    target: str  # module:function
    arguments: Mapping[str, Any]

    def folder(self, out: Path) -> Path:
        """Where its result goes; other settings have another folder."""
        return out / "trials" / self.name / f"s{self.seed}-{config_hash(self.arguments)[:8]}"


def run_trials(trials: Sequence[Trial], out: Path, workers: int, progress: Progress) -> Results:
    """Carry out what is not done yet; the results of those that succeeded, by name and seed.

    Raises:
        SimulatorError: some failed; the others are kept, and the same command repeats only these.
        Interrupted, ResourceError: what was done is kept.
    """
    folders = {(one.name, one.seed): one.folder(out) for one in trials}
    waiting = [one for one in trials if not is_done(one.folder(out))]
    done = [len(trials) - len(waiting)]

    def observe(task: str, stage: Stage, _done: int, _total: int, note: str) -> None:
        done[0] += stage in ("done", "failed")
        if stage != "working":
            progress("trials", done[0], len(trials), f"{task} {stage} {note}".strip())

    progress("trials", done[0], len(trials), f"{workers} at a time")
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
            f"{len(failures)} of {len(trials)} trials failed, the first of them "
            f"{failures[0].task}: {failures[0].reason} (see {failures[0].log}); run the same "
            "command again to repeat only these"
        )
    return {key: read_trial(folder) for key, folder in folders.items()}


def run_bench(
    trials: Sequence[Trial],
    out: Path,
    workers: int,
    progress: Progress,
    conclude: Callable[[Results], dict[str, Any]],
    *,
    file: str,
) -> dict[str, Any]:
    """Carry out a benchmark's trials in the folder `out`, and leave its result in `file` there.

    Raises:
        RunLockedError: another process works in that folder.
        SimulatorError, Interrupted, ResourceError: see `run_trials`.
    """
    lock = acquire_lock(out)
    try:
        result = conclude(run_trials(trials, out, workers, progress))
        atomic_write(out / file, json_bytes(result))
    finally:
        lock.release()
    return result


def is_done(folder: Path) -> bool:
    """Whether the trial in `folder` has left its result."""
    return (folder / TRIAL_FILE).exists()


def run_updates(training: Training, report: Report, stop: Stop) -> bool:
    """Train to the last update; returns whether that point was reached."""
    total = training.learner.config.num_updates
    while training.update < total:
        if stop():
            return False
        training.advance()
        report(training.update, total, "")
    return True


def write_trial(
    folder: Path, training: Training, welfare: Float[np.ndarray, " N"], **facts: Any
) -> None:
    """Leave what a trial found: each agent's `welfare` (more is better), and whom agents heed."""
    liars = training.channel.liars
    among = np.zeros(len(welfare), dtype=bool) if liars is None else liars.among.numpy(force=True)
    result = {
        "welfare": float(welfare.mean()),
        "honest_welfare": float(welfare[~among].mean()) if not among.all() else None,
        "liars": int(among.sum()),
        "bytes": training.channel.ledger.num_bytes(),
        **_heeded(training, among),
        **facts,
    }
    atomic_write(folder / TRIAL_FILE, json_bytes(result))


def _heeded(training: Training, liars: np.ndarray) -> dict[str, float | None]:
    """Mean weight that honest receivers give liars, and honest senders."""
    learner, last = training.learner, training.learner.last_round
    if learner.trust is None or last is None:
        return {}
    weight = weights(learner.trust, last.links, learner.config.trust_tolerance)
    lying = torch.from_numpy(liars).to(weight.device)
    told = last.links.received & ~lying[:, None]
    groups = {
        "weight_of_liars": told & lying[last.links.senders],
        "weight_of_honest": told & ~lying[last.links.senders],
    }
    return {k: float(weight[m].mean()) if bool(m.any()) else None for k, m in groups.items()}


def read_trial(folder: Path) -> Mapping[str, Any]:
    """The result of a trial.

    Raises:
        CorruptError: the file is not one.
    """
    path = folder / TRIAL_FILE
    try:
        result = json.loads(path.read_bytes())
        float(result["welfare"])
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptError(
            f"{path}: not the result of a trial ({error!r}); delete it and run again"
        ) from error
    return result
