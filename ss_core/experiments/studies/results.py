"""What the runs of a study come to: one Parquet data set, a table of the runs, their description.

    results/by_AXIS=VALUE/…/part-0.parquet   one row is one policy in one run
    runs.parquet                             one row is one run, the failed ones with their reason
    datapackage.json                         columns, units and checksums of both

Folders say the value of each axis as text; the files say it typed, in a column of the axis's name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ss_core.analysis.about import About
from ss_core.analysis.export import Exported
from ss_core.analysis.export_files import parquet_bytes
from ss_core.analysis.package import WrittenTable, package_of
from ss_core.analysis.run_data import RunData
from ss_core.experiments.studies.runs import LOGS, RUNS, state_of
from ss_core.experiments.studies.spec import StudyRun, StudySpec, shown_value
from ss_core.processes.pool import FAILURE_LOG, Failure
from ss_core.record.atomic import atomic_write, json_bytes
from ss_core.record.layout import PART_NAME
from ss_core.record.schema import Column
from ss_core.report.labels import title_of
from ss_core.report.run_figures import figures_of
from ss_core.scenario.protocol import Scenario

if TYPE_CHECKING:
    import pyarrow as pa

RESULTS, RUNS_FILE, PACKAGE = "results", "runs.parquet", "datapackage.json"
BY = "by_"  # before the name of an axis, in the names of folders
GAP = "gap_closed"
KEYS = (
    Column("run", "string", "", "folder of the run, below runs/"),
    Column("seed", "int64", "", "seed of the run"),
    Column("algorithm", "string", "", "policy: a learned one, a reference, an instrument"),
    Column("title", "string", "", "what people call it"),
    Column("recommended", "bool", "", "whether trial days of that run recommend it"),
    Column("no_dilemma", "bool", "", "whether that run had no gap to close"),
)
RUN_KEYS = (
    Column("run", "string", "", "folder of the run, below runs/"),
    Column("seed", "int64", "", "seed of the run"),
    Column("status", "string", "", "complete, failed or waiting"),
    Column("reason", "string", "", "why it failed; empty otherwise"),
    Column("log", "string", "", "file that says more, below the study's folder"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One policy in one run."""

    run: str
    point: Mapping[str, Any]  # by name of the column
    seed: int
    algorithm: str
    title: str
    recommended: bool
    no_dilemma: bool
    figures: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyResults:
    """All that the complete runs of a study say, and which runs are not complete."""

    spec: StudySpec
    plan: Sequence[StudyRun]
    rows: Sequence[Row]
    units: Mapping[str, str]  # by figure
    reasons: Mapping[str, str]  # of runs that failed

    @property
    def figures(self) -> list[str]:
        """Names of all figures, in the order in which they appear."""
        return list(dict.fromkeys(name for row in self.rows for name in row.figures))

    @property
    def algorithms(self) -> list[str]:
        """Names of all policies, likewise."""
        return list(dict.fromkeys(row.algorithm for row in self.rows))

    @property
    def axes(self) -> list[str]:
        """Names of the columns of axes."""
        return list(self.spec.columns.values())


def collect(
    spec: StudySpec,
    plan: Sequence[StudyRun],
    scenario: Scenario,
    out: Path,
    failures: Sequence[Failure] = (),
) -> StudyResults:
    """Read the key figures of every complete run.

    Raises:
        CorruptError: a table of a run cannot be read.
    """
    rows, units = list[Row](), dict[str, str]()
    for run in plan:
        if state_of(out, run.name) == "complete":
            found, its_units = _rows_of(run, spec, scenario, out)
            rows += found
            units |= its_units
    ordered = [one.figure for one in scenario.columns if one.figure in units]
    units = {name: units[name] for name in dict.fromkeys([*ordered, *units])}
    reasons = {one.task: one.reason for one in failures}
    return StudyResults(spec=spec, plan=plan, rows=rows, units=units, reasons=reasons)


def _rows_of(
    run: StudyRun, spec: StudySpec, scenario: Scenario, out: Path
) -> tuple[list[Row], dict[str, str]]:
    data = RunData(out / RUNS / run.name)
    read = figures_of(data)
    figures: dict[str, dict[str, float]] = {}
    for (row, name), value in read.figures.items():
        figures.setdefault(row, {})[name] = value.estimate
    gaps = data.result.get("gap_closed", {})
    advised = data.result.get("recommendation", {}).get("row", "")
    point = {spec.columns[key]: value for key, value in run.point.items()}
    none = scenario.best is not None and not any(gaps.values())
    rows = [
        Row(
            run=run.name,
            point=point,
            seed=run.seed,
            algorithm=name,
            title=title_of(scenario.labels, name),
            recommended=name == advised,
            no_dilemma=none,
            figures=found,
        )
        for name, found in figures.items()
    ]
    return rows, {name: unit for (_, name), unit in read.units.items()}


def write_results(results: StudyResults, out: Path) -> None:
    """Write the data set, the table of runs and their description; what is no part of it goes."""
    parts = _parts(results)
    root = out / RESULTS
    for name, content in parts.items():
        atomic_write(root / name, content)
    for path in sorted(root.rglob("*"), reverse=True):
        if path.is_file() and path.relative_to(root).as_posix() not in parts:
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    runs = _runs_table(results, out)
    content = parquet_bytes(runs.values)
    atomic_write(out / RUNS_FILE, content)
    whole = _table_of(results, results.rows)
    tables = [
        WrittenTable(whole, f"{RESULTS}.parquet", b"".join(parts.values()), {}),
        WrittenTable(runs, RUNS_FILE, content, {}),
    ]
    package = package_of(_about(results), tables)
    package["resources"][0]["path"] = [f"{RESULTS}/{name}" for name in parts]
    atomic_write(out / PACKAGE, json_bytes(package))


def statement_of(results: StudyResults, figure: str, algorithms: Sequence[str], root: str) -> str:
    """One line of SQL for DuckDB: that figure by axis and policy; or from where it is too much.

    `root`: the folder of the study, as a prefix of paths.
    """
    listed = ", ".join(_quoted(name) for name in algorithms)
    axes = ", ".join(results.axes)
    place = _quoted(f"{root}{RESULTS}/**/*.parquet")
    data = f"read_parquet({place}, hive_partitioning = true)"
    means = (
        f"SELECT {axes}, algorithm, avg({figure}) AS {figure} FROM {data} "
        f"WHERE algorithm IN ({listed}) GROUP BY ALL"
    )
    above, axis = results.spec.above, results.axes[0]
    if above is None:
        return f"{means} ORDER BY ALL"
    return (
        f"SELECT algorithm, min({axis}) FILTER ({figure} > {above:g}) AS {axis}_too_high, "
        f"max({figure}) AS most FROM ({means}) GROUP BY algorithm ORDER BY algorithm"
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _about(results: StudyResults) -> About:
    spec = results.spec
    partition = ", ".join(f"{BY}{name}" for name in results.axes)
    return About(
        title=spec.title or f"Study {spec.name}",
        run_id=spec.name,
        view="full",
        notes=(
            *([spec.question] if spec.question else []),
            "All values are simulated, none is measured.",
            f"The table results is hive-partitioned by {partition}.",
        ),
    )


def _parts(results: StudyResults) -> dict[str, bytes]:
    """Content of each file of the data set, by its place below it."""
    by_place: dict[str, list[Row]] = {}
    for row in results.rows:
        by_place.setdefault(_place(row.point), []).append(row)
    return {
        f"{place}/{PART_NAME.format(0)}": parquet_bytes(_table_of(results, rows).values)
        for place, rows in sorted(by_place.items())
    }


def _place(point: Mapping[str, Any]) -> str:
    return "/".join(
        f"{BY}{name}={quote(shown_value(value), safe='.-+ ')}" for name, value in point.items()
    )


def axis_columns(results: StudyResults) -> list[Column]:
    """A typed column for each axis."""
    kinds = []
    for axis, name in zip(results.spec.axes, results.axes, strict=True):
        types = {type(run.point[axis.key]) for run in results.plan}
        kind = (
            "int64" if types == {int} else
            "bool" if types == {bool} else
            "float64" if types <= {int, float} else
            "string"
        )  # fmt: skip
        kinds.append(Column(name, kind, "", f"axis: {axis.key}"))
    return kinds


def _table_of(results: StudyResults, rows: Sequence[Row]) -> Exported:
    axes = axis_columns(results)
    taken = {one.name for one in (*axes, *KEYS)}
    named = {name: f"figure_{name}" if name in taken else name for name in results.units}
    figures = [
        Column(named[name], "float64", unit, f"key figure {name.replace('_', ' ')}, of the run")
        for name, unit in results.units.items()
    ]
    values: dict[str, list[Any]] = {
        **{one.name: [_typed(row.point[one.name], one) for row in rows] for one in axes},
        **{one.name: [getattr(row, one.name) for row in rows] for one in KEYS},
        **{column: [row.figures.get(name) for row in rows] for name, column in named.items()},
    }
    columns = (*axes, *KEYS, *figures)
    return Exported(
        RESULTS, "a policy in a run", columns, _arrow(columns, values), ("run", "algorithm")
    )


def _runs_table(results: StudyResults, out: Path) -> Exported:
    axes = axis_columns(results)
    states = [state_of(out, run.name) for run in results.plan]
    names = results.spec.columns
    values: dict[str, list[Any]] = {
        **{
            column.name: [_typed(run.point[key], column) for run in results.plan]
            for key, column in zip(names, axes, strict=True)
        },
        "run": [run.name for run in results.plan],
        "seed": [run.seed for run in results.plan],
        "status": states,
        "reason": [results.reasons.get(run.name, "") for run in results.plan],
        "log": [
            f"{LOGS}/{run.name}/{FAILURE_LOG}" if state == "failed" else ""
            for run, state in zip(results.plan, states, strict=True)
        ],
    }
    columns = (*axes, *RUN_KEYS)
    return Exported("runs", "a run of the study", columns, _arrow(columns, values), ("run",))


def _typed(value: Any, column: Column) -> Any:
    if column.type == "string":
        return shown_value(value)
    return float(value) if column.type == "float64" else value


def _arrow(columns: Sequence[Column], values: Mapping[str, Sequence[Any]]) -> "pa.Table":
    import pyarrow as pa

    types = {"string": pa.string(), "int64": pa.int64(), "bool": pa.bool_()}
    schema = pa.schema(
        [
            pa.field(
                one.name,
                types.get(one.type, pa.float64()),
                metadata={"unit": one.unit, "description": one.description},
            )
            for one in columns
        ]
    )
    return pa.Table.from_pydict({one.name: values[one.name] for one in columns}, schema=schema)
