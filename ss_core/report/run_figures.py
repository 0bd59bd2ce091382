"""The key figures of a run as `ss_core.analysis.comparison` takes them."""

import math

from ss_core.analysis.comparison import RunFigures
from ss_core.analysis.run_data import RunData
from ss_core.statistics import Interval

SCOPES = ("held-out days", "held-out episodes")


def figures_of(data: RunData) -> RunFigures:
    """Everything in the `kpi` table that is a mean over held-out days or episodes.

    Raises:
        CorruptError: the table cannot be read.
    """
    columns = ["algorithm", "kpi", "unit", "value", "ci_low", "ci_high"]
    rows = data.table("kpi", columns, {"scope": list(SCOPES)})
    figures, units = {}, {}
    for row in rows.itertuples(index=False):
        value = float(row.value)
        if math.isfinite(value):
            low, high = (_or(float(end), value) for end in (row.ci_low, row.ci_high))
            figures[row.algorithm, row.kpi] = Interval(estimate=value, low=low, high=high)
            units[row.algorithm, row.kpi] = str(row.unit)
    return RunFigures(
        name=data.folder.resolve().name,
        task=data.task,
        seed=int(data.block["seed"]),
        config=data.config,
        figures=figures,
        units=units,
    )


def _or(value: float, other: float) -> float:
    return value if math.isfinite(value) else other
