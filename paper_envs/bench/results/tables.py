"""The tables of a benchmark as plain records (see `schema.py`), and how they become Parquet."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from paper_envs.bench.results.comparisons import (
    Runs,
    Scale,
    Suite,
    area_under_curve,
    difference,
    improvement,
    interval_of,
    sample,
    share_of_cooperators,
)
from paper_envs.bench.results.results import Cell
from paper_envs.bench.results.schema import CELL_KEY, TABLES, TABLES_SCHEMA
from paper_envs.tasks import TASKS
from ss_core.record.schema import arrow_schema
from ss_core.statistics import Interval

Record = dict[str, Any]

PAIR_NAMES = ("D-D", "C-D", "C-C")


def run_rows(cells: Mapping[Cell, Runs]) -> list[Record]:
    """One row per run."""
    return [
        {
            **cell_columns(cell),
            "seed": run.seed,
            "num_updates": run.num_updates,
            "planned_updates": run.planned_updates,
            "num_envs": run.num_envs,
            "final_return": run.final_return,
            "training_return": area_under_curve(run),
            "lowest_agent_return": min(run.agent_returns, default=None),
            "highest_agent_return": max(run.agent_returns, default=None),
            "exchanged_bytes": sum(run.bytes_by_kind.values()),
        }
        for cell, runs in cells.items()
        for run in runs
    ]


def curve_rows(cells: Mapping[Cell, Runs]) -> list[Record]:
    """One row per point and value of every learning curve."""
    return [
        {
            **cell_columns(cell),
            "seed": run.seed,
            "update": int(update),
            "episode": int(episode),
            "name": name,
            "value": value,
        }
        for cell, runs in cells.items()
        for run in runs
        for name, values in run.curve.items()
        if name not in ("update", "episode")
        for update, episode, value in zip(
            run.curve["update"], run.curve["episode"], values, strict=True
        )
        if value is not None and update is not None and episode is not None
    ]


def final_rows(suite: Suite) -> list[Record]:
    """One row per cell that has a final return."""
    rows: list[Record] = []
    for cell, runs in suite.cells.items():
        values = sample(runs)
        if values.size:
            scale = suite.scale(cell.task, cell.num_agents)
            rows.append(_final_row(cell, runs, values, scale))
    return rows


def _final_row(cell: Cell, runs: Runs, values: np.ndarray, scale: Scale | None) -> Record:
    normalised = None if scale is None else interval_of(scale.normalised(values))
    return {
        **cell_columns(cell),
        "num_runs": int(values.size),
        "num_unfinished": sum(not run.finished for run in runs),
        **_interval_columns("iqm", interval_of(values)),
        "mean": float(values.mean()),
        **_interval_columns("normalised", normalised),
    }


def improvement_rows(suite: Suite) -> list[Record]:
    """SS against every other algorithm, and against every variant of itself."""
    rows: list[Record] = []
    for cell, runs in suite.cells.items():
        if (cell.algorithm, cell.variant) == ("ss", ""):
            continue
        rivals = sample(runs)
        ours = sample(suite.runs(cell.task, "ss", num_agents=cell.num_agents))
        if rivals.size and ours.size:
            rows.append(
                {
                    "task": cell.task,
                    "num_agents": cell.num_agents,
                    "preset": cell.preset,
                    "rival": cell.algorithm,
                    "rival_variant": cell.variant,
                    "num_runs": int(ours.size),
                    "num_rival_runs": int(rivals.size),
                    **_interval_columns("probability", improvement(ours, rivals)),
                    **_interval_columns("difference", difference([ours], [rivals])),
                }
            )
    return rows


def joint_action_rows(cells: Mapping[Cell, Runs]) -> list[Record]:
    """Every number of cooperators of every cell whose task tells cooperation."""
    rows: list[Record] = []
    for cell, runs in cells.items():
        for count in range(cell.num_agents + 1):
            shares = sample(runs, share_of_cooperators(count))
            if shares.size:
                rows.append(
                    {
                        **cell_columns(cell),
                        "cooperators": count,
                        "name": PAIR_NAMES[count] if cell.num_agents == 2 else None,
                        "num_runs": int(shares.size),
                        **_interval_columns("share", interval_of(shares)),
                    }
                )
    return rows


def exchange_rows(cells: Mapping[Cell, Runs]) -> list[Record]:
    """Bytes of every kind of message; nothing for algorithms that send none."""
    return [
        {
            **cell_columns(cell),
            "kind": kind,
            "num_runs": len(runs),
            "bytes_per_agent_update": bytes_per_agent_update(runs, kind),
        }
        for cell, runs in cells.items()
        for kind in sorted({kind for run in runs for kind in run.bytes_by_kind})
    ]


def bytes_per_agent_update(runs: Runs, kind: str | None = None) -> float:
    """Mean over runs of what an agent sends in an update; of every kind when `kind` is None."""
    costs = [
        (sum(run.bytes_by_kind.values()) if kind is None else run.bytes_by_kind.get(kind, 0))
        / (run.cell.num_agents * run.num_updates)
        for run in runs
    ]
    return float(np.mean(costs))


def progress_rows(cells: Mapping[Cell, Runs], missing: Sequence[str]) -> list[Record]:
    """One row per cell asked for; `missing` are the runs without a result, as `<cell>/seed<k>`."""
    absent = Counter(Cell.of_slug(name.rpartition("/")[0]) for name in missing)
    asked = sorted(cell for cell in {*cells, *absent} if cell is not None)
    return [_progress_row(cell, cells.get(cell, ()), absent[cell]) for cell in asked]


def _progress_row(cell: Cell, runs: Runs, num_absent: int) -> Record:
    num_seeds = len(runs) + num_absent
    finished = sum(run.finished for run in runs)
    return {
        **cell_columns(cell),
        "num_seeds": num_seeds,
        "num_finished": finished,
        "num_unfinished": len(runs) - finished,
        "episodes": sum(run.episodes for run in runs) / num_seeds,
        "planned_episodes": runs[0].planned_episodes if runs else None,
        "published_episodes": TASKS[cell.task].published_episodes,
    }


def cell_columns(cell: Cell) -> Record:
    """The columns that name a cell."""
    return {name: getattr(cell, name) for name in CELL_KEY}


def _interval_columns(name: str, interval: Interval | None) -> Record:
    if interval is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    return {
        name: interval.estimate,
        f"{name}_low": interval.low,
        f"{name}_high": interval.high,
    }


def parquet_bytes(name: str, rows: Sequence[Record]) -> bytes:
    """A table as one complete Parquet file; equal rows give equal bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = arrow_schema(TABLES[name])
    facts = {**(schema.metadata or {}), b"ss.schema": TABLES_SCHEMA.encode()}
    table = pa.Table.from_pylist(list(rows), schema=schema.with_metadata(facts))
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue().to_pybytes()
