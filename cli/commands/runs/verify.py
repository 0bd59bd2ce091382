"""The `verify` command, the same in `ss` and `ssgrid`."""

from pathlib import Path

import click

from cli.app import debug_option, example
from cli.options import RUN_FOLDER
from ss_core.errors import CheckFailedError


@click.command(
    "verify",
    short_help="Recompute every checksum of a run.",
    epilog=example("ss verify runs/<run>"),
)
@click.argument("run", type=RUN_FOLDER)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
@debug_option
def verify(run: Path, as_json: bool) -> None:
    """Recompute every checksum of the run directory RUN; exit 7 if anything differs."""
    from cli.render import print_json
    from ss_core.record.manifest import verify_run

    problems = verify_run(run)
    if as_json:
        print_json({"schema": "ss.verify/1", "run": str(run), "problems": problems})
    else:
        click.echo("\n".join(problems) or f"{run}: every file is as it was written")
    if problems:
        raise CheckFailedError(
            f"{run}: {len(problems)} of its checks failed; do not use these results"
        )
