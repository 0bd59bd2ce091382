"""What the three command lines share: lazy commands, one-line errors, `--debug`, `--version`.

Nothing here or in a command's declaration imports torch, pandapower, pyarrow or SUMO; a command
does so in its body, so that `--help` and shell completion stay quick.
"""

import importlib
import platform
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import click

from ss_core.errors import ResourceError, SuggestionSharingError, is_want_of_room
from ss_core.record.provenance import DISTRIBUTION, installed_version

SHOWN_PACKAGES = ("torch", "numpy", "pandapower", "pyarrow", "libsumo")
EXIT_INTERNAL = 1
EXIT_INTERRUPTED = 130

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(slots=True)
class AppState:
    """What options of any level tell the wrapper; one per process."""

    debug: bool = False


class LazyCommand(NamedTuple):
    """Where a command is (`module:attribute`) and its line in the list of commands."""

    target: str
    short_help: str
    heading: str = "Commands"  # under which it is listed


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is called, not when it is listed."""

    lazy_commands: Mapping[str, LazyCommand]

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self.lazy_commands, *self.commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.lazy_commands:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self.lazy_commands[cmd_name].target.partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for name, command in self.lazy_commands.items():
            sections.setdefault(command.heading, []).append((name, command.short_help))
        for heading, rows in sections.items():
            with formatter.section(heading):
                formatter.write_dl(rows)


class OrderedGroup(click.Group):
    """A group that lists its commands as they were added, what a newcomer wants first."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


def lazy_group(
    name: str, help_text: str, commands: Mapping[str, LazyCommand], *, epilog: str
) -> LazyGroup:
    """A group of commands named by `module:attribute`, with `--debug` and `--version`."""
    group = LazyGroup(
        name, help=help_text, params=[], context_settings=CONTEXT_SETTINGS, epilog=epilog
    )
    group.lazy_commands = commands
    return version_option(debug_option(group))


def example(line: str) -> str:
    """The end of a command's `--help`."""
    return f"\b\nExample:\n  {line}"


CONTEXT_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def _remember_debug(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value:
        ctx.ensure_object(AppState).debug = True


def _print_versions(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    click.echo(f"{ctx.find_root().info_name} {shown_version(DISTRIBUTION)}")
    click.echo(f"python {platform.python_version()}")
    for package in SHOWN_PACKAGES:
        click.echo(f"{package} {shown_version(package)}")
    ctx.exit()


def debug_option(command: Function) -> Function:
    """Add `--debug`: show the traceback of a failure."""
    return click.option(
        "--debug",
        is_flag=True,
        expose_value=False,
        callback=_remember_debug,
        help="Show the traceback of a failure.",
    )(command)


def version_option(command: Function) -> Function:
    """Add `--version`: this package and what it computes with, read from their metadata."""
    return click.option(
        "--version",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_print_versions,
        help="Show versions and exit.",
    )(command)


def shown_version(distribution: str) -> str:
    """Version of an installed distribution in words."""
    return installed_version(distribution) or "not installed"


def run(command: click.Command, name: str, args: Sequence[str] | None = None) -> int:
    """Run a command line to its exit code; every failure becomes one line on stderr.

    Exit codes: 0 done, 1 internal error, 2 usage, 3 to 8 as in `ss_core.errors`, 130 Ctrl-C.
    """
    state = AppState()
    try:
        outcome = command.main(args, prog_name=name, standalone_mode=False, obj=state)
        return outcome if isinstance(outcome, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return EXIT_INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last line of defence
        return _report(error, state)


def _report(error: Exception, state: AppState) -> int:
    if state.debug:
        traceback.print_exception(error)
    if not isinstance(error, SuggestionSharingError) and is_want_of_room(error):
        error = ResourceError(
            f"out of memory or disk: {error}; free some and run the command again"
        )
    if isinstance(error, SuggestionSharingError):
        click.echo(f"{error.code}: {error}", err=True)
        return error.exit_code
    line = " ".join(f"{type(error).__name__}: {error}".split())
    hint = "" if state.debug else "; run again with --debug for the traceback"
    click.echo(f"{SuggestionSharingError.code}: internal error: {line}{hint}", err=True)
    return EXIT_INTERNAL


def exit_with(command: click.Command, name: str) -> None:
    """Entry point of a console script."""
    sys.exit(run(command, name))
