"""A tiny run that commits checkpoints and traces in a loop, and a harness that kills it.

Run as `python kill_worker.py FOLDER DELAY_S …`: forks the run once per delay, kills it by SIGKILL
so long after its first commit, then lets it finish. Everything slow is imported before the first
fork.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

import filelock  # noqa: F401
import numpy as np
import pandas as pd  # noqa: F401  # PyArrow imports it with the first array
import pyarrow.parquet
import tomli_w  # noqa: F401
import torch

from ss_core.record.checkpoint import (
    load_latest,
    prune_checkpoints,
    save_checkpoint,
)
from ss_core.record.manifest import read_manifest
from ss_core.record.run_directory import RunDirectory, find_resumable
from ss_core.record.trace_writer import TraceWriter, trace_resources

CONFIG = {"learner": {"rho": 0.5}, "updates": 24, "name": None}


def train(root: Path, updates: int = 24, tasks: tuple[str, ...] = ("ss-0", "vps-0")) -> Path:
    """Start the run below `root`, or go on where it stopped; returns its folder."""
    fresh = root / "run"
    path = fresh
    if (fresh / "manifest.json").exists():
        found = find_resumable(root, read_manifest(fresh)["ss"]["config_sha256"])
        if found is None:
            raise AssertionError("the run cannot be resumed")
        path, run = found, RunDirectory.open(found)
    else:
        run = RunDirectory.create(fresh, task="probe", size="n2", seed=0, config=CONFIG)
    with run:
        for task in tasks:
            train_task(run, task, updates)
        run.write_timing({"wall_s": time.perf_counter()})
        run.finish("complete", resources=trace_resources(path))
    return path


def train_task(run: RunDirectory, task: str, updates: int) -> None:
    folder = run.task_folder(task)
    numpy_rng, torch_rng = np.random.default_rng(0), torch.Generator().manual_seed(0)
    weights, start = torch.zeros(64), 0
    writer = TraceWriter(
        folder, constants={"run_id": run.trace_run_id, "algorithm": "ss", "seed": 0}
    )
    checkpoint = load_latest(folder)
    writer.discard_after(checkpoint.parts if checkpoint else {})
    if checkpoint:
        prune_checkpoints(folder)
        weights, start = checkpoint.tensors["weights"], checkpoint.update
        torch_rng.set_state(checkpoint.tensors["rng"])
        numpy_rng.bit_generator.state = json.loads(checkpoint.state["numpy"])
    run.log_event("task", {"task": task, "start": start})
    for update in range(start, updates):
        weights = 0.9 * weights + torch.randn(64, generator=torch_rng)
        value = float(weights.sum()) + numpy_rng.normal()
        writer.write("metric", {"update": update, "name": "loss", "value": value, "unit": "1"})
        if (update + 1) % 2 == 0:
            writer.commit()
            tensors = {"weights": weights, "rng": torch_rng.get_state()}
            state = {"numpy": json.dumps(numpy_rng.bit_generator.state)}
            save_checkpoint(folder, update + 1, tensors, state, parts=writer.parts)


def fork_run(root: Path) -> int:
    """Start the run in a child process; returns the child's id."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            torch.set_num_threads(1)
            train(root)
            status = 0
        finally:
            os._exit(status)
    return child


def committed(root: Path) -> set[tuple[str, bytes]]:
    """What the pointers of the run say now."""
    return {(str(path), path.read_bytes()) for path in root.glob("run/tasks/*/LATEST")}


def check_readable(run: Path) -> None:
    """Every published file can be read, whatever was under way."""
    read_manifest(run)
    for path in run.rglob("part-*.parquet"):
        if path.suffix == ".parquet":
            pyarrow.parquet.read_table(path)
    for task in (run / "tasks").iterdir():
        checkpoint = load_latest(task)
        assert checkpoint is None or checkpoint.note is None, checkpoint


def main() -> None:
    """Kill the run once per delay, each time after it got further; then let it finish."""
    root, num_kills = Path(sys.argv[1]), 0
    for delay_s in map(float, sys.argv[2:]):
        before, child = committed(root), fork_run(root)
        while committed(root) == before and os.waitpid(child, os.WNOHANG) == (0, 0):
            time.sleep(0.001)
        time.sleep(delay_s)
        try:
            os.kill(child, signal.SIGKILL)
            num_kills += os.waitpid(child, 0)[1] == signal.SIGKILL
        except (ProcessLookupError, ChildProcessError):
            break  # it ended before it could be killed
        check_readable(root / "run")
    if not (root / "run").exists() or read_manifest(root / "run")["ss"]["status"] != "complete":
        status = os.waitpid(fork_run(root), 0)[1]
        if status:
            sys.exit(f"the resumed run failed with status {status}")
    sys.stdout.write(f"{num_kills}\n")


if __name__ == "__main__":
    main()
