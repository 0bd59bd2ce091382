"""The chapter on policy instruments: what each costs, who pays, what is lost and revealed."""

import numpy as np

from gridsim.instruments.names import INSTRUMENTS
from gridsim.results.labels import LABELS, ROWS
from ss_core.analysis.run_data import RunData
from ss_core.report.charts import Bar, bar_chart
from ss_core.report.key_figures import Kpis
from ss_core.report.labels import in_order, role_of, title_of
from ss_core.report.page_model import Cell, Chart, Section, Table

SELFISH, BESIDE = "nash", ("asap", "nash", "planner_by_rule", "pigou", "optimum")
GRID_FIGURES = (
    ("cost", "cost_eur_per_household", 1.0),
    ("peak, kW", "peak_kw", 1.0),
    ("h over 100 %", "trafo_overload_h", 1.0),
    ("lowest voltage, p.u.", "vm_min_pu", 1.0),
    ("losers, %", "share_of_losers", 100.0),
    ("Gini of savings", "gini_of_savings", 1.0),
)
MONEY_FIGURES = (
    ("paid", "paid_eur"),
    ("of it by the instrument", "instrument_eur"),
    ("left with supplier, operator", "surplus_eur"),
    ("comfort lost", "comfort_lost_eur"),
    ("kWh undelivered, all", "undelivered_kwh"),
    ("kWh curtailed, all", "curtailed_kwh"),
    ("h held back", "dimmed_h"),
    ("B revealed", "revealed_bytes"),
)


def instruments_section(data: RunData, kpis: Kpis, algorithm: str) -> tuple[Section, ...]:
    """Nothing where no instrument was asked for."""
    named = [str(name) for name in data.config.get("instruments") or ()]
    asked = [name for name in named if name in kpis.rows]
    if not asked:
        return ()
    shown = {*asked, *BESIDE, algorithm}
    rows = [name for name in in_order(ROWS, kpis.rows) if name in shown]
    return (
        Section(
            slug="instruments",
            title="Instruments",
            intro="Each row is what selfish households do under one instrument on the same days, "
            "scored by the same costs. Losers are counted by what households bear when surpluses "
            "of supplier and operator are returned, and losses collected, in equal shares.",
            items=(_cost_chart(rows, kpis), _money_table(rows, kpis), _words_table(asked)),
        ),
    )


def _cost_chart(rows: list[str], kpis: Kpis) -> Chart:
    cost = {name: kpis.interval(name, "cost_eur_per_household") for name in rows}
    known = {name: value for name, value in cost.items() if not np.isnan(value[0])}
    bars = [
        Bar(
            label=title_of(LABELS, name),
            role=role_of(LABELS, name),
            value=value,
            low=low,
            high=high,
        )
        for name, (value, low, high) in known.items()
    ]
    cheapest = title_of(LABELS, min(known, key=lambda name: known[name][0])) if known else "none"
    title = "Cost of supply and comfort under each instrument"
    table: list[list[Cell]] = [
        [title_of(LABELS, name), *(scale * kpis.value(name, key) for _, key, scale in GRID_FIGURES)]
        for name in rows
    ]
    return Chart(
        slug="instrument-costs",
        title=title,
        alt=f"{title}: bars with 95 % intervals; lowest: {cheapest}.",
        panels=(bar_chart(bars, value_title="cost, EUR per household and day"),),
        table=Table(columns=("row", *(name for name, _, _ in GRID_FIGURES)), rows=table),
        note="Cost is energy at the price that follows demand, the feeder charge, waiting and "
        "comfort lost: what supply and people bear, whatever the instrument bills.",
        height_px=120 + 34 * len(bars),
    )


def _money_table(shown: list[str], kpis: Kpis) -> Table:
    rows: list[list[Cell]] = []
    has_roofs = any(not np.isnan(kpis.value(name, "curtailed_kwh")) for name in shown)
    columns = [one for one in MONEY_FIGURES if one[1] != "curtailed_kwh" or has_roofs]
    for name in shown:
        figures = {key: kpis.value(name, key) for _, key in columns}
        if np.isnan(figures["paid_eur"]):  # energy at the price that follows demand, and the charge
            figures["paid_eur"] = kpis.value(name, "bill_eur") + kpis.value(name, "charge_eur")
        rows.append([title_of(LABELS, name), *map(_known, figures.values())])
    return Table(
        columns=("row", *(name for name, _ in columns)),
        rows=rows,
        caption="Who pays, what is lost, what is revealed; EUR, hours and bytes per household and "
        "day. Left with supplier and operator: paid less what supply costs; below 0, a loss",
    )


def _words_table(asked: list[str]) -> Table:
    return Table(
        columns=("instrument", "who pays whom", "who knows what"),
        rows=[
            (INSTRUMENTS[name].title, INSTRUMENTS[name].money, INSTRUMENTS[name].knows)
            for name in asked
            if name in INSTRUMENTS
        ],
        caption="Who pays whom, and what households and operators know when they decide",
    )


def _known(value: float) -> Cell:
    return None if np.isnan(value) else value
