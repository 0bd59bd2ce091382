"""`ss export`: the tables of a run for somebody else, cut down to what they may see."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.app import debug_option, example
from cli.options import RUN_FOLDER
from cli.worlds import loaded, world_of

if TYPE_CHECKING:
    from ss_core.analysis.about import Source


@click.command(
    "export", epilog=example("ss export runs/<run> --format csv --view public --out public")
)
@click.argument("run", type=RUN_FOLDER)
@click.option(
    "--format",
    "form",
    type=click.Choice(["parquet", "csv", "xlsx", "tensorboard"]),
    default="parquet",
    show_default=True,
    help="A folder of Parquet or CSV files, one workbook, or curves for TensorBoard.",
)
@click.option(
    "--view",
    default="exchanged",
    show_default=True,
    metavar="public|exchanged|agent:ID|full",
    help="Who will see it; columns of other classes are left out for good.",
)
@click.option("--table", "tables", multiple=True, metavar="NAME", help="Only this table; repeat.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder, or file for xlsx.  [default: export-VIEW beside the run's name, here]",
)
@click.option("--date", metavar="YYYY-MM-DD", help="Of day 0, for a run that has no date.")
@click.option("--title", default="", help="Of the tables.  [default: the run's name]")
@click.option("--author", default="", help="Whom the tables are from.")
@click.option("--licence", default="", metavar="NAME|URL", help="Of the tables, as CC-BY-4.0.")
@click.option("--force", is_flag=True, help="Replace what is there.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
@debug_option
def export(
    run: Path,
    form: str,
    view: str,
    tables: tuple[str, ...],
    out: Path | None,
    date: str | None,
    title: str,
    author: str,
    licence: str,
    force: bool,
    as_json: bool,
) -> None:
    """Write the tables of RUN as files, with a data dictionary.

    Parquet and CSV come with a datapackage.json (https://datapackage.org), a workbook with a cover
    and notes.
    """
    from cli.render import print_json

    if form == "tensorboard":
        from ss_core.analysis.tensorboard import write_events

        target = out or run / "tensorboard"
        count = write_events(run, target)
        notes, written = (
            [f"{count} curves; open them with: tensorboard --logdir {target}"],
            [target],
        )
    else:
        from ss_core.analysis.about import about_run
        from ss_core.analysis.export import export_view
        from ss_core.analysis.export_writer import small_enough, write_export

        found = export_view(run, view, tables, date=date)
        notes = [f"left out: {name} ({why})" for name, why in found.left_out.items()]
        if form == "xlsx" and not tables:
            found, long = small_enough(found)
            notes += [f"left out: {name} (long; ask for it with --table {name})" for name in long]
        sources = _sources(run, named=view == "full")
        about = about_run(run, found, sources=sources, title=title, author=author, licence=licence)
        name = f"{run.resolve().name}-{view.replace(':', '-')}"
        target = out or Path(f"{name}.xlsx" if form == "xlsx" else name)
        written = write_export(found, about, form, target, force=force)
    if as_json:
        files = [str(path) for path in written]
        print_json({"schema": "ss.export/1", "view": view, "files": files, "notes": notes})
        return
    for note in notes:
        click.echo(note, err=True)
    click.echo(f"export ({view if form != 'tensorboard' else form}): {target}")


def _sources(run: Path, *, named: bool) -> "list[Source]":
    """What the run was made from, as its world tells."""
    from ss_core.analysis.run_data import RunData

    data = RunData(run)
    target = world_of(data.task).sources
    return loaded(target)(data, named=named) if target else []
