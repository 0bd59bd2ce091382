"""`sstraffic signals`: traffic lights that coordinate by suggestions, on sumo-rl."""

import click

from cli.app import example
from cli.options import date_option
from cli.run_command import run_command

OPTIONS = (
    click.option(
        "--net",
        metavar="FILE",
        envvar="SS_NET",
        help="A SUMO network (.net.xml) with traffic lights.",
    ),
    click.option(
        "--routes",
        metavar="FILE",
        envvar="SS_ROUTES",
        show_default="beside the net, sumo-rl's, or drawn",
        help="Demand: a SUMO file of routes or flows.",
    ),
    click.option("--trips", metavar="FILE", envvar="SS_TRIPS", help="Demand: a SUMO trips file."),
    click.option(
        "--scenario",
        metavar="NAME",
        envvar="SS_SCENARIO",
        help="A net inside sumo-rl instead: 2x2grid, 4x4grid, cologne8 …; any other name lists "
        "them.",
    ),
    click.option(
        "--seconds",
        type=click.IntRange(10, 10**6),
        envvar="SS_SECONDS",
        show_default="600; 3600 on RESCO's nets",
        help="Length of an episode.",
    ),
    click.option(
        "--reward",
        type=click.Choice(["diff-waiting-time", "average-speed", "queue", "pressure"]),
        envvar="SS_REWARD",
        show_default="diff-waiting-time",
        help="What each light is rewarded for, of sumo-rl's.",
    ),
    click.option(
        "--episodes",
        type=click.IntRange(1, 1000),
        envvar="SS_EPISODES",
        show_default="10",
        help="Held-out episodes on which every row is scored.",
    ),
    date_option,
)
signals = run_command(
    "signals",
    "signals",
    OPTIONS,
    short_help="Train traffic lights, compare, report.",
    epilog=example("sstraffic signals --net data/nets/grid_3x3.net.xml"),
    help="""Train traffic lights, and compare with fixed time, actuated and independent ones.

    Either --net FILE, whose demand is given, lies beside it or is drawn, or --scenario NAME.
    """,
    budget="90s, 2min, 60 (updates) or 240episodes",
)
