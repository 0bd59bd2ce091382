"""Everything a benchmark shows for its runs: tables, figures, claims, one page, and a summary.

tables/<name>.parquet     see `results/schema.py`
figures/<name>.png|.svg   see `figures/figures.py`
page.json                 what the page says beside them
index.html                see `page/report.py`
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from paper_envs.bench.claims.claims import judge_claims
from paper_envs.bench.claims.evidence import MIN_RUNS, shown
from paper_envs.bench.claims.verdicts import Claim
from paper_envs.bench.figures.figures import draw_figures
from paper_envs.bench.figures.style import Figure, algorithm_series
from paper_envs.bench.page.report import ABOUT, bench_page
from paper_envs.bench.results.comparisons import (
    Runs,
    Suite,
    by_cell,
    interval_of,
    sample,
    suites_of,
)
from paper_envs.bench.results.results import Cell, RunResult
from paper_envs.bench.results.tables import (
    Record,
    curve_rows,
    exchange_rows,
    final_rows,
    improvement_rows,
    joint_action_rows,
    parquet_bytes,
    progress_rows,
    run_rows,
)
from ss_core.record.atomic import atomic_write, json_bytes
from ss_core.record.provenance import environment_facts


def write_outputs(
    results: Sequence[RunResult],
    out: Path,
    *,
    profile: str,
    command: str,
    missing: Sequence[str],
) -> dict[str, Any]:
    """Write all outputs below `out`; equal results give equal bytes.

    Returns `tables` (title → records) and `notes` for the terminal.

    Raises:
        InputError: two results of one cell and seed.
        ResourceError: the disk refused.
    """
    cells = by_cell(results)
    suites = suites_of(cells)
    claims = judge_claims(suites)
    figures = draw_figures(suites)
    written = _write_tables(out, cells, suites, claims, missing)
    _write_figures(out, figures)
    about = {
        "command": command,
        "profile": profile,
        "seeds": sorted({run.seed for run in results}),
        "versions": _versions(),
        "missing": list(missing),
        "tables": written,
        "figures": [_words(figure, suites) for figure in figures],
    }
    atomic_write(out / ABOUT, json_bytes(about))
    atomic_write(out / "index.html", bench_page(out))
    return {"tables": _terminal_tables(suites, claims), "notes": _notes(cells, claims, out)}


def _write_tables(
    out: Path,
    cells: Mapping[Cell, Runs],
    suites: Sequence[Suite],
    claims: Sequence[Claim],
    missing: Sequence[str],
) -> list[str]:
    tables: dict[str, list[Record]] = {
        "run": run_rows(cells),
        "curve": curve_rows(cells),
        "final": [row for suite in suites for row in final_rows(suite)],
        "improvement": [row for suite in suites for row in improvement_rows(suite)],
        "joint_action": joint_action_rows(cells),
        "exchange": exchange_rows(cells),
        "progress": progress_rows(cells, missing),
        "claim": [asdict(claim) for claim in claims],
    }
    for name, rows in tables.items():
        atomic_write(out / "tables" / f"{name}.parquet", parquet_bytes(name, rows))
    return [f"tables/{name}.parquet" for name in tables]


def _write_figures(out: Path, figures: Sequence[Figure]) -> None:
    """Publish the figures; those of an earlier, larger selection go."""
    folder = out / "figures"
    wanted = {f"{figure.name}.{ending}" for figure in figures for ending in ("png", "svg")}
    for leftover in sorted(folder.glob("fig*")):
        if leftover.name not in wanted:
            leftover.unlink()
    for figure in figures:
        atomic_write(folder / f"{figure.name}.png", figure.png)
        atomic_write(folder / f"{figure.name}.svg", figure.svg)


def _words(figure: Figure, suites: Sequence[Suite]) -> dict[str, str]:
    """What the page says of a figure."""
    preset = next(suite.preset for suite in suites if suite.title == figure.suite)
    words = {"title": figure.title, "alt": figure.alt, "caption": figure.caption}
    return {"name": figure.name, "preset": preset, **words}


def _returns(suite: Suite) -> list[dict[str, str]]:
    """One row per algorithm, one column per task: interquartile mean and interval."""
    columns: dict[str, dict[str, str]] = {}
    for task in suite.tasks:
        size = suite.size(task)
        if size is not None:
            columns[f"{task} ({size})"] = {
                one.style.title: _cell(one.runs)
                for one in algorithm_series(suite.algorithms(task, size))
            }
    present = {title for column in columns.values() for title in column}
    order = [one.style.title for one in algorithm_series(dict.fromkeys(_all_names(suite), ()))]
    return [
        {"algorithm": title, **{name: column.get(title, "–") for name, column in columns.items()}}
        for title in order
        if title in present
    ]


def _all_names(suite: Suite) -> set[str]:
    return {cell.algorithm for cell in suite.cells}


def _cell(runs: Runs) -> str:
    interval = interval_of(sample(runs))
    if interval is None:
        return "–"
    unfinished = sum(not run.finished for run in runs)
    return f"{shown(interval)}{f' ({unfinished} unfinished)' if unfinished else ''}"


def _terminal_tables(suites: Sequence[Suite], claims: Sequence[Claim]) -> dict[str, list[Record]]:
    tables: dict[str, list[Record]] = {}
    for suite in suites:
        returns = f"final averaged return, preset {suite.title}: interquartile mean [95 % interval]"
        tables[returns] = list(_returns(suite))
    for suite, title in (("paper", "claims"), ("small", "claims, on small variants")):
        rows = [_claim_row(claim) for claim in claims if claim.suite == suite]
        if rows:
            tables[title] = rows
    return tables


def _claim_row(claim: Claim) -> Record:
    return {
        "claim": claim.claim if claim.source == "paper" else f"{claim.claim} (ours)",
        "task": claim.task,
        "preset": claim.preset,
        "verdict": claim.words,
        "figures": claim.figures,
    }


def _notes(cells: Mapping[Cell, Runs], claims: Sequence[Claim], out: Path) -> list[str]:
    of_paper = [claim for claim in claims if (claim.source, claim.suite) == ("paper", "paper")]
    counts = {
        verdict: sum(claim.verdict == verdict for claim in of_paper)
        for verdict in ("holds", "does not hold", "undecided")
    }
    listed = ", ".join(f"{verdict}: {count}" for verdict, count in counts.items())
    notes = [f"claims of the paper, {listed}", f"open {out / 'index.html'} for figures and tests"]
    fewest = min((len(runs) for runs in cells.values()), default=0)
    if 0 < fewest < MIN_RUNS:
        notes.append(f"conditions with {fewest} seeds: their intervals are too narrow")
    return notes


def _versions() -> dict[str, str | None]:
    facts = environment_facts()
    return {"Python": facts["python"], **facts["packages"]}
