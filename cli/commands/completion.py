"""`ss completion`: click's own completion scripts."""

import click
from click.shell_completion import get_completion_class

from cli.app import debug_option, example

PROGRAMS = ("ssgrid", "sstraffic", "ss")


@click.command("completion", epilog=example("ss completion bash"))
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.option(
    "--program",
    "programs",
    multiple=True,
    type=click.Choice(PROGRAMS),
    default=("ssgrid", "sstraffic"),
    help="Repeatable; by default all but `ss`, which the system's own tool of that name may use.",
)
@debug_option
def completion(shell: str, programs: tuple[str, ...]) -> None:
    """Print the script that makes SHELL complete commands and options.

    For bash: eval "$(.venv/bin/ss completion bash)", with .venv/bin on PATH.
    """
    completion_class = get_completion_class(shell)
    assert completion_class is not None
    for program in programs:
        variable = f"_{program.upper()}_COMPLETE"
        script = completion_class(click.Command(program), {}, program, variable)
        click.echo(script.source_template % script.source_vars())
