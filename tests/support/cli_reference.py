"""Writes docs/cli.md: every command with its options, read from the commands themselves."""

from collections.abc import Iterator
from pathlib import Path

import click

from cli import ss
from cli.app import EXIT_INTERNAL, EXIT_INTERRUPTED
from cli.commands import grid, traffic
from ss_core import errors

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS: dict[str, tuple[click.Group, str]] = {
    "ssgrid": (grid.cli, "Households on a low-voltage feeder"),
    "sstraffic": (traffic.cli, "Drivers and traffic lights"),
    "ss": (ss.cli, "Tasks of the paper, finished runs, this installation"),
}
HEAD = Path(__file__).with_suffix(".md")  # what no command says of itself


def reference() -> str:
    """The whole document as Markdown."""
    head = HEAD.read_text(encoding="utf-8")
    parts = [head.replace("{exit_codes}", "\n".join(_exit_codes()))]
    for name, (command, title) in PROGRAMS.items():
        parts.append(f"\n## `{name}`: {title.lower()}\n")
        parts += _commands(command, name)
    return "\n".join(parts).rstrip() + "\n"


def _exit_codes() -> Iterator[str]:
    known = (
        errors.ConfigError, errors.InputError, errors.SimulatorError, errors.CorruptError,
        errors.ResourceError, errors.CheckFailedError, errors.RunLockedError,
    )  # fmt: skip
    yield "| exit code | line begins with | meaning |\n|---|---|---|"
    yield "| 0 | | Done. |"
    code = errors.SuggestionSharingError.code
    yield f"| {EXIT_INTERNAL} | {code} | An internal error: please report it. |"
    yield "| 2 | | Usage: no such command, option or value of an option. |"
    for kind in known:
        words = " ".join((kind.__doc__ or "").split())
        yield f"| {kind.exit_code} | {kind.code} | {words} |"
    code = errors.Interrupted.code
    yield f"| {EXIT_INTERRUPTED} | {code} | Ctrl-C; the same command continues. |"


def _commands(command: click.Command, path: str) -> Iterator[str]:
    """A command, or all below a group, in the order of `--help`."""
    context = click.Context(command, info_name=path)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from _commands(below, f"{path} {name}")
        return
    operands = " ".join(
        parameter.make_metavar(context)
        for parameter in command.params
        if isinstance(parameter, click.Argument)
    )
    yield f"\n### `{f'{path} {operands}'.strip()}`\n"
    yield _said(command)
    yield f"\n    .venv/bin/{_example(command)}\n"
    rows = [row for parameter in command.params if (row := _option(parameter, context))]
    if rows:
        yield "| option | meaning | variable |\n|---|---|---|"
        yield from rows


def _said(command: click.Command) -> str:
    paragraphs = (command.help or "").split("\n\n")
    return "\n\n".join(" ".join(text.split()) for text in paragraphs if text.strip())


def _example(command: click.Command) -> str:
    assert command.epilog is not None, command.name
    return command.epilog.splitlines()[-1].strip()


def _option(parameter: click.Parameter, context: click.Context) -> str | None:
    """A row of the table; options that all commands have go without saying."""
    record = parameter.get_help_record(context)
    if not isinstance(parameter, click.Option) or record is None or parameter.name == "debug":
        return None
    name, meaning = (_cell(text) for text in record)
    variable = f"`{parameter.envvar}`" if parameter.envvar else ""
    return f"| `{name}` | {meaning} | {variable} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main() -> None:
    """Write docs/cli.md of the checkout this module lies in."""
    (ROOT / "docs" / "cli.md").write_text(reference(), encoding="utf-8")


if __name__ == "__main__":
    main()
