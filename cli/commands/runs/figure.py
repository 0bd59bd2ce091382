"""`ss figure`: the hardest day of a run as pictures for a document."""

from pathlib import Path

import click

from cli.app import debug_option, example
from cli.options import RUN_FOLDER
from cli.worlds import WORLDS, loaded, world_of
from ss_core.errors import InputError


@click.command("figure", epilog=example("ss figure runs/<run> --out pictures"))
@click.argument("run", type=RUN_FOLDER)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    show_default="here",
    help="Folder for the pictures; those there are replaced.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
@debug_option
def figure(run: Path, out: Path, as_json: bool) -> None:
    """Draw the hardest held-out day of RUN before and after, as SVG for light and dark pages.

    RUN is a run of households; the pages of other runs (`ss report`) hold their pictures.
    """
    from cli.render import print_json
    from ss_core.analysis.run_data import open_run_data
    from ss_core.record.atomic import atomic_write, make_folder

    data = open_run_data(run)
    world = world_of(data.task)
    if not world.pictures:
        known = ", ".join(name for name, one in WORLDS.items() if one.pictures)
        raise InputError(f"{run}: a run of {data.task}, and pictures are of runs of {known}")
    drawn: dict[str, bytes] = loaded(world.pictures)(data)
    make_folder(out)
    for name, picture in drawn.items():
        atomic_write(out / name, picture)
    files = [str(out / name) for name in drawn]
    if as_json:
        print_json({"schema": "ss.figure/1", "run": str(run), "files": files})
    else:
        click.echo("\n".join(f"picture: {name}" for name in files))
