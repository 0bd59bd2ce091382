"""Chapters about learning: how it went, and how much of the gap it closed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ss_core.analysis.run_data import Frame, RunData
from ss_core.report.charts import Bar, Series, bar_chart, line_chart
from ss_core.report.labels import Labels, in_order, role_of, title_of
from ss_core.report.page_model import Chart, Item, Section, Table, Text

LOWEST_GAP_SHOWN = -150.0  # percent; what lies below is written, not drawn


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What a world's learners are measured by while they learn."""

    metric: str  # its name in the table `metric`
    title: str  # with its unit
    lower_is_better: bool = True
    over: str = "held-out days"


def learning_section(data: RunData, labels: Labels, score: Score) -> Section:
    """How the held-out score, and the training reward, moved while the agents learned."""
    names = (score.metric, "episode_reward")
    rows = data.table("metric", ["algorithm", "update", "name", "value"], {"name": names})
    rows = rows.sort_values(["algorithm", "update"])
    better = "lower" if score.lower_is_better else "higher"
    charts: list[Item] = []
    for name, title, what in (
        (score.metric, score.title, f"Scores on {score.over} while learning ({better} is better)"),
        ("episode_reward", "mean reward of an agent per episode", "Training reward per update"),
    ):
        chosen = rows[rows["name"] == name]
        if len(chosen):
            charts.append(_learning_chart(chosen, labels, f"learning-{name}", what, title))
    nothing = Text("No metrics were written (trace level off, or nothing learned).")
    return Section(
        slug="learning",
        title="How they learned",
        intro="One update is one round of episodes and messages. Training ends with its budget; "
        "what is scored is the policy at the end.",
        items=tuple(charts) or (nothing,),
    )


def _learning_chart(rows: Frame, labels: Labels, slug: str, what: str, title: str) -> Chart:
    series = [
        Series(
            name=title_of(labels, name),
            role=role_of(labels, name),
            x=group["update"].to_numpy(),
            y=group["value"].to_numpy(),
        )
        for name, group in rows.groupby("algorithm", sort=True)
    ]
    ends = "; ".join(f"{one.name} from {one.y[0]:.4g} to {one.y[-1]:.4g}" for one in series)
    wide = rows.pivot_table(index="update", columns="algorithm", values="value")
    return Chart(
        slug=slug,
        title=what,
        alt=f"{what}: {ends}.",
        panels=(line_chart(series, x_title="update", y_title=title),),
        table=Table(
            columns=("update", *(f"{title_of(labels, name)}, {title}" for name in wide.columns)),
            rows=[
                (int(at), *map(float, row))
                for at, row in zip(wide.index, wide.to_numpy(), strict=True)
            ],
        ),
    )


def gap_section(data: RunData, labels: Labels, row_order: Sequence[str], formula: str) -> Section:
    """The share of the avoidable cost that each row avoids."""
    rows = data.table(
        "kpi", ["algorithm", "value", "ci_low", "ci_high", "n"], {"kpi": "gap_closed"}
    )
    intro = (
        f"Gap closed is {formula}: 0 % is what selfish agents arrive at by themselves, 100 % the "
        "best that a planner who knows everything reaches. Whiskers are 95 % intervals over "
        "held-out days."
    )
    if rows.empty:
        text = (
            "There is no gap to close: what selfish agents arrive at is within noise of the best."
        )
        return Section(slug="gap", title="Gap closed", intro=intro, items=(Text(text),))
    placed = in_order(row_order, rows["algorithm"])
    order = {name: at for at, name in enumerate(placed)}
    rows = rows.sort_values("algorithm", key=lambda names: names.map(order))
    return Section(slug="gap", title="Gap closed", intro=intro, items=(_gap_chart(rows, labels),))


def _gap_chart(rows: Frame, labels: Labels) -> Chart:
    percent = 100.0 * rows[["value", "ci_low", "ci_high"]].to_numpy()
    names = [title_of(labels, name) for name in rows["algorithm"]]
    drawn = np.maximum(percent, LOWEST_GAP_SHOWN)
    bars = [
        Bar(label=name, role=role_of(labels, row), value=value, low=low, high=high)
        for name, row, (value, low, high) in zip(names, rows["algorithm"], drawn, strict=True)
    ]
    cut = [
        f"{name} {value:.0f} %"
        for name, value in zip(names, percent[:, 0], strict=True)
        if value < LOWEST_GAP_SHOWN
    ]
    listed = ", ".join(
        f"{name} {value:.0f} %" for name, value in zip(names, percent[:, 0], strict=True)
    )
    figure = bar_chart(bars, value_title="gap closed, %")
    figure["layout"]["xaxis"]["range"] = [
        max(LOWEST_GAP_SHOWN, min(-10.0, float(np.nanmin(drawn)) * 1.1)),
        110,
    ]
    return Chart(
        slug="gap-closed",
        title="Share of the avoidable cost that each policy avoids",
        alt=f"Bars of the gap closed: {listed}.",
        panels=(figure,),
        table=Table(
            columns=("policy", "gap closed, %", "from, %", "to, %", "days"),
            rows=[
                (name, *map(float, values), int(n))
                for name, values, n in zip(names, percent, rows["n"], strict=True)
            ],
            caption="95 % intervals",
        ),
        note=f"Bars end at {LOWEST_GAP_SHOWN:.0f} %; beyond lie {', '.join(cut)}." if cut else "",
        height_px=90 + 30 * len(bars),
    )
