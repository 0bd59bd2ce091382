"""`ss`: runs, checks and this installation, whatever the world."""

from pathlib import Path
from typing import Any

import click

from cli.app import (
    CONTEXT_SETTINGS,
    LazyCommand,
    OrderedGroup,
    debug_option,
    example,
    exit_with,
    lazy_group,
)
from cli.commands.runs.verify import verify
from cli.options import RUN_FOLDER
from ss_core.errors import InputError

LEARN, READ, HERE = "Learning", "Finished runs", "This installation"
cli = lazy_group(
    "ss",
    "Agents that share suggestions and keep everything else to themselves.\n\n"
    "Many systems have another `ss`, for sockets; this is `.venv/bin/ss` or `python -m cli ss`.",
    {
        "train": LazyCommand(
            "cli.commands.train:train", "Train in a task or in any PettingZoo game.", LEARN
        ),
        "bench": LazyCommand(
            "cli.commands.bench.paper:bench", "Run the comparisons of the paper again.", LEARN
        ),
        "study": LazyCommand(
            "cli.commands.studies.study:study", "Many runs over axes and seeds, one answer.", LEARN
        ),
        "watch": LazyCommand(
            "cli.commands.watch:watch", "Draw an episode of trained agents.", LEARN
        ),
        "envs": LazyCommand("cli.commands.envs:envs", "List the tasks known by name.", LEARN),
        "algorithms": LazyCommand(
            "cli.commands.algorithms:algorithms",
            "List the algorithms and what they exchange.",
            LEARN,
        ),
        "runs": LazyCommand("cli.ss:runs", "List, show and delete run directories.", READ),
        "report": LazyCommand(
            "cli.commands.runs.report:report", "Write an HTML page about runs.", READ
        ),
        "figure": LazyCommand(
            "cli.commands.runs.figure:figure", "Draw the hardest day, before and after.", READ
        ),
        "compare": LazyCommand(
            "cli.commands.runs.compare:compare", "Key figures of runs side by side.", READ
        ),
        "sql": LazyCommand("cli.commands.runs.sql:sql", "Query the tables of a run.", READ),
        "export": LazyCommand(
            "cli.commands.runs.export:export", "Write a run's tables for somebody else.", READ
        ),
        "verify": LazyCommand(
            "cli.commands.runs.verify:verify", "Recompute every checksum of a run directory.", READ
        ),
        "config": LazyCommand(
            "cli.commands.config_show:config", "Settings of runs, and their origins.", HERE
        ),
        "doctor": LazyCommand("cli.commands.doctor:doctor", "Check this installation.", HERE),
        "completion": LazyCommand(
            "cli.commands.completion:completion", "Print a shell's completion script.", HERE
        ),
    },
    epilog=example("ss train predation --updates 20"),
)


@click.group("runs", cls=OrderedGroup, context_settings=CONTEXT_SETTINGS)
def runs() -> None:
    """List, show and delete run directories."""


@runs.command("ls", epilog=example("ss runs ls"))
@click.argument("root", type=click.Path(path_type=Path), default=Path("runs"))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
@debug_option
def list_runs(root: Path, as_json: bool) -> None:
    """List the runs in the folder ROOT (default: runs), newest last."""
    from cli.render import print_records

    if not root.is_dir():
        raise InputError(
            f"{root}: no such folder; `ss train` and `ssgrid run` make one, or name another"
        )
    folders = sorted(path.parent for path in root.glob("*/manifest.json"))
    print_records("ss.runs/1", "runs", [_describe(folder) for folder in folders], as_json=as_json)


@runs.command("show", epilog=example("ss runs show runs/<run>"))
@click.argument("run", type=RUN_FOLDER)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
@debug_option
def show_run(run: Path, as_json: bool) -> None:
    """Say what RUN is: status, command, tables, key figures."""
    from cli.render import print_json, print_table
    from ss_core.analysis.queries import list_views
    from ss_core.analysis.run_data import open_run_data
    from ss_core.report.run_figures import figures_of

    data = open_run_data(run)
    facts = {
        **_describe(run),
        "run_id": data.block["run_id"],
        "started": data.environment.get("created"),
        "command": data.environment.get("command"),
        "wall_s": data.timing.get("wall_s"),
    }
    tables = [{"table": one.name, "rows": one.rows} for one in list_views(run)]
    found = figures_of(data)
    figures = [
        {"row": row, "figure": kpi, "value": one.estimate, "low": one.low, "high": one.high,
         "unit": found.units[row, kpi]}
        for (row, kpi), one in found.figures.items()
    ]  # fmt: skip
    if as_json:
        print_json({"schema": "ss.run_facts/1", **facts, "tables": tables, "figures": figures})
        return
    print_table([{"what": key, "value": value} for key, value in facts.items()])
    print_table(tables)
    print_table(figures)


@runs.command("rm", epilog=example("ss runs rm runs/<old> --yes"))
@click.argument("folders", nargs=-1, required=True, type=RUN_FOLDER)
@click.option("--yes", is_flag=True, help="Do not ask.")
@debug_option
def remove_runs(folders: tuple[Path, ...], yes: bool) -> None:
    """Delete run directories; refuses what is no run, or in use."""
    import shutil

    from ss_core.errors import RunLockedError
    from ss_core.record.locks import is_locked
    from ss_core.record.manifest import read_manifest

    for folder in folders:
        if folder.is_symlink():
            raise InputError(f"{folder}: a link; name the folder itself")
        read_manifest(folder)
        if is_locked(folder):
            raise RunLockedError(f"{folder}: another process works on this run; stop it first")
    for folder in folders:
        if yes or click.confirm(f"delete {folder}?", err=True):
            shutil.rmtree(folder)
            click.echo(f"deleted {folder}")


def _describe(folder: Path) -> dict[str, Any]:
    from ss_core.errors import CorruptError
    from ss_core.record.locks import is_locked
    from ss_core.record.manifest import read_manifest

    try:
        block = read_manifest(folder)["ss"]
    except CorruptError:
        return {"run": folder.name, "status": "corrupt", "task": None, "seed": None, "in_use": None}
    return {
        "run": folder.name,
        "status": block["status"],
        "task": block.get("task"),
        "seed": block.get("seed"),
        "in_use": is_locked(folder),
    }


runs.add_command(verify)


def main() -> None:
    """Entry point of the `ss` script."""
    exit_with(cli, "ss")


if __name__ == "__main__":
    main()
