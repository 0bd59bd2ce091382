"""The grid's page shows every traced row, the learned ones among the references."""

from pathlib import Path

from gridsim.report.page import run_summary
from ss_core.analysis.run_data import open_run_data
from ss_core.report.page_model import Chart

RUN = Path(__file__).parents[2] / "data" / "runs_0_1" / "grid"


def test_demand_over_the_day_is_drawn_of_learned_rows_in_the_order_of_the_table() -> None:
    demand, *_ = run_summary(open_run_data(RUN)).part.sections
    chart, *_ = (item for item in demand.items if isinstance(item, Chart))
    titles = [column.partition(",")[0] for column in chart.table.columns[1:]]
    assert titles == [
        *("ASAP (no control)", "selfish", "Nash equilibrium", "SS (suggestions only)"),
        "optimum (clairvoyant)",
    ]
