"""The golden runs: one tiny run of each kind, as command lines that every version understands.

Not collected by pytest; `tests.golden.compare` runs them from two checkouts.
"""

import os
import subprocess
import sys
from pathlib import Path

_GRID = (
    *("grid", "run", "--households", "4", "--days", "2", "--set", "evaluations=1"),
    *("--set", "policy_samples=2", "--set", "learner.num_envs=2", "--set", "audit_steps=3"),
    *("--set", "search.num_perturbations=2", "--set", "search.num_random_starts=1"),
    *("--set", "search.relaxation_sweeps=20", "--set", "learner.num_updates=3"),
)
_TRAFFIC = (
    *("traffic", "run", "--net", "two_route.net.xml", "--trips", "two_route.trips.xml"),
    *("--days", "2", "--set", "evaluations=1", "--set", "evaluation_days=2"),
    *("--set", "learner.num_envs=2", "--set", "search.optimum_simulations=6"),
    *("--set", "search.max_sweeps=2"),
    *("--set", "search.days=2", "--set", "search.deviations=2", "--set", "search.draws=2"),
    *("--set", "search.model_days=400", "--set", "search.candidates=2"),
    *("--set", "learner.num_updates=2"),
)
_SIGNALS = (
    *("traffic", "signals", "--scenario", "2x2grid", "--seconds", "120", "--episodes", "2"),
    *("--set", "learner.num_envs=1", "--set", "evaluations=1", "--set", "learner.num_updates=2"),
)
_TRAIN = (
    *("ss", "train", "predation", "--updates", "4", "--set", "evaluation_episodes=4"),
    *("--set", "learner.hidden=[8]", "--set", "learner.critic_hidden=[8]"),
)
_LIARS = ("--set", "learner.exchange.liars=0.25", "--set", "learner.exchange.lie=selfish")
GOLDEN = {
    "grid": _GRID,
    "grid_quarter_hourly": (*_GRID, "--set", "variant=quarter_hourly"),
    "traffic": _TRAFFIC,
    "en_route": (*_TRAFFIC, "--en-route"),
    "signals": _SIGNALS,
    "train_predation": (*_TRAIN, *_LIARS),
}
NETS = ("two_route.net.xml", "two_route.trips.xml")


def run_golden(name: str, checkout: Path, folder: Path, python: str = sys.executable) -> Path:
    """Carry out one golden run with the code of `checkout`; returns the run's directory.

    Raises:
        RuntimeError: the command failed; its last words are in the message.
    """
    here = folder / name
    here.mkdir(parents=True)
    for net in NETS:
        (here / net).write_bytes((checkout / "data" / "nets" / net).read_bytes())
    options = ("--out", "out", "--seed", "3", "--no-report", "--quiet")
    done = subprocess.run(
        [python, "-m", "cli", *GOLDEN[name], *options],
        cwd=here,
        env=os.environ | {"PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{name} in {checkout}: exit {done.returncode}\n{done.stderr[-2000:]}")
    (run,) = (here / "out").iterdir()
    return run
