"""`sstraffic`: road networks in SUMO's format."""

from pathlib import Path

import click

from cli.app import CONTEXT_SETTINGS, debug_option, exit_with, version_option
from ss_core.errors import InputError

PROBLEMS_SHOWN = 20


@click.group(context_settings=CONTEXT_SETTINGS)
@version_option
@debug_option
def cli() -> None:
    """Road networks in SUMO's format. This release checks networks; it does not run SUMO."""


@cli.command("net")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
@debug_option
def check_net(file: Path, as_json: bool) -> None:
    """Check the SUMO network FILE (.net.xml) without SUMO; all problems at once; exit 3 if any."""
    from cli.render import print_json, print_table
    from trafficsim.network import preflight

    report = preflight(file)
    if as_json:
        print_json({"schema": "ss.net/1", "file": str(file), **report.as_record()})
    else:
        print_table([{"quantity": key, "value": value} for key, value in report.summary().items()])
        for note in report.notes:
            click.echo(f"note: {note}")
        for problem in report.problems[:PROBLEMS_SHOWN]:
            click.echo(problem, err=True)
    if report.problems:
        raise InputError(
            f"{file}: {len(report.problems)} problems; mend them in netedit or netconvert"
        )


def main() -> None:
    """Entry point of the `sstraffic` script."""
    exit_with(cli, "sstraffic")


if __name__ == "__main__":
    main()
