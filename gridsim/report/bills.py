"""Bills and comfort of single households: who gains against the equilibrium, who loses."""

from collections.abc import Iterator

import numpy as np

from gridsim.results.labels import LABELS
from ss_core.analysis.run_data import Frame, RunData
from ss_core.report.charts import Numbers, Role, Series, grouped_bars, line_chart, point_chart
from ss_core.report.labels import role_of, title_of
from ss_core.report.page_model import Chart, Section, Table, Text
from ss_core.statistics import gini

SELFISH = "nash"


def bills_section(data: RunData, algorithm: str) -> Section:
    """Costs of every household under the equilibrium and under the learned row."""
    columns = ["algorithm", "day", "agent_id", "bill_eur", "charge_eur", "discomfort_eur"]
    rows = data.arrow("household_step", columns, {"algorithm": [SELFISH, algorithm]})
    if not rows.num_rows:
        text = "Bills of single households need trace level agent or full."
        return Section(slug="bills", title="Who gains, who loses", items=(Text(text),))
    sums = rows.group_by(["algorithm", "agent_id"]).aggregate(
        [(name, "sum") for name in columns[3:]]
    )
    days = len(rows.column("day").unique())
    parts = sums.to_pandas().set_index(["algorithm", "agent_id"]).sort_index() / days
    parts.columns = ["bill", "charge", "discomfort"]
    parts["cost"] = parts.sum(axis=1)
    before, after = parts.loc[SELFISH], parts.loc[algorithm]
    return Section(
        slug="bills",
        title="Who gains, who loses",
        intro="Cost is the energy bill, the household’s share of the feeder charge, and what "
        "waiting is worth to it. Means per day over the held-out days.",
        items=(
            _cost_chart(before, after, algorithm),
            _change_chart(before, after, algorithm),
            *_lorenz_charts(before["cost"].to_numpy(), after["cost"].to_numpy(), algorithm),
        ),
    )


def _cost_chart(before: Frame, after: Frame, algorithm: str) -> Chart:
    name = title_of(LABELS, algorithm)
    gains = int((after["cost"] < before["cost"]).sum())
    title = (
        f"{gains} of {len(before)} households pay less under {name} than at the selfish equilibrium"
    )
    points: dict[str, tuple[Role, Numbers, Numbers]] = {
        "household": (
            role_of(LABELS, algorithm),
            before["cost"].to_numpy(),
            after["cost"].to_numpy(),
        )
    }
    return Chart(
        slug="cost-by-household",
        title=title,
        alt=f"{title}: one point per household, below the diagonal if it gains.",
        panels=(
            point_chart(
                points,
                x_title="cost at the equilibrium, EUR/day",
                y_title=f"cost under {name}, EUR/day",
                diagonal=True,
                names=list(before.index),
            ),
        ),
        table=Table(
            columns=(
                "household",
                "cost before, EUR/day",
                "cost after, EUR/day",
                "saved, EUR/day",
                "bill after, EUR/day",
                "waiting before, EUR/day",
                "waiting after, EUR/day",
            ),
            rows=[
                (str(home), b.cost, a.cost, b.cost - a.cost, a.bill, b.discomfort, a.discomfort)
                for home, b, a in zip(
                    before.index, before.itertuples(), after.itertuples(), strict=True
                )
            ],
        ),
        note="Points below the dotted line gain.",
    )


def _change_chart(before: Frame, after: Frame, algorithm: str) -> Chart:
    kinds = ("energy bill", "feeder charge", "waiting")
    names = ["bill", "charge", "discomfort"]
    was, now = before[names].mean().tolist(), after[names].mean().tolist()
    saved = [f"{kind} {a - b:+.2f}" for kind, a, b in zip(kinds, was, now, strict=True)]
    title = f"Saved per household and day, in EUR: {', '.join(saved)}"
    groups: dict[str, tuple[Role, Numbers]] = {
        title_of(LABELS, SELFISH): (role_of(LABELS, SELFISH), was),
        title_of(LABELS, algorithm): (role_of(LABELS, algorithm), now),
    }
    return Chart(
        slug="cost-parts",
        title=title,
        alt=f"{title}. Positive is saved.",
        panels=(grouped_bars(kinds, groups, value_title="EUR per household and day"),),
        table=Table(
            columns=(
                "part of the cost",
                "equilibrium, EUR/day",
                f"{title_of(LABELS, algorithm)}, EUR/day",
            ),
            rows=list(zip(kinds, was, now, strict=True)),
        ),
        note="Waiting is comfort in money: what a delay costs by the household’s own preferences.",
    )


def _lorenz_charts(before: np.ndarray, after: np.ndarray, algorithm: str) -> Iterator[Chart]:
    """None where a household earns: of shares below 0 there is no curve."""
    if min(before.min(), after.min()) >= 0.0:
        yield _lorenz_chart(before, after, algorithm)


def _lorenz_chart(before: np.ndarray, after: np.ndarray, algorithm: str) -> Chart:
    series = []
    for name, cost in ((SELFISH, before), (algorithm, after)):
        share = np.r_[0.0, np.cumsum(np.sort(cost)) / cost.sum()]
        x = np.linspace(0, 100, len(share))
        series.append(
            Series(name=title_of(LABELS, name), role=role_of(LABELS, name), x=x, y=100 * share)
        )
    ginis = gini(before), gini(after)
    title = f"How unequal costs are: Gini {ginis[0]:.3f} at the equilibrium, {ginis[1]:.3f} after"
    return Chart(
        slug="lorenz",
        title=title,
        alt=f"Lorenz curves of the cost of households. {title}.",
        panels=(
            line_chart(
                series, x_title="households, cheapest first, %", y_title="share of all costs, %"
            ),
        ),
        table=Table(
            columns=("households, %", "equilibrium, %", "after, %"),
            rows=[
                tuple(map(float, row))
                for row in zip(series[0].x, series[0].y, series[1].y, strict=True)
            ],
        ),
        note="Large and small households differ anyway; what counts is whether the curve moves.",
    )
