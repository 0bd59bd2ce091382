"""The page of a benchmark in the shell of all reports, from what lies in the benchmark's folder."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from paper_envs.bench.claims.verdicts import percent
from paper_envs.bench.page.chapters import (
    MARKS,
    claims_section,
    exchange_section,
    figures_section,
    made_section,
    returns_section,
)
from paper_envs.bench.page.curves import progress_section, read_times
from ss_core.errors import InputError
from ss_core.record.parquet import read_checked
from ss_core.report.charts import Bar, bar_chart
from ss_core.report.page import html_page
from ss_core.report.page_model import Chart, KeyFigure, Page, Part, Table

QUESTION = (
    "Does sharing nothing but suggestions make selfish agents cooperate as well as sharing values, "
    "policies or rewards does?"
)
FOOTER = "This file is complete in itself: it loads nothing, sends nothing, and may be mailed."
ABOUT = "page.json"
COMMAND = "ss bench paper"
MAX_BYTES = 8_000_000  # plotly is 5 MB of them
NEEDED = ("claim", "final", "curve", "exchange", "progress", "run")
Frame = Any


def bench_page(folder: Path) -> bytes:
    """The page of the benchmark in `folder`.

    Raises:
        InputError: its tables are not all there, or an earlier version's; the benchmark writes them
            at its end.
        CorruptError: a table cannot be read.
    """
    if (folder / "tables" / "claim.parquet").is_file() and not _knows_progress(folder):
        raise InputError(
            f"{folder}: the tables of an earlier version; the page that it wrote, index.html, "
            f"stays as it is, and `{_command(folder)} --fresh` runs the benchmark anew beside it"
        )
    tables = {name: _read(folder, name) for name in NEEDED}
    page = _render(folder, tables, vector=True)
    return page if len(page) <= MAX_BYTES else _render(folder, tables, vector=False)


def _render(folder: Path, tables: Mapping[str, Frame], *, vector: bool) -> bytes:
    claims, finals, about = tables["claim"], tables["final"], _about(folder)
    presets = sorted(finals["preset"].unique(), reverse=True)  # tuned first
    times = read_times(folder, tables["run"])
    sections = [claims_section(claims)]
    sections += [returns_section(finals, tables["curve"], times, preset) for preset in presets]
    sections += [progress_section(tables["progress"], times)]
    sections += [figures_section(folder, about, preset, vector=vector) for preset in presets]
    sections += [exchange_section(tables["exchange"]), made_section(about, tables["run"])]
    part = Part(
        question=QUESTION,
        verdict=_verdict(claims),
        picture=_verdicts_chart(claims) if len(claims) else None,
        figures=_figures(claims, tables["run"]),
    )
    title = f"Benchmark {about.get('profile', '')}: the paper’s experiments, run again"
    return html_page(Page(title=title, part=part, sections=tuple(sections), footer=FOOTER))


def _knows_progress(folder: Path) -> bool:
    return (folder / "tables" / "progress.parquet").is_file()


def _read(folder: Path, name: str) -> Frame:
    path = folder / "tables" / f"{name}.parquet"
    if not path.is_file():
        raise InputError(f"{path}: missing; `{_command(folder)}` writes it at its end")
    remedy = f"delete it and run `{_command(folder)}` again"
    return read_checked(path, remedy).to_pandas(ignore_metadata=True)


def _command(folder: Path) -> str:
    """The command that filled `folder` last, as far as the folder says."""
    said = _about(folder).get("command")
    known = isinstance(said, str) and said.startswith(f"{COMMAND} ") and said.isprintable()
    return f"{said if known else COMMAND} --out {folder}"


def _about(folder: Path) -> dict[str, Any]:
    """What `ss bench paper` says of the folder beside its tables; empty if it does not."""
    try:
        found = json.loads((folder / ABOUT).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _verdict(claims: Frame) -> str:
    """Tests of the paper's claims by verdict, on its tasks and on small ones; ours apart."""
    parts = [_counted(claims[claims["suite"] == suite], suite) for suite in ("paper", "small")]
    said = "; ".join(part for part in parts if part)
    if not said:
        return "No run has a result yet."
    return f"{said[:1].upper()}{said[1:]}. Each is decided by a 95 % interval over seeds."


def _counted(claims: Frame, suite: str) -> str:
    if claims.empty:
        return ""
    papers = claims[claims["source"] == "paper"]
    ours = claims[claims["source"] == "ours"]["verdict"]
    tasks = "its tasks" if suite == "paper" else "small variants of its tasks"
    own = f"{(ours == 'holds').sum()} of {len(ours)} tests of our own hold"
    if papers.empty:
        return f"{own} on {tasks}"
    counts = papers["verdict"].value_counts()
    found = [f"{counts[one]} {mark} {one}" for one, mark in MARKS.items() if one in counts]
    said = f"of {len(papers)} tests of the paper’s claims on {tasks}: {', '.join(found)}"
    return said + _span(papers) + (f" ({own})" if len(ours) else "")


def _span(papers: Frame) -> str:
    """` at 3 % to 40 % of the published episodes`, of the claims that are undecided."""
    shares = papers[papers["verdict"] == "undecided"]["published_share"].dropna()
    if shares.empty:
        return ""
    least, most = percent(float(shares.min())), percent(float(shares.max()))
    span = least if least == most else f"{least} to {most}"
    return f" at {span} of the published episodes"


def _verdicts_chart(claims: Frame) -> Chart:
    kinds = {"holds": "best", "does not hold": "limit", "undecided": "planner"}
    bars, rows = [], []
    for suite, tasks in (("paper", "paper’s tasks"), ("small", "small variants")):
        mine = claims[(claims["suite"] == suite) & (claims["source"] == "paper")]
        counts = mine["verdict"].value_counts()
        for kind, role in kinds.items() if len(mine) else ():
            count = int(counts.get(kind, 0))
            bars.append(Bar(label=f"{tasks}: {kind}", role=role, value=float(count)))  # type: ignore[arg-type]
            rows.append((tasks, kind, count))
    listed = ", ".join(f"{tasks}: {count} {kind}" for tasks, kind, count in rows)
    return Chart(
        slug="verdicts",
        title="What became of the paper’s claims",
        alt=f"Numbers of claims by verdict: {listed}.",
        panels=(bar_chart(bars, value_title="claims"),),
        table=Table(columns=("tasks", "verdict", "claims"), rows=rows),
        height_px=110 + 34 * len(bars),
    )


def _figures(claims: Frame, runs: Frame) -> tuple[KeyFigure, ...]:
    papers = claims[(claims["suite"] == "paper") & (claims["source"] == "paper")]["verdict"]
    decided = int((papers != "undecided").sum())
    holds = int((papers == "holds").sum())
    unfinished = int((runs["num_updates"] < runs["planned_updates"]).sum())
    seeds = sorted(runs["seed"].unique().tolist())
    return (
        KeyFigure(
            label="Claims of the paper decided",
            value=f"{decided} of {len(papers)}",
            detail=f"{holds} hold",
        ),
        KeyFigure(
            label="Runs",
            value=str(len(runs)),
            detail=f"{unfinished} of them unfinished" if unfinished else "",
        ),
        KeyFigure(label="Seeds", value=str(len(seeds)), detail=", ".join(map(str, seeds[:8]))),
    )
