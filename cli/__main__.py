"""`python -m cli grid|traffic|ss`: the command lines where no script is on PATH."""

from cli.app import LazyCommand, exit_with, lazy_group

cli = lazy_group(
    "cli",
    "Agents that share suggestions and keep everything else to themselves.",
    {
        "grid": LazyCommand(
            "cli.commands.grid:cli", "Households on a low-voltage feeder (ssgrid)."
        ),
        "ss": LazyCommand("cli.ss:cli", "Runs, checks and this installation (ss)."),
        "traffic": LazyCommand("cli.commands.traffic:cli", "Road networks (sstraffic)."),
    },
)

if __name__ == "__main__":
    exit_with(cli, "python -m cli")
