"""`ss report`: one HTML page of a run, or of several side by side."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.app import debug_option, example
from cli.options import RUN_FOLDER
from cli.worlds import loaded, world_of
from ss_core.errors import InputError, SuggestionSharingError

if TYPE_CHECKING:
    from ss_core.analysis.run_data import RunData
    from ss_core.report.assemble import RunSummary

BENCHMARK = "paper_envs.bench.page.report"


@click.command("report", epilog=example("ss report runs/<one> runs/<other>"))
@click.argument("runs", nargs=-1, required=True, type=RUN_FOLDER, metavar="RUN...")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write.  [default: report.html in the run's folder, index.html in a "
    "benchmark's; of several runs report-compare.html beside them]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
@debug_option
def report(runs: tuple[Path, ...], out: Path | None, as_json: bool) -> None:
    """Write one self-contained HTML page about a run, or comparing several.

    RUN is a run directory, or the folder of an `ss bench paper`. The page opens offline, in any
    browser, and may be mailed.
    """
    from cli.render import print_json

    written = write_report(runs, out)
    if as_json:
        print_json(
            {"schema": "ss.report/1", "report": str(written), "runs": [str(r) for r in runs]}
        )
    else:
        click.echo(f"report: {written}")


def write_report(runs: Sequence[Path], out: Path | None = None) -> Path:
    """Write the page; returns where.

    Raises:
        InputError: no run there, runs of different worlds, or plotly is missing.
        CorruptError: a table cannot be read.
        ResourceError: the disk refused.
    """
    from ss_core.analysis.run_data import open_run_data
    from ss_core.record.atomic import atomic_write
    from ss_core.report.assemble import run_page

    if len(runs) == 1 and is_bench(runs[0]):
        page = importlib.import_module(BENCHMARK).bench_page(runs[0])
    else:
        read = [open_run_data(folder) for folder in runs]
        page = run_page(read[0], summary_of(read[0])) if len(read) == 1 else _compared(read)
    target = out or _default_out(runs)
    atomic_write(target, page)
    return target


def summary_of(data: "RunData") -> "RunSummary":
    """What the run's world tells about it."""
    return loaded(world_of(data.task).summary)(data)


def is_bench(folder: Path) -> bool:
    """Whether this is the folder of a benchmark rather than of one run."""
    return (folder / "tables" / "run.parquet").is_file()


def _compared(runs: "Sequence[RunData]") -> bytes:
    worlds = sorted({one.task for one in runs})
    if len(worlds) > 1:
        tasks = ", ".join(f"{one.folder.name} is {one.task}" for one in runs)
        raise InputError(f"only runs of one world can be compared: {tasks}")
    from ss_core.report.side_by_side import comparison_page

    return comparison_page([(one, summary_of(one)) for one in runs])


def _default_out(runs: Sequence[Path]) -> Path:
    if len(runs) == 1:
        return runs[0] / ("index.html" if is_bench(runs[0]) else "report.html")
    return runs[0].absolute().parent / "report-compare.html"


def with_report(result: dict[str, Any], *, wanted: bool) -> dict[str, Any]:
    """The result of a run with the page about it, written where nothing speaks against it."""
    folder = Path(str(result.get("run_dir", "")))
    if not wanted or not result.get("run_dir"):
        return result
    try:
        return {**result, "report": str(write_report([folder]))}
    except Exception as error:  # noqa: BLE001 - the run is complete; its result comes first
        reason = error if isinstance(error, SuggestionSharingError) else repr(error)
        again = f"no report: {reason}; `ss report {folder}` tries again"
        return {**result, "notes": [*result.get("notes", ()), again]}
