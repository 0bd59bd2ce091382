"""`ss config show`: the settings a run would have, and who gave each."""

import click

from cli.app import CONTEXT_SETTINGS, debug_option, example
from cli.worlds import WORLDS, loaded

ALWAYS_DONE = "--origins"


@click.group("config", context_settings=CONTEXT_SETTINGS)
def config() -> None:
    """Settings of runs."""


@config.command(
    "show",
    epilog=example("ss config show grid --households 20"),
    context_settings={"ignore_unknown_options": True},
)
@click.argument("world", type=click.Choice(sorted(WORLDS)))
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@debug_option
@click.pass_context
def show(ctx: click.Context, world: str, options: tuple[str, ...]) -> None:
    """Print every setting of a WORLD and where its value comes from.

    OPTIONS are those of its command, as in: ss config show grid --households 20 --preset paper.
    A value comes from a flag, an SS_* variable, a file, the preset or the default.
    """
    known = WORLDS[world]
    if ALWAYS_DONE in options:
        click.echo(f"{ALWAYS_DONE}: always done; the option goes in the next release", err=True)
        options = tuple(option for option in options if option != ALWAYS_DONE)
    loaded(known.command).main(
        [*known.words, *options, "--dry-run"], prog_name=world, standalone_mode=False, obj=ctx.obj
    )
