"""How training went: returns against episodes and against processor time, and how far it came."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from paper_envs.bench.claims.verdicts import percent
from paper_envs.bench.page.suites import by_suite
from paper_envs.bench.results.results import Cell
from paper_envs.bench.results.timing import TIMING_FILE, Timing, read_timing
from paper_envs.training.page import LABELS
from ss_core.algorithms.names import ALGORITHM_LABELS
from ss_core.report.charts import Role, Series, line_chart
from ss_core.report.labels import role_of, title_of
from ss_core.report.page_model import Chart, Section, Table, Text

Frame = Any
Times = Mapping[tuple[str, int], Timing]  # by cell's slug and seed
SECONDS_PER_MINUTE = 60.0
ROLES: dict[str, Role] = {  # which colour and dashes an algorithm has: seven that differ
    "ss": "ours",
    "independent": "selfish",
    "centralised": "best",
    "vps": "planner",
    "vs": "equilibrium",
    "ps": "limit",
    "imr": "uncontrolled",
}


def role(algorithm: str) -> Role:
    """The colour and dashes of an algorithm in every chart of the page."""
    return ROLES.get(algorithm) or role_of(LABELS, algorithm)


def read_times(folder: Path, runs: Frame) -> Times:
    """What every run of the table took, from the folders of the runs below `folder`."""
    places = ((_slug(one), int(one.seed)) for one in runs.itertuples())
    return {
        (slug, seed): read_timing(folder / "runs" / slug / f"seed{seed}" / TIMING_FILE)
        for slug, seed in places
        if Cell.of_slug(slug) is not None  # a table from elsewhere may name any place
    }


def curves_chart(chosen: Frame, where: str, slug: str) -> tuple[Chart, ...]:
    """Averaged return against training episodes: median, lowest and highest of the seeds.

    Nothing where no algorithm has two points to draw a line between.
    """
    series, rows = [], []
    for name, mine in _by_algorithm(chosen):
        by_episode = mine.groupby("episode")["value"]
        middle, low, high = by_episode.median(), by_episode.min(), by_episode.max()
        x = middle.index.to_numpy(dtype=float)
        series.append(
            Series(
                name=title_of(LABELS, name), role=role(name), x=x,
                y=middle.to_numpy(), low=low.to_numpy(), high=high.to_numpy(),
            )
        )  # fmt: skip
        rows += [
            (title_of(LABELS, name), float(a), float(b), float(c), float(d))
            for a, b, c, d in zip(x, middle, low, high, strict=True)
        ]
    if not _has_line(series):
        return ()
    chart = Chart(
        slug=slug,
        title=f"How training went in {where}",
        alt=f"Averaged return over episodes in {where}; at the end {_ends(series)}.",
        panels=(line_chart(series, x_title="episodes", y_title="averaged return"),),
        table=Table(columns=("algorithm", "episodes", "median", "lowest", "highest"), rows=rows),
        note="Lines are medians over the seeds that came so far, bands go from the lowest of them "
        "to the highest.",
    )
    return (chart,)


def time_chart(chosen: Frame, times: Times, where: str, slug: str) -> tuple[Chart, ...]:
    """The same against processor minutes; nothing where no run knows its time, or of one point."""
    series, rows = [], []
    for name, mine in _by_algorithm(chosen):
        timed = mine.assign(minutes=[_minutes(times, one) for one in mine.itertuples()]).dropna()
        if timed.empty:
            continue
        by_update = timed.groupby("update")
        minutes, middle = by_update["minutes"].median(), by_update["value"].median()
        series.append(
            Series(
                name=title_of(LABELS, name), role=role(name),
                x=minutes.to_numpy(), y=middle.to_numpy(),
            )
        )  # fmt: skip
        rows += [
            (title_of(LABELS, name), float(a), float(b))
            for a, b in zip(minutes, middle, strict=True)
        ]
    if not _has_line(series):
        return ()
    spent = ", ".join(f"{one.name} {np.asarray(one.x)[-1]:.3g} min" for one in series)
    chart = Chart(
        slug=slug,
        title=f"The same against processor time in {where}",
        alt=f"Averaged return over processor minutes in {where}; the last point is {spent} in.",
        panels=(
            line_chart(
                series,
                x_title="processor minutes",
                y_title="averaged return",
                x_axis={"rangemode": "tozero"},
            ),
        ),
        table=Table(columns=("algorithm", "processor minutes", "median return"), rows=rows),
        note="Medians of both over the seeds that came so far. Time is that of the process of a "
        "run, all its starts together, on the machine that ran it; with --device cuda it leaves "
        "out the GPU.",
    )
    return (chart,)


def progress_section(progress: Frame, times: Times) -> Section:
    """How many of the planned and of the published episodes the runs of every cell have done."""
    cpu_s: dict[str, float] = {}
    for (slug, _), timing in times.items():
        cpu_s[slug] = cpu_s.get(slug, 0.0) + timing.cpu_s
    columns = (
        *("task", "agents", "preset", "algorithm", "variant", "runs finished", "episodes done"),
        *("of planned", "published", "done of published", "processor minutes, all runs"),
    )
    tables = [
        Table(
            columns=columns,
            rows=[_progress_row(one, cpu_s.get(_slug(one), 0.0)) for one in part.itertuples()],
            caption=f"Training episodes, mean over seeds; {title}",
        )
        for title, part in by_suite(progress)
    ]
    return Section(
        slug="progress",
        title="How far every condition came",
        intro="A run that is not finished was evaluated as far as it came; it decides no claim. "
        "The command that asked for it continues it.",
        items=tuple(tables) or (Text("Nothing was run."),),
    )


def _progress_row(one: Any, cpu_s: float) -> tuple[str | int, ...]:
    return (
        one.task, int(one.num_agents), one.preset, title_of(LABELS, one.algorithm), one.variant,
        f"{one.num_finished} of {one.num_seeds}", f"{one.episodes:,.0f}",
        _count(one.planned_episodes), _count(one.published_episodes),
        _share(one.episodes, one.published_episodes), f"{cpu_s / SECONDS_PER_MINUTE:.3g}",
    )  # fmt: skip


def _has_line(series: list[Series]) -> bool:
    """Whether any has two points."""
    return any(np.asarray(one.x).size > 1 for one in series)


def _by_algorithm(chosen: Frame) -> Iterator[tuple[str, Frame]]:
    frames = ((name, chosen[chosen["algorithm"] == name]) for name in ALGORITHM_LABELS)
    return ((name, mine) for name, mine in frames if len(mine))


def _minutes(times: Times, one: Any) -> float:
    """Processor minutes of a run up to a point of its curve; NaN where they are not known."""
    timing = times.get((_slug(one), int(one.seed)))
    seconds = None if timing is None else timing.cpu_s_at.get(int(one.update))
    return np.nan if seconds is None else seconds / SECONDS_PER_MINUTE


def _slug(one: Any) -> str:
    cell = Cell(
        task=one.task,
        num_agents=int(one.num_agents),
        preset=one.preset,
        algorithm=one.algorithm,
        variant=one.variant,
    )
    return cell.slug


def _ends(series: list[Series]) -> str:
    return ", ".join(f"{one.name} {np.asarray(one.y)[-1]:.3g}" for one in series)


def _count(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:,.0f}"


def _share(done: float, published: float) -> str:
    return "–" if np.isnan(published) else percent(min(1.0, done / published))
