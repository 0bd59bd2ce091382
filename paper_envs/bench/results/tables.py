"""`ss.bench.tables/1`: the tables of a benchmark, and how they become Parquet files.

Rows are plain records; unit and description of every column stand in the field metadata, as in the
traces of a run. Null means not applicable.
"""

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
from ss_core.record.schema import Column, Table, arrow_schema
from ss_core.statistics import Interval

TABLES_SCHEMA = "ss.bench.tables/1"

Record = dict[str, Any]

CELL_KEY = ("task", "num_agents", "preset", "algorithm", "variant")
CELL = (
    Column("task", "string", "", "name of the task"),
    Column("num_agents", "int32", "1", "number of agents"),
    Column("preset", "string", "", "hyper-parameters: paper (as published) or tuned (ours)"),
    Column("algorithm", "string", "", "name of the algorithm"),
    Column("variant", "string", "", "change to the preset; empty for none"),
)
SETTING = CELL[:3]
SEED = Column("seed", "int32", "1", "seed of the run")
RUNS = Column("num_runs", "int32", "1", "runs, that is seeds")
RETURN_UNIT = "1/step"

# ruff: noqa: E501
# fmt: off
_TABLES = (  # one line per column, however long
    Table("run", "a training run and its evaluation", "kpi", (*CELL_KEY, "seed"), (
        *CELL,
        SEED,
        Column("num_updates", "int32", "1", "learner updates"),
        Column("num_envs", "int32", "1", "episodes per update"),
        Column("final_return", "float64", RETURN_UNIT, "averaged return: external reward per agent and step, mean of the evaluation episodes"),
        Column("training_return", "float64", RETURN_UNIT, "averaged return, mean over the whole training (area under the learning curve)"),
        Column("lowest_agent_return", "float64", RETURN_UNIT, "the agent with least, mean of the evaluation episodes", "private"),
        Column("highest_agent_return", "float64", RETURN_UNIT, "the agent with most, mean of the evaluation episodes", "private"),
        Column("exchanged_bytes", "int64", "B", "sent by all agents together over the whole training", "exchanged"),
    )),
    Table("curve", "a value at one point of a learning curve", "kpi", (*CELL_KEY, "seed", "update", "name"), (
        *CELL,
        SEED,
        Column("update", "int32", "1", "learner updates done"),
        Column("episode", "int64", "1", "training episodes done"),
        Column("name", "string", "", "averaged_return, rate_all, rate_mixed, rate_none, suggestion_mse or suggested_cooperation"),
        Column("value", "float64", "1", "mean over the updates since the point before"),
    )),
    Table("final", "the final returns of a cell", "kpi", CELL_KEY, (
        *CELL,
        RUNS,
        Column("iqm", "float64", RETURN_UNIT, "interquartile mean over seeds of the final averaged return"),
        Column("iqm_low", "float64", RETURN_UNIT, "lower end of its 95 % bootstrap interval"),
        Column("iqm_high", "float64", RETURN_UNIT, "upper end of its 95 % bootstrap interval"),
        Column("mean", "float64", RETURN_UNIT, "mean over seeds"),
        Column("normalised", "float64", "1", "iqm with 0 at the worst and 1 at the best algorithm of the task, size and preset; null where they are level"),
        Column("normalised_low", "float64", "1", "lower end of its 95 % bootstrap interval"),
        Column("normalised_high", "float64", "1", "upper end of its 95 % bootstrap interval"),
    )),
    Table("improvement", "SS against a rival, or against a variant of itself", "kpi", ("task", "num_agents", "preset", "rival", "rival_variant"), (
        *SETTING,
        Column("rival", "string", "", "algorithm SS is compared with"),
        Column("rival_variant", "string", "", "its variant; empty for none"),
        RUNS,
        Column("num_rival_runs", "int32", "1", "runs of the rival"),
        Column("probability", "float64", "1", "chance that a run of SS ends higher than one of the rival; a tie counts half"),
        Column("probability_low", "float64", "1", "lower end of its 95 % bootstrap interval"),
        Column("probability_high", "float64", "1", "upper end of its 95 % bootstrap interval"),
        Column("difference", "float64", RETURN_UNIT, "interquartile mean of SS less that of the rival"),
        Column("difference_low", "float64", RETURN_UNIT, "lower end of its 95 % bootstrap interval"),
        Column("difference_high", "float64", RETURN_UNIT, "upper end of its 95 % bootstrap interval"),
    )),
    Table("joint_action", "how often k agents cooperate", "kpi", (*CELL_KEY, "cooperators"), (
        *CELL,
        Column("cooperators", "int32", "1", "k: agents that cooperate in a step"),
        Column("name", "string", "", "D-D, C-D or C-C with two agents, else null"),
        RUNS,
        Column("share", "float64", "1", "share of the evaluation's steps, interquartile mean over seeds"),
        Column("share_low", "float64", "1", "lower end of its 95 % bootstrap interval"),
        Column("share_high", "float64", "1", "upper end of its 95 % bootstrap interval"),
    )),
    Table("exchange", "what a kind of message costs in a cell", "kpi", (*CELL_KEY, "kind"), (
        *CELL,
        Column("kind", "string", "", "kind of message"),
        RUNS,
        Column("bytes_per_agent_update", "float64", "B", "sent per agent and update, mean over runs", "exchanged"),
    )),
    Table("claim", "a claim under one preset", "kpi", ("claim", "preset", "suite", "task"), (
        Column("claim", "string", "", "short name of the claim"),
        Column("preset", "string", "", "hyper-parameters"),
        Column("suite", "string", "", "paper (its tasks) or small (small variants of them)"),
        Column("task", "string", "", "the task, or all"),
        Column("source", "string", "", "paper or ours: who claims it"),
        Column("statement", "string", "", "what is claimed"),
        Column("test", "string", "", "what decides"),
        Column("verdict", "string", "", "holds, does not hold, undecided or not run"),
        Column("figures", "string", "", "the estimates and intervals that decided"),
        Column("beside", "string", "", "more estimates and intervals, which do not decide"),
        Column("note", "string", "", "what to know beside them"),
        Column("num_runs", "int32", "1", "fewest seeds of a cell that the verdict rests on"),
    )),
)
# fmt: on

TABLES: dict[str, Table] = {table.name: table for table in _TABLES}
PAIR_NAMES = ("D-D", "C-D", "C-C")


def run_rows(cells: Mapping[Cell, Runs]) -> list[Record]:
    """One row per run."""
    return [
        {
            **cell_columns(cell),
            "seed": run.seed,
            "num_updates": run.num_updates,
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
            rows.append(_final_row(cell, values, scale))
    return rows


def _final_row(cell: Cell, values: np.ndarray, scale: Scale | None) -> Record:
    normalised = None if scale is None else interval_of(scale.normalised(values))
    return {
        **cell_columns(cell),
        "num_runs": int(values.size),
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
