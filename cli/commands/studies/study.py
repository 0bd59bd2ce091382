"""`ss study`: many runs of one command over axes and seeds, one data set, one page."""

from pathlib import Path
from typing import Any

import click

from cli.app import debug_option
from cli.options import workers_option
from cli.settings import parse_budget
from cli.worlds import WORLDS
from ss_core.errors import CheckFailedError


@click.command("study")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.toml")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    show_default="studies/ and the file's name",
    help="Folder of the study; runs that are complete in there are kept.",
)
@workers_option("Runs at a time, each in a process that stays; results do not depend on it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
@debug_option
def study(file: Path, out: Path | None, workers: int | None, as_json: bool, quiet: bool) -> None:
    """Carry out the study that FILE.toml describes: every value of its axes, every seed.

    Each run is a run directory below the study's folder. May be stopped at any time: the same
    command goes on with what is not complete, and repeats what failed.
    """
    from cli.commands.studies.progress import StudyTable
    from cli.render import Progress

    with Progress(quiet=quiet) as progress:
        progress("prepare", 0, 1, f"{file}: settings of every run")
        ready = prepared(file, out)
        progress("prepare", 1, 1, f"{len(ready.plan)} runs in {ready.out}")
    from ss_core.experiments.studies.study import run_study

    with StudyTable(quiet=quiet) as table:
        summary = run_study(ready, workers or 2, table)
    _tell(summary, ready.out, as_json=as_json)
    if summary["failed"]:
        raise CheckFailedError(
            f"{len(summary['failed'])} of {summary['runs']} runs failed; run the same command "
            "again to repeat only these"
        )


def prepared(file: Path, out: Path | None) -> Any:
    """The study of a file, its settings checked; nothing is written.

    Raises:
        ConfigError: something in the file does not make sense.
    """
    from ss_core.errors import ConfigError
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
    click.echo(f"study: {summary['complete']} of {summary['runs']} runs complete in {out}")
    click.echo(f"report: {out / PAGE_FILE}")
    if summary["statement"]:
        click.echo(f'ask again: duckdb -c "{summary["statement"]}"')
