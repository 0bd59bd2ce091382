"""A finished run in Python: its tables as data frames, its key figures as intervals."""

import difflib
from collections.abc import Mapping, Sequence
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ss_core.analysis.run_data import Frame, RunData, open_run_data
from ss_core.errors import InputError
from ss_core.record.schema import TABLES
from ss_core.statistics import Interval

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

GAP_CLOSED, RECOMMENDED = "gap_closed", "recommended"


class Run:
    """A run directory: what `gridsim.run`, `trafficsim.run` and `ss_core.train` return.

        >>> run = gridsim.run(households=50)
        >>> run.gap_closed
        Interval(estimate=0.92, low=0.91, high=0.92)
        >>> run.kpis.query("kpi == 'peak_kw'")[["algorithm", "value", "ci_low", "ci_high"]]

    Rows of its tables are *policies*: the learned ones by the name of their algorithm (`ss`,
    `independent`), references by theirs (`nash`, `optimum`). Nothing is written here.

    Raises:
        InputError: there is no run in the folder.
        CorruptError: its manifest does not hold together.
    """

    def __init__(self, path: str | Path) -> None:
        self._data: RunData = open_run_data(Path(path))

    @property
    def path(self) -> Path:
        """The run directory."""
        return self._data.folder

    @property
    def task(self) -> str:
        """`grid`, `traffic`, `signals`, or the name of a task."""
        return self._data.task

    @property
    def status(self) -> str:
        """`complete`, `running`, `interrupted` or `failed`."""
        return str(self._data.block["status"])

    @property
    def algorithm(self) -> str:
        """The learned row that was asked for."""
        return self._data.algorithm

    @property
    def settings(self) -> Mapping[str, Any]:
        """Every setting as it was resolved, by section."""
        return self._data.config

    @property
    def notes(self) -> Sequence[str]:
        """Sentences that the command line ends with."""
        return tuple(map(str, self._data.result.get("notes", ())))

    @cached_property
    def table(self) -> "pd.DataFrame":
        """The table that the command line ends with: a row for each policy, rounded for reading.

        Numbers to compute with are in `kpis`.
        """
        import pandas as pd

        tables = self._result()["tables"]
        found = pd.DataFrame.from_records(next(iter(tables.values()), []))
        return found.set_index("policy") if "policy" in found else found

    @cached_property
    def kpis(self) -> "pd.DataFrame":
        """Key figures, a row for each policy and figure: `algorithm`, `kpi`, `value`, `unit`,
        the bounds of its 95 % interval `ci_low` and `ci_high`, and the days it is a mean of.
        """  # noqa: D205 - one sentence
        return self._data.table("kpi")

    def figure(self, kpi: str, algorithm: str | None = None) -> Interval | None:
        """One key figure with its interval, of the algorithm asked for unless a row is named.

        Returns:
            None: that row has no such figure; a gap is not closed if there is none ("no dilemma").

        Raises:
            InputError: no row of the run has such a figure.
        """
        kpis: Frame = self.kpis  # not typed: pandas' stubs know less than it can do
        if kpi not in set(kpis["kpi"]):
            raise InputError(f"{self.path}: no key figure {kpi!r}{_near(kpi, kpis['kpi'])}")
        row = self.algorithm if algorithm is None else algorithm
        if row not in set(kpis["algorithm"]):
            raise InputError(f"{self.path}: no policy {row!r}{_near(row, kpis['algorithm'])}")
        found: Frame = kpis[(kpis["kpi"] == kpi) & (kpis["algorithm"] == row)]
        for value, low, high in found[["value", "ci_low", "ci_high"]].to_numpy(dtype=float):
            return Interval(estimate=float(value), low=float(low), high=float(high))
        return None

    @property
    def gap_closed(self) -> Interval | None:
        """Share of the avoidable cost that the algorithm avoids, with its 95 % interval.

            (C_selfish - C) / (C_selfish - C_optimum), costs of held-out days

        None: selfish agents reach the optimum already, or this world knows no optimum.
        """
        return self.figure(GAP_CLOSED) if GAP_CLOSED in set(self.kpis["kpi"]) else None

    @property
    def recommended(self) -> str | None:
        """The policy that fresh trial days choose; None where there were no trial days."""
        kpis: Frame = self.kpis
        found = kpis[(kpis["kpi"] == RECOMMENDED) & (kpis["value"] == 1.0)]
        return next(map(str, found["algorithm"]), None)

    def traces(
        self, table: str, columns: Sequence[str] | None = None, **where: object
    ) -> "pa.Table":
        """Rows of a trace table, as Arrow: `run.traces("feeder_step", algorithm="ss", day=0)`.

        `docs/data-dictionary.md` says what each table and column holds; the fields' metadata, too.

        Args:
            table: its name.
            columns: all if None.
            where: values, or lists of values, that columns of a row must have.

        Raises:
            InputError: there is no such table or column.
            CorruptError: a part of the table cannot be read.
        """
        if table not in TABLES:
            raise InputError(f"no trace table {table!r}{_near(table, TABLES)}")
        known = [column.name for column in TABLES[table].columns]
        for name in (*(columns or ()), *where):
            if name not in known:
                raise InputError(f"table {table} has no column {name!r}{_near(name, known)}")
        return self._data.arrow(table, columns, where)

    @property
    def report(self) -> Path:
        """The page about the run, `report.html`.

        Raises:
            InputError: none was written.
        """
        page = self.path / "report.html"
        if not page.is_file():
            raise InputError(f"{page}: not written yet; `ss report {self.path}` writes it")
        return page

    def _result(self) -> Mapping[str, Any]:
        if "tables" not in self._data.result:
            raise InputError(
                f"{self.path}: has no result, it is {self.status}; the command that began it "
                "continues it"
            )
        return self._data.result

    def __repr__(self) -> str:
        return f"<Run {self.task}, {self.status}: {self.path}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: the table."""
        shown = self.table.to_html() if "tables" in self._data.result else ""
        return f"<p>{escape(repr(self))}</p>{shown}"


def _near(name: str, known: Any) -> str:
    """The closest of the known names, or all."""
    names = sorted(map(str, set(known)))
    close = difflib.get_close_matches(name, names, n=2)
    if close:
        return f"; did you mean {' or '.join(map(repr, close))}?"
    return f"; known: {', '.join(names)}"
