"""The page of a benchmark in the shell of all reports, from the benchmark's tables alone."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from paper_envs.training.page import LABELS
from ss_core.errors import InputError
from ss_core.record.parquet import read_checked
from ss_core.report.charts import Bar, Series, bar_chart, line_chart
from ss_core.report.labels import role_of, title_of
from ss_core.report.page import html_page
from ss_core.report.page_model import Chart, Item, KeyFigure, Page, Part, Section, Table, Text

QUESTION = (
    "Does sharing nothing but suggestions make selfish agents cooperate as well as sharing values, "
    "policies or rewards does?"
)
FOOTER = "This file is complete in itself: it loads nothing and sends nothing. index.html has more."
NEEDED = ("claim", "final", "curve", "exchange", "run")
Frame = Any


def bench_page(folder: Path) -> bytes:
    """The page of the benchmark in `folder`.

    Raises:
        InputError: its tables are not all there; the benchmark writes them at its end.
        CorruptError: a table cannot be read.
    """
    tables = {name: _read(folder, name) for name in NEEDED}
    claims, finals = tables["claim"], tables["final"]
    presets = sorted(finals["preset"].unique(), reverse=True)  # tuned first
    sections = [_claims_section(claims, preset) for preset in presets]
    sections += [_returns_section(finals, tables["curve"], preset) for preset in presets]
    sections.append(_exchange_section(tables["exchange"]))
    sections.append(_made_section(folder, tables["run"]))
    part = Part(
        question=QUESTION,
        verdict=_verdict(claims, presets),
        picture=_verdicts_chart(claims, presets),
        figures=_figures(claims, tables["run"], presets),
    )
    title = f"Benchmark {_facts(folder).get('profile', '')}: the paper’s experiments, run again"
    return html_page(Page(title=title, part=part, sections=tuple(sections), footer=FOOTER))


def _read(folder: Path, name: str) -> Frame:
    path = folder / "tables" / f"{name}.parquet"
    if not path.is_file():
        raise InputError(f"{path}: missing; `ss bench paper --out {folder}` writes it at its end")
    remedy = f"delete it and run the same `ss bench paper --out {folder}` again"
    return read_checked(path, remedy).to_pandas(ignore_metadata=True)


def _facts(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / "bench.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _verdict(claims: Frame, presets: Sequence[str]) -> str:
    parts = []
    for preset in presets:
        ours = claims[(claims["preset"] == preset) & (claims["source"] == "paper")]
        counts = ours["verdict"].value_counts()
        parts.append(
            f"under the preset {preset} {counts.get('holds', 0)} of the paper’s claims hold, "
            f"{counts.get('does not hold', 0)} do not, {counts.get('undecided', 0)} are undecided"
        )
    said = "; ".join(parts)
    return f"{said[:1].upper()}{said[1:]}. Each is decided by a 95 % interval over seeds."


def _verdicts_chart(claims: Frame, presets: Sequence[str]) -> Chart:
    kinds = {
        "holds": "best",
        "does not hold": "limit",
        "undecided": "planner",
        "not run": "uncontrolled",
    }
    bars, rows = [], []
    for preset in presets:
        counts = claims[claims["preset"] == preset]["verdict"].value_counts()
        for kind, role in kinds.items():
            count = int(counts.get(kind, 0))
            bars.append(Bar(label=f"{preset}: {kind}", role=role, value=float(count)))  # type: ignore[arg-type]
            rows.append((preset, kind, count))
    listed = ", ".join(f"{preset}: {count} {kind}" for preset, kind, count in rows)
    return Chart(
        slug="verdicts",
        title="How many claims hold, under our settings and under the paper’s",
        alt=f"Numbers of claims by verdict: {listed}.",
        panels=(bar_chart(bars, value_title="claims"),),
        table=Table(columns=("preset", "verdict", "claims"), rows=rows),
        height_px=320,
    )


def _figures(claims: Frame, runs: Frame, presets: Sequence[str]) -> tuple[KeyFigure, ...]:
    def holding(preset: str) -> KeyFigure:
        mine = claims[(claims["preset"] == preset) & (claims["verdict"] != "not run")]
        holds = int((mine["verdict"] == "holds").sum())
        detail = f"of {len(mine)} that were tested"
        return KeyFigure(label=f"Claims that hold, {preset}", value=str(holds), detail=detail)

    seeds = sorted(runs["seed"].unique().tolist())
    return (
        *(holding(preset) for preset in presets[:2]),
        KeyFigure(label="Runs", value=str(len(runs))),
        KeyFigure(label="Seeds", value=str(len(seeds)), detail=", ".join(map(str, seeds[:8]))),
    )


def _claims_section(claims: Frame, preset: str) -> Section:
    mine = claims[claims["preset"] == preset]
    rows = [
        (one.statement, one.task, one.verdict, one.figures, one.test, one.note)
        for one in mine.itertuples()
    ]
    return Section(
        slug=f"claims-{preset}",
        title=f"Claims, preset {preset}",
        intro="A claim holds when its whole interval lies on the claimed side, does not when it "
        "lies on the other, and is undecided otherwise or with fewer than five seeds.",
        items=(
            Table(columns=("claim", "task", "verdict", "figures", "decided by", "note"), rows=rows),
        ),
    )


def _returns_section(finals: Frame, curves: Frame, preset: str) -> Section:
    mine = finals[(finals["preset"] == preset) & (finals["variant"] == "")]
    items: list[Item] = []
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
            items.append(_curves_chart(chosen, f"{task} with {agents} agents", f"curve-{slug}"))
    return Section(
        slug=f"returns-{preset}",
        title=f"Returns, preset {preset}",
        intro="External rewards per agent and step in evaluation episodes after training: "
        "interquartile mean over seeds, whiskers 95 % bootstrap intervals.",
        items=tuple(items) or (Text("Nothing was run."),),
    )


def _finals_chart(group: Frame, where: str, slug: str) -> Chart:
    order = {name: at for at, name in enumerate(LABELS)}
    group = group.sort_values("algorithm", key=lambda names: names.map(order))
    bars = [
        Bar(
            label=title_of(LABELS, one.algorithm), role=role_of(LABELS, one.algorithm),
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


def _curves_chart(chosen: Frame, where: str, slug: str) -> Chart:
    series, rows = [], []
    for name in LABELS:
        mine = chosen[chosen["algorithm"] == name]
        if mine.empty:
            continue
        by_episode = mine.groupby("episode")["value"]
        middle, low, high = by_episode.median(), by_episode.min(), by_episode.max()
        x = middle.index.to_numpy(dtype=float)
        series.append(
            Series(
                name=title_of(LABELS, name), role=role_of(LABELS, name), x=x,
                y=middle.to_numpy(), low=low.to_numpy(), high=high.to_numpy(),
            )
        )  # fmt: skip
        rows += [
            (title_of(LABELS, name), float(a), float(b), float(c), float(d))
            for a, b, c, d in zip(x, middle, low, high, strict=True)
        ]
    ends = ", ".join(f"{one.name} {np.asarray(one.y)[-1]:.3g}" for one in series)
    return Chart(
        slug=slug,
        title=f"How training went in {where}",
        alt=f"Averaged return over episodes in {where}; at the end {ends}.",
        panels=(line_chart(series, x_title="episodes", y_title="averaged return"),),
        table=Table(columns=("algorithm", "episodes", "median", "lowest", "highest"), rows=rows),
        note="Lines are medians over seeds, bands go from the lowest seed to the highest.",
    )


def _exchange_section(exchange: Frame) -> Section:
    rows = [
        (
            one.task, int(one.num_agents), one.preset, title_of(LABELS, one.algorithm),
            one.variant, one.kind, float(one.bytes_per_agent_update) / 1e3,
        )
        for one in exchange.itertuples()
    ]  # fmt: skip
    columns = (
        "task",
        "agents",
        "preset",
        "algorithm",
        "variant",
        "what",
        "kB per agent and update",
    )
    return Section(
        slug="exchange",
        title="What each algorithm exchanges",
        items=(Table(columns=columns, rows=rows),),
    )


def _made_section(folder: Path, runs: Frame) -> Section:
    facts = _facts(folder)
    said = [(key, str(facts[key])) for key in ("profile", "command", "version") if key in facts]
    rows = [
        (
            one.task, int(one.num_agents), one.preset, title_of(LABELS, one.algorithm), one.variant,
            int(one.seed), int(one.num_updates), float(one.final_return),
        )
        for one in runs.itertuples()
    ]  # fmt: skip
    columns = (
        "task",
        "agents",
        "preset",
        "algorithm",
        "variant",
        "seed",
        "updates",
        "final return",
    )
    return Section(
        slug="made",
        title="How this was made",
        items=(
            Table(columns=("what", "value"), rows=said),
            Table(columns=columns, rows=rows, caption="Every run"),
        ),
    )
