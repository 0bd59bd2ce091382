"""`ssgrid`: households on a low-voltage feeder."""

from pathlib import Path

import click

from cli.app import CONTEXT_SETTINGS, OrderedGroup, debug_option, example, exit_with, version_option
from cli.commands.runs.verify import verify
from cli.options import NumberOrAuto, date_option
from cli.run_command import run_command

SMALL_FEEDER = "kerber_dorfnetz"


@click.group(
    cls=OrderedGroup,
    context_settings=CONTEXT_SETTINGS,
    epilog=example("ssgrid run --households 50"),
)
@version_option
@debug_option
def cli() -> None:
    """Households on a low-voltage feeder shift their loads by suggestions, not by sharing data."""


OPTIONS = (
    click.option(
        "--households",
        type=click.IntRange(1, 5000),
        envvar="SS_HOUSEHOLDS",
        show_default="50",
        help="How many households live on the feeder.",
    ),
    click.option(
        "--case",
        type=click.Choice(["winter-evening", "summer-noon"]),
        envvar="SS_CASE",
        show_default="winter-evening",
        help="Cars and heat pumps of a winter evening, or photovoltaics at a summer noon.",
    ),
    click.option(
        "--feeder",
        metavar="NAME|FILE",
        envvar="SS_FEEDER",
        show_default="chosen by the number of households",
        help="A shipped feeder (see `ssgrid feeders`) or a pandapower JSON file.",
    ),
    click.option(
        "--kva-per-household",
        type=NumberOrAuto(0.1, 100),
        metavar="KVA|auto",
        envvar="SS_KVA_PER_HOUSEHOLD",
        show_default="2.0",
        help="Transformer rating per household [kVA]; auto: few households get more each.",
    ),
    click.option(
        "--phases",
        type=click.Choice(["balanced", "unbalanced"]),
        envvar="SS_PHASES",
        show_default="balanced",
        help="Power flow of three phases alike, or with every household on a phase of its own.",
    ),
    click.option(
        "--days",
        type=click.IntRange(1, 365),
        envvar="SS_DAYS",
        help="Held-out days on which every policy is scored.",
    ),
    click.option(
        "--instruments",
        metavar="all|NAME,…",
        envvar="SS_INSTRUMENTS",
        help="Policy instruments as further rows: tariffs, § 14a dimming, limits, valley filling.",
    ),
    click.option(
        "--meter",
        metavar="FILE",
        envvar="SS_METER",
        help="Measured loads, CSV or Parquet: timestamp, household, kW; they replace base load.",
    ),
    click.option(
        "--households-file",
        metavar="FILE",
        envvar="SS_HOUSEHOLDS_FILE",
        help="Who lives at which bus, with what (CSV); `ssgrid template households` writes one.",
    ),
    click.option(
        "--prices",
        metavar="FILE",
        envvar="SS_PRICES",
        help="A day-ahead series as exchanges publish it, EUR/MWh or EUR/kWh in its header.",
    ),
    click.option(
        "--price-column",
        metavar="TEXT",
        envvar="SS_PRICE_COLUMN",
        help="A part of the header that tells which of several columns of prices is meant.",
    ),
    click.option(
        "--zone",
        metavar="ZONE",
        envvar="SS_ZONE",
        show_default="as the files write it",
        help="Time zone of the clock of these files, as in Europe/Berlin.",
    ),
    date_option,
    click.option(
        "--neighbours",
        type=click.IntRange(1, 5000),
        envvar="SS_NEIGHBOURS",
        show_default="8",
        help="Peers a household exchanges suggestions with.",
    ),
)
cli.add_command(
    run_command(
        "grid",
        "run",
        OPTIONS,
        help="Train, score on held-out days against exact references, audit, and write traces.",
        short_help="Train households, compare, audit, report.",
        epilog=example("ssgrid run --households 50"),
        presets=("tuned", "paper", "sampled"),
        presets_mean="ours, the paper's, or without counterfactuals",
    )
)


@cli.command("feeders", epilog=example("ssgrid feeders"))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
@debug_option
def feeders(as_json: bool) -> None:
    """List the feeders that are shipped."""
    from cli.render import print_records
    from gridsim.network.feeder import load_compiled
    from ss_core.resources import data_path

    compiled = (load_compiled(path) for path in sorted(data_path("feeders").glob("*.npz")))
    records = [
        {
            "feeder": feeder.name,
            "house_connections": feeder.load_count,
            "buses": feeder.bus_count,
            "lines": len(feeder.line_index),
            "length_km": round(float(feeder.line_length_km.sum()), 3),
            "transformer_kva": round(1000 * feeder.transformer_sn_mva, 3),
        }
        for feeder in compiled
    ]
    print_records("ss.feeders/1", "feeders", records, as_json=as_json)


@cli.group("template", context_settings=CONTEXT_SETTINGS)
def template() -> None:
    """Write files to fill in."""


@template.command(
    "households",
    short_help="Write a table of households to fill in.",
    epilog=example("ssgrid template households --out my_households.csv"),
)
@click.option(
    "--feeder",
    metavar="NAME|FILE",
    envvar="SS_FEEDER",
    default=SMALL_FEEDER,
    show_default=True,
    help="Whose buses are listed: a shipped feeder, or a pandapower JSON file.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("households.csv"),
    show_default=True,
    help="The file; one that exists is not overwritten.",
)
@debug_option
def template_households(feeder: str, out: Path) -> None:
    """Write a table of a household at each house connection, for `--households-file`."""
    from gridsim.network.pandapower_io import load_feeder
    from gridsim.own_data.households_file import template as household_table
    from ss_core.errors import ConfigError

    text = household_table(load_feeder(feeder, households=1, kva_per_household=None))
    try:
        with out.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
    except FileExistsError as error:
        raise ConfigError(f"{out}: exists; name another with --out, or remove it") from error
    except OSError as error:
        raise ConfigError(f"{out}: cannot be written ({error.strerror}); name another") from error
    click.echo(f"{out}: {text.count(chr(10)) - 1} households at the buses of {feeder}")
    click.echo(f"fill it in, then: ssgrid run --feeder {feeder} --households-file {out}")


cli.add_command(verify)


def main() -> None:
    """Entry point of the `ssgrid` script."""
    exit_with(cli, "ssgrid")


if __name__ == "__main__":
    main()
