"""Chapters of a benchmark's page: claims, returns, figures, messages, how it was made."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from paper_envs.bench.claims.evidence import shown
from paper_envs.bench.claims.verdicts import verdict_words
from paper_envs.bench.page.curves import Times, curves_chart, role, time_chart
from paper_envs.bench.page.suites import by_suite
from paper_envs.training.page import LABELS
from ss_core.algorithms.names import ALGORITHM_LABELS
from ss_core.report.charts import Bar, bar_chart
from ss_core.report.labels import title_of
from ss_core.report.page import prose
from ss_core.report.page_model import Chart, Code, Item, Picture, Section, Table, Text
from ss_core.statistics import Interval

Frame = Any
MARKS = {"holds": "✓", "does not hold": "✗", "undecided": "?"}
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,99}")  # of a figure's files
RULES = (
    "Returns are external rewards per agent and step, measured in evaluation episodes after "
    "training, or where an unfinished run was stopped. Estimates are interquartile means over "
    "seeds, intervals 95 % percentile bootstrap intervals over seeds. A claim holds when its whole "
    "interval lies on the claimed side, does not hold when it lies on the other side, and is "
    "undecided otherwise, or with fewer than five seeds, or with runs that are not finished. The "
    "published episodes of a claim: training episodes done by the runs that it compares, as a "
    "share of the paper’s number, mean over both sides of each comparison and five seeds; what was "
    "not run counts as none. In a simulation without a true difference, five seeds put the whole "
    "interval above 0 in about 3 % of cases (2.5 % would be exact), three seeds in 10 %. Claims "
    "about all tasks are a mean over those that were run, each counted alike; their figures begin "
    "with which these are. Claims of being level, or of a small number, are undecided where "
    "nothing has been learned."
)


def claims_section(claims: Frame) -> Section:
    """Every claim with what decided it; on the paper's tasks and, apart, on small ones."""
    captions = {"paper": "On tasks of the paper", "small": "On small variants of them"}
    tables = [
        _claims_table(claims[claims["suite"] == suite], caption)
        for suite, caption in captions.items()
        if (claims["suite"] == suite).any()
    ]
    return Section(
        slug="claims",
        title="Claims",
        intro="A claim holds when its whole interval lies on the claimed side, does not when it "
        "lies on the other, and is undecided otherwise, with fewer than five seeds, or with "
        "unfinished runs. Where our preset was run on a task it decides, else the paper’s.",
        items=tuple(tables) or (Text("Nothing was run."),),
    )


def _claims_table(mine: Frame, caption: str) -> Table:
    presets = mine["preset"].unique()
    alike = len(presets) == 1
    return Table(
        columns=("claim", "task", "verdict", "figures", "decided by", "note"),
        rows=[_claim_row(one, "" if alike else one.preset) for one in mine.itertuples()],
        caption=f"{caption}, preset {presets[0]}" if alike else f"{caption}; preset by the task",
    )


def _claim_row(one: Any, preset: str) -> tuple[str, ...]:
    ours = " (ours)" if one.source == "ours" else ""
    share = None if np.isnan(one.published_share) else float(one.published_share)
    verdict = f"{MARKS.get(one.verdict, '')} {verdict_words(one.verdict, share)}"
    notes = "; ".join(part for part in (prose(one.beside), one.note) if part)
    task = f"{one.task} ({preset})" if preset else one.task
    return (f"{one.statement}{ours}", task, verdict, prose(one.figures), one.test, notes)


def returns_section(finals: Frame, curves: Frame, times: Times, preset: str) -> Section:
    """Final returns of every algorithm, in one table and task by task, with learning curves."""
    mine = finals[(finals["preset"] == preset) & (finals["variant"] == "")]
    items: list[Item] = [_returns_table(part, title) for title, part in by_suite(mine)]
    for (task, agents), group in mine.groupby(["task", "num_agents"], sort=True):
        slug = f"{preset}-{task}-{agents}"
        items.append(_finals_chart(group, f"{task} with {agents} agents", f"final-{slug}"))
        chosen = curves[
            (curves["preset"] == preset)
            & (curves["task"] == task)
            & (curves["num_agents"] == agents)
            & (curves["variant"] == "")
            & (curves["name"] == "averaged_return")
        ]
        if len(chosen):
            where = f"{task} with {agents} agents"
            items += curves_chart(chosen, where, f"curve-{slug}")
            items += time_chart(chosen, times, where, f"time-{slug}")
    return Section(
        slug=f"returns-{preset}",
        title=f"Returns, preset {preset}",
        intro="External rewards per agent and step in evaluation episodes after training, of "
        "unfinished runs as far as they came: interquartile mean over seeds, whiskers 95 % "
        "bootstrap intervals.",
        items=tuple(items) or (Text("Nothing was run."),),
    )


def _returns_table(mine: Frame, suite: str) -> Table:
    """A row per algorithm, a column per task: interquartile mean and interval."""
    found = {
        (one.algorithm, (one.task, int(one.num_agents))): _final_words(one)
        for one in mine.itertuples()
        if np.isfinite(one.iqm)
    }
    places = sorted({place for _, place in found})
    rows = [
        (title_of(LABELS, name), *(found.get((name, place), "–") for place in places))
        for name in ALGORITHM_LABELS
        if any(algorithm == name for algorithm, _ in found)
    ]
    return Table(
        columns=("algorithm", *(f"{task} ({agents})" for task, agents in places)),
        rows=rows,
        caption=f"Final averaged return, {suite}: interquartile mean over seeds [95 % interval]",
    )


def _final_words(one: Any) -> str:
    words = prose(shown(_interval(one)))
    return f"{words} ({one.num_unfinished} unfinished)" if one.num_unfinished else words


def _interval(one: Any) -> Interval:
    return Interval(estimate=one.iqm, low=one.iqm_low, high=one.iqm_high)


def _finals_chart(group: Frame, where: str, slug: str) -> Chart:
    order = {name: at for at, name in enumerate(ALGORITHM_LABELS)}
    group = group.sort_values("algorithm", key=lambda names: names.map(order))
    bars = [
        Bar(
            label=_finals_label(one), role=role(one.algorithm),
            value=float(one.iqm), low=float(one.iqm_low), high=float(one.iqm_high),
        )
        for one in group.itertuples()
    ]  # fmt: skip
    listed = ", ".join(f"{one.label} {one.value:.3g}" for one in bars)
    return Chart(
        slug=slug,
        title=f"Final averaged return in {where}",
        alt=f"Final averaged return in {where}: {listed}.",
        panels=(bar_chart(bars, value_title="averaged return per agent and step"),),
        table=Table(
            columns=("algorithm", "averaged return", "from", "to", "seeds"),
            rows=[
                (one.label, one.value, one.low, one.high, int(count))
                for one, count in zip(bars, group["num_runs"], strict=True)
            ],
        ),
        height_px=110 + 34 * len(bars),
    )


def _finals_label(one: Any) -> str:
    """An algorithm, and how many of its runs are unfinished."""
    name = title_of(LABELS, one.algorithm)
    return f"{name} ({one.num_unfinished} unfinished)" if one.num_unfinished else name


def exchange_section(exchange: Frame) -> Section:
    """Bytes by kind of message."""
    columns = (
        *("task", "agents", "preset", "algorithm", "variant", "what"),
        "kB per agent and update",
    )
    tables = [
        Table(
            columns=columns, rows=[_exchange_row(one) for one in part.itertuples()], caption=title
        )
        for title, part in by_suite(exchange)
    ]
    return Section(
        slug="exchange",
        title="What each algorithm exchanges",
        items=tuple(tables) or (Text("Nothing was sent."),),
    )


def _exchange_row(one: Any) -> tuple[str | int | float, ...]:
    return (
        one.task, int(one.num_agents), one.preset, title_of(LABELS, one.algorithm), one.variant,
        one.kind, float(one.bytes_per_agent_update) / 1e3,
    )  # fmt: skip


def figures_section(
    folder: Path, about: Mapping[str, Any], preset: str, *, vector: bool
) -> Section:
    """The paper's figures, drawn again: as lines, or each in its smaller form."""
    pictures = [
        Picture(
            slug=path.stem,
            title=str(one.get("title", "")),
            alt=str(one.get("alt", "")),
            kind="png" if path.suffix == ".png" else "svg+xml",
            data=path.read_bytes(),
            caption=str(one.get("caption", "")),
        )
        for one in about.get("figures", ())
        if one.get("preset") == preset
        and (path := _figure_file(folder, str(one.get("name", "")), vector=vector))
    ]
    return Section(
        slug=f"figures-{preset}",
        title=f"Figures, preset {preset}",
        items=tuple(pictures) or (Text("No figure was drawn."),),
    )


def _figure_file(folder: Path, name: str, *, vector: bool) -> Path | None:
    endings = ("svg",) if vector else ("svg", "png")
    files = [folder / "figures" / f"{name}.{ending}" for ending in endings]
    present = [path for path in files if NAME.fullmatch(name) and path.is_file()]
    return min(present, key=lambda path: path.stat().st_size, default=None)


def made_section(about: Mapping[str, Any], runs: Frame) -> Section:
    """Rules, command, versions, files, what is missing, and every run."""
    seeds = ", ".join(map(str, about.get("seeds", ()))) or "none"
    versions = about.get("versions", {}).items()
    said = [
        ("profile", str(about.get("profile", ""))),
        ("runs", str(len(runs))),
        ("seeds", seeds),
        ("versions", ", ".join(f"{name} {version or 'absent'}" for name, version in versions)),
        ("tables, with unit and meaning of every column", ", ".join(about.get("tables", ()))),
    ]
    return Section(
        slug="made",
        title="How this was made",
        items=(
            Text(RULES),
            Table(columns=("what", "value"), rows=said),
            Text(
                "The last of the commands that filled this folder; others may have run other "
                "conditions or seeds of it:"
            ),
            Code(str(about.get("command", ""))),
            *_missing(about.get("missing", ()), runs),
            *_every_run(runs),
        ),
    )


def _every_run(runs: Frame) -> list[Table]:
    columns = (
        *("task", "agents", "preset", "algorithm", "variant", "seed", "updates", "episodes"),
        "final return",
    )
    return [
        Table(
            columns=columns,
            rows=[_run_row(one) for one in part.itertuples()],
            caption=f"Every run, {title}",
        )
        for title, part in by_suite(runs)
    ]


def _run_row(one: Any) -> tuple[str | int | float, ...]:
    return (
        one.task, int(one.num_agents), one.preset, title_of(LABELS, one.algorithm), one.variant,
        int(one.seed), _updates(one), int(one.num_updates * one.num_envs), float(one.final_return),
    )  # fmt: skip


def _updates(one: Any) -> str:
    """Updates done, and of how many if the run is not finished."""
    if one.num_updates >= one.planned_updates:
        return f"{one.num_updates}"
    return f"unfinished: {one.num_updates} of {one.planned_updates}"


def _missing(names: Sequence[str], runs: Frame) -> tuple[Item, ...]:
    """Runs without a result; if all have one, how many of them are not finished."""
    if not names:
        unfinished = int((runs["num_updates"] < runs["planned_updates"]).sum())
        ends = f", {unfinished} of them before its end" if unfinished else ""
        return (Text(f"Every run that was asked for has a result{ends}."),)
    return (Table(columns=("run without a result",), rows=[(str(one),) for one in names]),)
