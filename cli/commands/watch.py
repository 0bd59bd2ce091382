"""`ss watch`: trained agents as a picture."""

from pathlib import Path

import click

from cli.app import debug_option, example
from cli.options import Number


@click.command("watch", epilog=example("ss watch predation --run runs/<run>"))
@click.argument("env", metavar="TASK")
@click.option(
    "--run",
    "run_dir",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Run directory of `ss train`, or a run folder of `ss bench` (OUT/runs/<cell>/seed<k>).",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    show_default="TASK.gif",
    help="The file: an animation (.gif), or eight steps of the episode on a sheet (.png).",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**31 - 1),
    default=0,
    show_default=True,
    help="Which episode.",
)
@click.option(
    "--fps",
    type=Number(0.5, 50),
    default=5.0,
    show_default=True,
    help="Steps per second of the animation.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
@debug_option
def watch(
    env: str,
    run_dir: Path,
    out: Path | None,
    seed: int,
    fps: float,
    as_json: bool,
    quiet: bool,
) -> None:
    """Draw one episode of trained agents: what each does, and what the others suggest to it."""
    from cli.render import Progress, print_json

    with Progress(quiet=quiet) as progress:
        progress("draw", 0, 1, "playing one episode")
        from paper_envs.pictures.episode import watch_run

        file = Path(f"{env}.gif") if out is None else out
        moments = watch_run(env, run_dir, file, seed=seed, fps=fps, progress=progress)
    if as_json:
        print_json({"schema": "ss.watch/1", "file": str(file), "steps": len(moments)})
    else:
        click.echo(f"{file}: {len(moments)} steps")
