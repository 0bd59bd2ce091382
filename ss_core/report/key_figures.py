"""Key figures of a run by row and name."""

from ss_core.analysis.run_data import RunData

NOTHING = float("nan")


class Kpis:
    """The `kpi` table of one scope; NaN for what is not there."""

    def __init__(self, data: RunData, scope: str) -> None:
        columns = ["algorithm", "kpi", "value", "ci_low", "ci_high"]
        rows = data.table("kpi", columns, {"scope": scope})
        self._found = {
            (row.algorithm, row.kpi): (float(row.value), float(row.ci_low), float(row.ci_high))
            for row in rows.itertuples(index=False)
        }

    @property
    def rows(self) -> list[str]:
        """Rows that have figures."""
        return list(dict.fromkeys(algorithm for algorithm, _ in self._found))

    def value(self, algorithm: str, kpi: str) -> float:
        """The figure of a row."""
        return self.interval(algorithm, kpi)[0]

    def interval(self, algorithm: str, kpi: str) -> tuple[float, float, float]:
        """The figure of a row, and its 95 % interval."""
        return self._found.get((algorithm, kpi), (NOTHING, NOTHING, NOTHING))
