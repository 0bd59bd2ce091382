"""One factory for commands that start a run: the options all have, and what happens with them."""

from collections.abc import Callable, Sequence
from typing import Any

import click

from cli.app import debug_option
from cli.options import (
    OPTIONS_OF_TRUST,
    algorithm_option,
    budget_option,
    out_option,
    output_options,
    preset_option,
    report_option,
    resume_option,
    seed_option,
    settings_options,
    trace_option,
    trust_options,
    workers_option,
)
from cli.settings import scenario_request
from cli.worlds import WORLDS
from ss_core.errors import CheckFailedError

Option = Callable[[Callable[..., Any]], Callable[..., Any]]
COMMON_OPTIONS = (
    *("seed", "algorithm", "budget", "workers", "trace", "device"),
    *OPTIONS_OF_TRUST,
)  # names of settings that every run has


GROUPS = {  # in `--help`: names of parameters under each heading; the world's own come first
    "Learning": ("algorithm", "preset", "budget", "config", "assignments", "device"),
    "Liars and trust": OPTIONS_OF_TRUST,
    "Run": ("seed", "workers", "out", "resume", "trace", "dry_run"),
    "Output": ("report", "as_json", "quiet", "debug"),
}


class GroupedCommand(click.Command):
    """A command whose `--help` lists its options under headings."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one list per group; what no group names is the world's own."""
        heading = {name: title for title, names in GROUPS.items() for name in names}
        rows: dict[str, list[tuple[str, str]]] = {"World": [], **{title: [] for title in GROUPS}}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                last = "Output" if "--help" in parameter.opts else "World"
                rows[heading.get(str(parameter.name), last)].append(record)
        for title, records in rows.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


def run_command(
    world: str,
    name: str,
    own_options: Sequence[Option],
    *,
    help: str,
    short_help: str,
    epilog: str,
    presets: tuple[str, ...] = ("tuned", "paper"),
    presets_mean: str = "ours or the paper's",
    budget: str = "90s, 2min, 300 (updates) or 4800episodes",
    arguments: Sequence[str] = (),
) -> click.Command:
    """The command `name` that carries out a run of `world`.

    `own_options` come first in `--help`; each is a click option of a setting, whose name it bears,
    or a parameter that `arguments` names: one that is no setting, as what stands after the command,
    and goes into the request under its name.
    """
    own = tuple(name for name in _names(own_options) if name not in arguments)

    @click.pass_context
    def run(ctx: click.Context, /, **options: Any) -> None:
        _carry_out(ctx, world, options, (*own, *COMMON_OPTIONS), arguments)

    shared: tuple[Option, ...] = (
        algorithm_option(is_usage=world != "train"),
        budget_option(budget),
        preset_option(*presets, means=presets_mean),
        settings_options,
        trust_options,
        seed_option,
        workers_option("Processes at a time; the results do not depend on it."),
        output_options,
        out_option,
        resume_option,
        trace_option,
        report_option,
        debug_option,
    )
    for option in reversed((*own_options, *shared)):
        run = option(run)
    return click.command(name, cls=GroupedCommand, help=help, short_help=short_help, epilog=epilog)(
        run
    )


def _names(options: Sequence[Option]) -> tuple[str, ...]:
    """Names of the parameters that options make."""

    def nothing() -> None: ...

    for option in options:
        option(nothing)
    made: list[click.Parameter] = getattr(nothing, "__click_params__", [])
    return tuple(str(parameter.name) for parameter in made)


def _carry_out(
    ctx: click.Context,
    world: str,
    options: dict[str, Any],
    names: tuple[str, ...],
    arguments: Sequence[str],
) -> None:
    from cli.commands.runs.report import with_report
    from cli.render import Progress, print_result

    request = scenario_request(ctx, options, names)
    request["arguments"] = {name: options[name] for name in arguments}
    with Progress(quiet=options["quiet"]) as progress:
        progress("prepare", 0, 1, WORLDS[world].stages.format_map(request["arguments"]))
        from ss_core.scenario.run import run_scenario

        result = run_scenario(WORLDS[world].scenario, request, progress)
    result = with_report(result, wanted=options["report"])
    print_result(result, as_json=options["as_json"])
    if result.get("failed_check"):
        raise CheckFailedError(f"{result['run_dir']}: {result['failed_check']}")
