"""`sstraffic`: drivers on SUMO road networks."""

from pathlib import Path

import click

from cli.app import CONTEXT_SETTINGS, OrderedGroup, debug_option, example, exit_with, version_option
from cli.commands.runs.verify import verify
from cli.commands.signals import signals
from cli.options import Number, date_option
from cli.run_command import run_command
from ss_core.errors import InputError

PROBLEMS_SHOWN = 20


@click.group(
    cls=OrderedGroup,
    context_settings=CONTEXT_SETTINGS,
    epilog=example("sstraffic run --net data/nets/grid.net.xml"),
)
@version_option
@debug_option
def cli() -> None:
    """Drivers choose their routes through a SUMO network by suggestions, not by sharing data."""


OPTIONS = (
    click.option(
        "--net",
        metavar="FILE|NAME",
        envvar="SS_NET",
        help="A SUMO network (.net.xml), or the name of one that comes with sumo-rl (see `nets`).",
    ),
    click.option("--trips", metavar="FILE", envvar="SS_TRIPS", help="Demand: a SUMO trips file."),
    click.option("--routes", metavar="FILE", envvar="SS_ROUTES", help="Demand: a SUMO route file."),
    click.option(
        "--od", metavar="FILE", envvar="SS_OD", help="Demand: an OD matrix, $O format or XML."
    ),
    click.option("--taz", metavar="FILE", envvar="SS_TAZ", help="Zones of the demand."),
    click.option(
        "--sumocfg",
        metavar="FILE",
        help="A SUMO configuration: its net, routes and additional files are taken.",
    ),
    click.option(
        "--additional-files",
        "additional",
        metavar="FILES",
        envvar="SS_ADDITIONAL_FILES",
        help="SUMO's additional files, separated by commas: types, zones, stops, light programs.",
    ),
    click.option(
        "--classes",
        metavar="CLASSES",
        envvar="SS_CLASSES",
        show_default="passenger",
        help="Vehicle classes that decide; all others drive as the demand has them.",
    ),
    click.option(
        "--ignore-route-errors",
        is_flag=True,
        envvar="SS_IGNORE_ROUTE_ERRORS",
        help="Leave trips out that cannot be driven, and count them.",
    ),
    click.option(
        "--drivers",
        type=click.IntRange(1, 20_000),
        envvar="SS_DRIVERS",
        show_default="60",
        help="How many trips are drawn where no demand is given.",
    ),
    click.option(
        "--share",
        type=Number(0, 1, min_open=True),
        envvar="SS_SHARE",
        show_default="1.0",
        help="Share of the drivers with a choice that take part; the others drive as before.",
    ),
    click.option(
        "--en-route", is_flag=True, envvar="SS_EN_ROUTE", help="Decide again where routes part."
    ),
    click.option(
        "--drivers-and-signals",
        "signals",
        is_flag=True,
        envvar="SS_SIGNALS",
        help="The net's traffic lights learn, too, on the same days.",
    ),
    click.option(
        "--meso",
        is_flag=True,
        envvar="SS_MESO",
        help="SUMO's mesoscopic model: faster, another model.",
    ),
    click.option(
        "--days",
        type=click.IntRange(1, 1000),
        envvar="SS_DAYS",
        show_default="16",
        help="Held-out days on which every policy is scored.",
    ),
    date_option,
    click.option(
        "--neighbours",
        type=click.IntRange(1, 5000),
        envvar="SS_NEIGHBOURS",
        show_default="8",
        help="Drivers that one exchanges suggestions with.",
    ),
    click.option(
        "--cross-check", is_flag=True, envvar="SS_CROSS_CHECK", help="Also run SUMO's duaIterate."
    ),
)
cli.add_command(
    run_command(
        "traffic",
        "run",
        OPTIONS,
        short_help="Train drivers, compare, report.",
        epilog=example("sstraffic run --net data/nets/grid.net.xml"),
        help="Train drivers, score them on held-out days against equilibrium and optimum, write "
        "traces.\n\nWithout --trips, --routes or --od the trips file beside the net is taken "
        "(NAME.trips.xml); if there is none, demand is drawn.",
    )
)

cli.add_command(signals)


@cli.command(
    "nets",
    short_help="List the networks there are, and their licences.",
    epilog=example("sstraffic nets"),
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
@debug_option
def nets(as_json: bool) -> None:
    """List the networks that are shipped, and those that come with sumo-rl, with their licences."""
    from cli.render import print_records
    from trafficsim.nets.catalogue import NETS, SHIPPED, shipped_nets

    records = [
        {"net": str(path), "licence": SHIPPED, "note": "see data/nets/README.md"}
        for path in shipped_nets()
    ]
    records += [
        {"net": name, "licence": net.licence, "note": net.note} for name, net in NETS.items()
    ]
    print_records("ss.nets/1", "nets", records, as_json=as_json)


@cli.command(
    "net",
    short_help="Check a SUMO network.",
    epilog=example("sstraffic net data/nets/grid.net.xml"),
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
@debug_option
def check_net(file: Path, as_json: bool) -> None:
    """Check the SUMO network FILE (.net.xml) without SUMO; all problems at once; exit 3 if any."""
    from cli.render import print_json, print_table
    from trafficsim.nets.catalogue import net_file, origin_notes
    from trafficsim.nets.network import preflight

    found = net_file(str(file))
    report = preflight(found)
    notes = [*report.notes, *origin_notes(str(file), found)]
    if as_json:
        print_json({"schema": "ss.net/1", "file": str(found), **report.as_record(), "notes": notes})
    else:
        print_table([{"quantity": key, "value": value} for key, value in report.summary().items()])
        for note in notes:
            click.echo(f"note: {note}")
        for problem in report.problems[:PROBLEMS_SHOWN]:
            click.echo(problem, err=True)
    if report.problems:
        raise InputError(
            f"{found}: {len(report.problems)} problems; fix them in netedit or netconvert"
        )


cli.add_command(verify)


def main() -> None:
    """Entry point of the `sstraffic` script."""
    exit_with(cli, "sstraffic")


if __name__ == "__main__":
    main()
