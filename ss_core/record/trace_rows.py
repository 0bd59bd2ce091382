"""Rows that every world writes alike: the run itself, and its key figures."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from ss_core.record.provenance import installed_version
from ss_core.record.schema import TRACE_SCHEMA
from ss_core.record.trace_writer import TraceWriter


class Summarised(Protocol):
    """A key figure over independent samples."""

    @property
    def mean(self) -> float: ...
    @property
    def ci_low(self) -> float: ...
    @property
    def ci_high(self) -> float: ...
    @property
    def num_days(self) -> int: ...


def write_run(
    writer: TraceWriter,
    *,
    task: str,
    algorithm: str,
    num_agents: int,
    num_updates: int,
    config_sha256: str,
) -> None:
    """The `run` table."""
    writer.write(
        "run",
        {
            "task": task,
            "algorithm": algorithm,
            "n_agent": [num_agents],
            "n_update": num_updates,
            "config_sha256": config_sha256,
            "code_version": installed_version() or "unknown",
            "trace_schema": TRACE_SCHEMA,
        },
    )


def write_kpis(
    writer: TraceWriter,
    algorithm: str,
    figures: Mapping[str, Summarised],
    baseline: Mapping[str, Summarised],
    *,
    scope: str,
    method: str,
    units: Mapping[str, str],
) -> None:
    """Rows of the `kpi` table; `units` gives the unit by the ending of a figure's name."""
    names = list(figures)
    if not names:
        return
    base = np.array([baseline[k].mean if k in baseline else np.nan for k in names])
    value = np.array([figures[k].mean for k in names])
    with np.errstate(divide="ignore", invalid="ignore"):
        delta = np.where(np.abs(base) > 0, 100.0 * (value - base) / np.abs(base), np.nan)
    writer.write(
        "kpi",
        {
            "algorithm": algorithm,
            "kpi": names,
            "scope": scope,
            "value": value,
            "unit": [unit_of(k, units) for k in names],
            "baseline_value": base,
            "delta_percent": delta,
            "ci_low": [figures[k].ci_low for k in names],
            "ci_high": [figures[k].ci_high for k in names],
            "n": [figures[k].num_days for k in names],
            "method": method,
        },
    )


def unit_of(kpi: str, units: Mapping[str, str]) -> str:
    """Unit of a figure, from its name; 1 for a pure number."""
    return next((unit for ending, unit in units.items() if kpi.endswith(ending)), "1")
