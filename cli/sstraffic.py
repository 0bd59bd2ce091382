"""`sstraffic`: drivers on SUMO road networks."""

from pathlib import Path
from typing import Any

import click

from cli.app import CONTEXT_SETTINGS, debug_option, exit_with, version_option
from cli.options import out_option, output_options, resume_option, seed_option
from cli.settings import (
    from_assignments,
    from_environment,
    from_file,
    from_options,
    parse_budget,
)
from cli.traffic_signals import signals
from cli.verify import verify
from ss_core.errors import InputError

PROBLEMS_SHOWN = 20
OPTIONS_OF_THE_SCENARIO = (
    "net",
    "trips",
    "routes",
    "od",
    "taz",
    "drivers",
    "share",
    "en_route",
    "signals",
    "meso",
    "days",
    "seed",
    "algorithm",
    "neighbours",
    "budget",
    "workers",
    "cross_check",
    "trace",
    "device",
)
ALGORITHMS = ("ss", "independent", "centralised", "vps", "vs", "ps")


@click.group(context_settings=CONTEXT_SETTINGS)
@version_option
@debug_option
def cli() -> None:
    """Drivers choose their routes through a SUMO network by suggestions, not by sharing data."""


@cli.command("run")
@click.option(
    "--net",
    metavar="FILE|NAME",
    envvar="SS_NET",
    help="A SUMO network (.net.xml), or the name of one that comes with sumo-rl (see `nets`).",
)
@click.option("--trips", metavar="FILE", envvar="SS_TRIPS", help="Demand: a SUMO trips file.")
@click.option("--routes", metavar="FILE", envvar="SS_ROUTES", help="Demand: a SUMO route file.")
@click.option(
    "--od", metavar="FILE", envvar="SS_OD", help="Demand: an OD matrix, $O format or XML."
)
@click.option("--taz", metavar="FILE", envvar="SS_TAZ", help="Zones of the OD matrix.")
@click.option(
    "--drivers",
    type=click.IntRange(1, 20_000),
    envvar="SS_DRIVERS",
    show_default="60",
    help="How many trips are drawn where no demand is given.",
)
@click.option(
    "--share",
    type=click.FloatRange(0, 1, min_open=True),
    envvar="SS_SHARE",
    show_default="1.0",
    help="Share of the drivers with a choice that take part; the others drive as ever.",
)
@click.option(
    "--en-route", is_flag=True, envvar="SS_EN_ROUTE", help="Decide again where routes part."
)
@click.option(
    "--drivers-and-signals",
    "signals",
    is_flag=True,
    envvar="SS_SIGNALS",
    help="The net's traffic lights learn, too, on the same days.",
)
@click.option(
    "--meso", is_flag=True, envvar="SS_MESO", help="SUMO's mesoscopic model: faster, another model."
)
@click.option(
    "--days",
    type=click.IntRange(1, 1000),
    envvar="SS_DAYS",
    show_default="16",
    help="Held-out days on which every policy is scored.",
)
@seed_option
@click.option(
    "--algorithm",
    type=click.Choice(ALGORITHMS),
    envvar="SS_ALGORITHM",
    show_default="ss",
    help="Who learns from what; see docs.",
)
@click.option(
    "--neighbours",
    type=click.IntRange(1, 5000),
    envvar="SS_NEIGHBOURS",
    show_default="8",
    help="Drivers that one exchanges suggestions with.",
)
@click.option(
    "--budget",
    metavar="LENGTH",
    envvar="SS_BUDGET",
    help="How long to train: 90s, 2min, 300 (updates) or 4800episodes.",
)
@out_option
@resume_option
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    envvar="SS_CONFIG",
    help="Settings in TOML; ./ss.toml is read when there is one.",
)
@click.option(
    "--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Any setting by dotted name."
)
@click.option(
    "--preset",
    type=click.Choice(["tuned", "paper"]),
    envvar="SS_PRESET",
    show_default="tuned",
    help="Hyper-parameters: ours or the paper's.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    envvar="SS_WORKERS",
    show_default="2",
    help="Processes at a time; the results do not depend on it.",
)
@click.option(
    "--cross-check", is_flag=True, envvar="SS_CROSS_CHECK", help="Also run SUMO's duaIterate."
)
@click.option(
    "--trace",
    type=click.Choice(["off", "kpi", "agent", "full"]),
    envvar="SS_TRACE",
    help="How much is recorded.",
)
@output_options
@debug_option
@click.pass_context
def run(ctx: click.Context, /, **options: Any) -> None:
    """Train drivers, score them on held-out days against equilibrium and optimum, write traces.

    Without --trips, --routes or --od the trips file beside the net is taken (NAME.trips.xml), and
    where there is none, demand is drawn.
    """
    from cli.render import Progress, print_result

    request = build_request(ctx, options)
    from trafficsim.scenario import run_from_cli

    with Progress(quiet=options["quiet"]) as progress:
        result = run_from_cli(request, progress)
    print_result(result, as_json=options["as_json"])


def build_request(ctx: click.Context, options: dict[str, Any]) -> dict[str, Any]:
    """What `trafficsim.scenario.run_from_cli` needs, as plain values.

    `overrides` holds only what somebody set, by dotted name, `origins` who set it; `budget` in it
    is a dict with one of `seconds`, `updates`, `episodes`. Presets and defaults are the scenario's.
    """
    settings = from_assignments(options["assignments"]).over(
        from_options(ctx, (*OPTIONS_OF_THE_SCENARIO, "preset"))
        .over(from_environment(OPTIONS_OF_THE_SCENARIO))
        .over(from_file(options["config"]))
    )
    overrides = dict(settings.values)
    if "budget" in overrides:
        overrides["budget"] = parse_budget(str(overrides["budget"]))
    return {
        "preset": overrides.pop("preset", "tuned"),
        "overrides": overrides,
        "origins": dict(settings.origins),
        "out": str(options["out"]),
        "resume": options["resume"],
        "dry_run": options["dry_run"],
    }


@cli.command("nets")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
@debug_option
def nets(as_json: bool) -> None:
    """List the networks that are shipped, and those that come with sumo-rl, with their licences."""
    from cli.render import print_records
    from ss_core.resources import data_path
    from trafficsim.named_nets import named_net, net_names

    records = [
        {"net": str(path), "licence": "Apache-2.0", "note": "see data/nets/README.md"}
        for path in sorted(data_path("nets").glob("*.net.xml"))
    ]
    for name in net_names():
        found = named_net(name)
        records.append({"net": name, "licence": found.licence, "note": found.note})
    print_records("ss.nets/1", "nets", records, as_json=as_json)


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


cli.add_command(signals)
cli.add_command(verify)


def main() -> None:
    """Entry point of the `sstraffic` script."""
    exit_with(cli, "sstraffic")


if __name__ == "__main__":
    main()
