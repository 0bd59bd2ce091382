"""`ssgrid`: households on a low-voltage feeder."""

import click

from cli.app import CONTEXT_SETTINGS, debug_option, exit_with, version_option
from cli.commands.runs.verify import verify
from cli.options import NumberOrAuto, date_option
from cli.run_command import run_command


@click.group(context_settings=CONTEXT_SETTINGS)
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
        presets=("tuned", "paper", "sampled"),
        presets_mean="ours, the paper's, or without counterfactuals",
    )
)


@cli.command("feeders")
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


cli.add_command(verify)


def main() -> None:
    """Entry point of the `ssgrid` script."""
    exit_with(cli, "ssgrid")


if __name__ == "__main__":
    main()
