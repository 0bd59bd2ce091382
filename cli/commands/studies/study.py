"""`ss study`: many runs of one command over axes and seeds, one data set, one page."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.app import debug_option
from cli.app import example as shown_example
from cli.options import engine_options, workers_option
from cli.settings import parse_budget
from cli.worlds import WORLDS
from ss_core.errors import CheckFailedError, ConfigError
from ss_core.record.atomic import atomic_write
from ss_core.resources import data_path

if TYPE_CHECKING:
    from ss_core.experiments.studies.runs import Pool
    from ss_core.experiments.studies.study import Study
    from ss_core.processes.engines import Engine

EXAMPLES = ("ev-share",)


@click.command("study", epilog=shown_example("ss study --example ev-share"))
@click.argument(
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.toml",
    required=False,
)
@click.option(
    "--example",
    type=click.Choice(EXAMPLES),
    help="Write this example's file here, NAME.toml, and run it.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    show_default="studies/ and the file's name",
    help="Folder of the study; runs that are complete in there are kept.",
)
@workers_option("Runs at a time, each in a process that stays; results do not depend on it.")
@engine_options
@click.option(
    "--dry-run",
    is_flag=True,
    help="Run a few points with few updates, and say what the study will take.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
@debug_option
def study(
    file: Path | None,
    example: str | None,
    out: Path | None,
    workers: int | None,
    engine: "Engine",
    address: str | None,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Carry out the study that FILE.toml describes: every value of its axes, every seed.

    Each run is a run directory below the study's folder. May be stopped at any time: the same
    command goes on with what is not complete, and repeats what failed.
    """
    from cli.commands.studies.progress import StudyTable
    from cli.render import Progress

    file = _asked(file, example)
    with Progress(quiet=quiet) as progress:
        progress("prepare", 0, 1, f"{file}: settings of every run")
        ready = prepared(file, out)
        progress("prepare", 1, 1, f"{len(ready.plan)} runs in {ready.out}")
    from ss_core.experiments.studies.study import run_study
    from ss_core.processes.engines import carry_out_tasks

    pool = partial(carry_out_tasks, engine=engine, address=address)
    if dry_run:
        _tell_expected(ready, workers or 2, pool, as_json=as_json, quiet=quiet)
        return
    with StudyTable(quiet=quiet) as table:
        summary = run_study(ready, workers or 2, table, pool)
    _tell(summary, ready.out, as_json=as_json)
    if summary["failed"]:
        raise CheckFailedError(
            f"{len(summary['failed'])} of {summary['runs']} runs failed; run the same command "
            "again to repeat only these"
        )


def _asked(file: Path | None, example: str | None) -> Path:
    """The file to carry out; an example is written first.

    Raises:
        ConfigError: both or neither are given, or another file of the example's name is here.
    """
    if (file is None) == (example is None):
        raise ConfigError(
            "ss study: name a file, or an example with --example " + "|".join(EXAMPLES)
        )
    if file is not None:
        return file
    source = data_path("studies") / f"{example}.toml"
    target = Path(f"{example}.toml")
    if target.exists() and target.read_bytes() != source.read_bytes():
        raise ConfigError(
            f"{target}: is here already and differs from the example; move it, or run it as it is "
            f"with: ss study {target}"
        )
    atomic_write(target, source.read_bytes())
    return target


def _tell_expected(
    ready: "Study", workers: int, pool: "Pool", *, as_json: bool, quiet: bool
) -> None:
    """What the study will take, from a few short runs.

    Raises:
        ResourceError: its disk has no room for it.
    """
    from dataclasses import asdict

    from cli.commands.studies.progress import StudyTable
    from cli.render import duration, print_json, print_table
    from ss_core.experiments.studies.calibration import check_expected, expect, write_expected

    with StudyTable(quiet=quiet) as table:
        found = expect(ready.plan, ready.scenario, ready.out, workers, table, pool)
    write_expected(found, ready.out)
    if as_json:
        print_json({"schema": "ss.study_expected/1", **asdict(found)})
    else:
        rows = {
            "runs": f"{found.runs:,}, {found.complete:,} of them complete",
            "time": f"{duration(found.total_s)}, {found.workers} at a time; a run takes "
            f"{duration(found.run_s)}",
            "memory": f"{found.memory_bytes / 1e9:.1f} GB, all processes together",
            "disk": f"{found.disk_bytes / 1e6:,.0f} MB; {found.free_bytes / 1e6:,.0f} MB are free",
            "from": f"{found.calibrated_on} short runs",
        }
        print_table([{"expected": what, "is": words} for what, words in rows.items()])
    check_expected(found, ready.out)


def prepared(file: Path, out: Path | None) -> "Study":
    """The study of a file, its settings checked; nothing is written.

    Raises:
        ConfigError: something in the file does not make sense.
    """
    from ss_core.experiments.studies.spec import plan_of, read_spec
    from ss_core.experiments.studies.study import Study
    from ss_core.scenario.protocol import load_scenario

    spec = read_spec(file, tuple(WORLDS))
    scenario = load_scenario(WORLDS[spec.command].scenario)
    try:
        plan = plan_of(spec, scenario, parse_budget)
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}") from error
    return Study(
        spec=spec,
        source=file.read_bytes(),
        plan=plan,
        scenario=scenario,
        out=out or Path("studies") / spec.name,
    )


def _tell(summary: dict[str, Any], out: Path, *, as_json: bool) -> None:
    from cli.render import print_json, print_table
    from ss_core.experiments.studies.study import PAGE_FILE

    if as_json:
        print_json({**summary, "folder": str(out), "report": str(out / PAGE_FILE)})
        return
    for title, rows in summary["tables"].items():
        print_table(rows, title=title)
    if summary["verdict"]:
        click.echo(summary["verdict"])
    for one in summary["failed"]:
        click.echo(f"failed: {one['run']}: {one['reason']} ({out / one['log']})")
    click.echo(_took(out))
    click.echo(f"study: {summary['complete']} of {summary['runs']} runs complete in {out}")
    click.echo(f"report: {out / PAGE_FILE}")
    if summary["statement"]:
        click.echo(f'ask again: duckdb -c "{summary["statement"]}"')


def _took(out: Path) -> str:
    """What the study took, beside what was expected of it."""
    import json

    from cli.render import duration
    from ss_core.experiments.studies.calibration import read_expected
    from ss_core.experiments.studies.study import TIMING_FILE

    taken, expected = json.loads((out / TIMING_FILE).read_bytes()), read_expected(out)
    beside = f" (expected {duration(expected['total_s'])})" if expected else ""
    return f"took {duration(taken['wall_s'])} this time{beside}"
