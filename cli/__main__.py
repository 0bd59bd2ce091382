"""`python -m cli grid|traffic|ss`: the command lines where no script is on PATH."""

from cli.app import LazyCommand, example, exit_with, lazy_group

cli = lazy_group(
    "cli",
    "Agents that share suggestions and keep everything else to themselves.",
    {
        "grid": LazyCommand(
            "cli.commands.grid:cli", "Households on a low-voltage feeder (ssgrid)."
        ),
        "traffic": LazyCommand(
            "cli.commands.traffic:cli", "Drivers on a road network (sstraffic)."
        ),
        "ss": LazyCommand("cli.ss:cli", "Tasks of the paper, runs, this installation (ss)."),
    },
    epilog=example("python -m cli grid run --households 50"),
)

if __name__ == "__main__":
    exit_with(cli, "python -m cli")
