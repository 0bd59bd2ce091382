"""A study from its plan to its page: runs, data set, what they say, and what they took."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ss_core.experiments.studies.answer import answer_of, table_of, verdict_of
from ss_core.experiments.studies.page import study_page
from ss_core.experiments.studies.results import (
    RESULTS,
    StudyResults,
    collect,
    statement_of,
    write_results,
)
from ss_core.experiments.studies.runs import (
    LOGS,
    Pool,
    StudyProgress,
    bytes_below,
    carry_out_runs,
    cost_of,
)
from ss_core.experiments.studies.spec import StudyRun, StudySpec
from ss_core.processes.engines import carry_out_tasks
from ss_core.processes.pool import FAILURE_LOG, Failure
from ss_core.record.atomic import atomic_write, json_bytes
from ss_core.record.locks import acquire_lock
from ss_core.scenario.protocol import Scenario

SPEC_FILE, SUMMARY_FILE, TIMING_FILE = "study.toml", "study.json", "timing.json"
PAGE_FILE = "report.html"
STUDY_SCHEMA = "ss.study/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A study that is ready to run."""

    spec: StudySpec
    source: bytes  # the file that describes it
    plan: Sequence[StudyRun]
    scenario: Scenario
    out: Path


def run_study(
    study: Study,
    workers: int,
    show: Callable[[StudyProgress], None],
    pool: Pool = carry_out_tasks,
) -> dict[str, Any]:
    """Carry out what is not complete, and write what all runs say; returns the summary.

    Raises:
        ConfigError: the study asks about a key figure that no run has; the runs are kept.
        InputError: plotly is missing; all but the page is written.
        RunLockedError: another process works in that folder.
        Interrupted, ResourceError: what was done is kept; the same command continues.
    """
    lock = acquire_lock(study.out)
    try:
        atomic_write(study.out / SPEC_FILE, study.source)
        started_s = time.monotonic()
        failures = carry_out_runs(study.plan, study.scenario, study.out, workers, show, pool)
        took_s = time.monotonic() - started_s
        results = collect(study.spec, study.plan, study.scenario, study.out, failures)
        write_results(results, study.out)
        atomic_write(study.out / TIMING_FILE, json_bytes(_timing(study, workers, took_s)))
        summary = summary_of(study, results, failures)
        atomic_write(study.out / SUMMARY_FILE, json_bytes(summary))
        text = study.source.decode(errors="replace")
        statement = statement_in(study, results, "")
        page = study_page(results, study.scenario, text, statement)
        atomic_write(study.out / PAGE_FILE, page)
    finally:
        lock.release()
    return {**summary, "statement": statement_in(study, results, f"{study.out}/")}


def statement_in(study: Study, results: StudyResults, root: str) -> str:
    """The line of SQL that answers the study's question; empty where no run is complete."""
    if not results.rows:
        return ""
    answer = answer_of(results, study.scenario)
    return statement_of(results, answer.figure, list(answer.series), root)


def summary_of(study: Study, results: StudyResults, failures: Sequence[Failure]) -> dict[str, Any]:
    """What a program reads: a function of the study's file and seeds alone."""
    failed = {one.task: one.reason for one in failures}
    answered = {"verdict": "", "tables": {}}
    if results.rows:
        answer = answer_of(results, study.scenario)
        answered = {
            "verdict": verdict_of(results, study.scenario, answer),
            "tables": table_of(study.scenario, answer),
        }
    return {
        "schema": STUDY_SCHEMA,
        "study": study.spec.name,
        "command": study.spec.command,
        "runs": len(study.plan),
        "complete": len(study.plan) - len(failed),
        "failed": [
            {"run": name, "reason": reason, "log": f"{LOGS}/{name}/{FAILURE_LOG}"}
            for name, reason in failed.items()
        ],
        "axes": study.spec.columns,
        "data": f"{RESULTS}/**/*.parquet",
        **answered,
    }


def _timing(study: Study, workers: int, took_s: float) -> dict[str, Any]:
    """What the study took, as far as it is known: this time, and run by run."""
    costs = [cost_of(study.out, run.name) for run in study.plan]
    return {
        "wall_s": round(took_s, 1),
        "workers": workers,
        "run_s": {
            run.name: cost.get("wall_s") for run, cost in zip(study.plan, costs, strict=True)
        },
        "process_bytes": max((cost.get("process_bytes", 0) for cost in costs), default=0),
        "disk_bytes": bytes_below(study.out),
    }
