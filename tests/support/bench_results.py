"""Made-up results of a benchmark, shaped like real ones; seeded, so equal calls give equal runs."""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from paper_envs.bench.results.results import Cell, PresetName, RunResult
from paper_envs.tasks import TASKS

POINTS = 50
NUM_UPDATES, NUM_ENVS = 200, 16
ENDS: Mapping[str, Mapping[str, float]] = {  # where each algorithm of a task ends
    "predation": {"ss": -1.0, "independent": -14.8, "centralised": -2.0, "vps": -13.0, "vs": -2.1,
                  "ps": -1.9, "imr": -1.0, "ss/rho0": -14.5, "ss/m6": -1.0, "ss/m4": -1.05,
                  "ss/m2": -1.6, "ss/every2": -2.6, "ss/anchor-only": -6.0, "ss/radius": -1.4,
                  "ss/follow-only": -9.0, "ss/no-indicators": -1.1, "ss/lambda-0.98": -1.3},
    "navigation": {"ss": -0.31, "independent": -0.30, "centralised": -0.45, "vps": -0.50,
                   "vs": -0.52, "ps": -0.40, "ss/rho0": -0.30},
    "cleanup-small": {"ss": 0.21, "independent": 0.05, "centralised": 0.24, "vps": 0.06,
                      "vs": 0.20, "ps": 0.17, "imr": 0.26, "ss/rho0": 0.05},
    "harvest-small": {"ss": 0.32, "independent": 0.20, "centralised": 0.33, "vps": 0.21,
                      "vs": 0.30, "ps": 0.29, "imr": 0.18, "ss/rho0": 0.21},
}  # fmt: skip
STARTS = {"predation": -8.0, "navigation": -3.2, "cleanup-small": 0.02, "harvest-small": 0.15}
BYTES = {"ss": {"own_policy": 960, "suggestion": 6720}, "vps": {"critic": 40_000},
         "vs": {"value": 1_700}, "ps": {"policy_parameters": 2_300_000},
         "centralised": {"reward": 240}}  # fmt: skip


def run_of(
    cell: Cell,
    seed: int,
    final: float,
    *,
    start: float = -8.0,
    rate: float = 0.06,
    cooperators: Sequence[int] | None = None,
) -> RunResult:
    """A run whose curve goes from `start` to `final` at a pace of `rate` per point."""
    shape = 1 - np.exp(-rate * np.arange(POINTS))
    rng = np.random.default_rng([seed, zlib.crc32(cell.slug.encode())])
    noise = rng.normal(scale=0.01 * abs(final - start), size=POINTS)
    curve: dict[str, list[float | None]] = {
        "update": [float(4 * (point + 1)) for point in range(POINTS)],
        "episode": [float(64 * (point + 1)) for point in range(POINTS)],
        "averaged_return": (start + (final - start) * shape + noise).tolist(),
    }
    if TASKS[cell.task].has_cooperation:
        together = 1.0 if final > -1.5 else 0.1
        rates = 0.25 + (together - 0.25) * shape
        curve |= {
            "rate_all": rates.tolist(),
            "rate_mixed": (0.6 * (1 - rates)).tolist(),
            "rate_none": (0.4 * (1 - rates)).tolist(),
        }
    if cell.algorithm == "ss":
        curve["suggestion_mse"] = (0.2 * (1 - shape)).tolist()
        if cell.task == "predation":
            curve["suggested_cooperation"] = (0.5 + 0.5 * shape).tolist()
    sent = BYTES.get(cell.algorithm, {})
    return RunResult(
        cell=cell,
        seed=seed,
        num_updates=NUM_UPDATES,
        planned_updates=NUM_UPDATES,
        num_envs=NUM_ENVS,
        final_return=final,
        evaluation_returns=(final - 0.1, final + 0.1),
        agent_returns=tuple(final + 0.01 * agent for agent in range(cell.num_agents)),
        cooperators=None if cooperators is None else tuple(cooperators),
        curve=curve,
        bytes_by_kind={kind: each * cell.num_agents * NUM_UPDATES for kind, each in sent.items()},
    )


def cell_of(
    task: str,
    algorithm: str,
    *,
    variant: str = "",
    preset: PresetName = "tuned",
    num_agents: int | None = None,
) -> Cell:
    """A cell; `num_agents` None means the headline number."""
    count = TASKS[task].num_agents if num_agents is None else num_agents
    return Cell(task=task, num_agents=count, preset=preset, algorithm=algorithm, variant=variant)


def runs_of(cell: Cell, finals: Sequence[float], **details: Any) -> list[RunResult]:
    """A run for every final return, with seeds 100, 101, …"""
    return [run_of(cell, 100 + index, final, **details) for index, final in enumerate(finals)]


def a_benchmark(num_seeds: int = 5, presets: Sequence[PresetName] = ("tuned",)) -> list[RunResult]:
    """What a whole benchmark leaves: main comparison, pair, variants, a dozen predators."""
    return [run for preset in presets for run in _of_preset(preset, num_seeds)]


def _of_preset(preset: PresetName, num_seeds: int) -> Iterator[RunResult]:
    for task, ends in ENDS.items():
        for name, end in ends.items():
            algorithm, _, variant = name.partition("/")
            cell = cell_of(task, algorithm, variant=variant, preset=preset)
            yield from _of_cell(cell, end, num_seeds)
    for algorithm, variant, end in (
        ("ss", "", -1.0),
        ("independent", "", -3.0),
        ("ss", "rho0", -2.9),
    ):
        cell = cell_of("predation", algorithm, variant=variant, preset=preset, num_agents=2)
        yield from _of_cell(cell, end, num_seeds)
    crowd = cell_of("predation", "ss", preset=preset, num_agents=12)
    yield from _of_cell(crowd, -1.0, num_seeds)


def _of_cell(cell: Cell, end: float, num_seeds: int) -> Iterator[RunResult]:
    start = STARTS[cell.task] if cell.num_agents != 2 else -2.0
    rng = np.random.default_rng(zlib.crc32(cell.slug.encode()))
    for seed in range(100, 100 + num_seeds):
        final = end - abs(rng.normal(scale=0.02 * abs(end - start) + 0.001))
        yield run_of(cell, seed, final, start=start, cooperators=_steps(cell, final))


def _steps(cell: Cell, final: float) -> list[int] | None:
    """Steps by number of cooperators; in Predation such that they tell what the return tells."""
    if not TASKS[cell.task].has_cooperation:
        return None
    counts = [0] * (cell.num_agents + 1)
    counts[-1 if final > -1.5 else 1 if final > -3 else 0] = 3840
    return counts
