"""`ss compare`: key figures of several runs side by side."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.app import debug_option, example
from cli.options import RUN_FOLDER

if TYPE_CHECKING:
    from ss_core.statistics import Interval


@click.command("compare", epilog=example("ss compare runs/<one> runs/<other>"))
@click.argument("runs", nargs=-1, required=True, type=RUN_FOLDER, metavar="RUN...")
@click.option("--kpi", "kpis", multiple=True, metavar="NAME", help="Only this figure; repeat.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
@debug_option
def compare(runs: tuple[Path, ...], kpis: tuple[str, ...], as_json: bool) -> None:
    """Print the key figures of each RUN, and how far it is from the first, with intervals.

    Runs that differ in nothing but the seed are taken together. `ss report RUN RUN` writes the same
    as a page.
    """
    from cli.render import print_json, print_table
    from ss_core.analysis.comparison import compare as compared
    from ss_core.analysis.comparison import groups_of
    from ss_core.analysis.run_data import open_run_data
    from ss_core.report.run_figures import figures_of
    from ss_core.report.side_by_side import group_names

    groups = groups_of([figures_of(open_run_data(folder)) for folder in runs])
    names = group_names(groups)
    records = []
    for one in compared(groups):
        if kpis and one.kpi not in kpis:
            continue
        row: dict[str, Any] = {"row": one.algorithm, "figure": one.kpi, "unit": one.unit}
        for name, value, change in zip(names, one.values, one.differences, strict=True):
            row[name] = _shown(value, as_json)
            if change is not None:
                row[f"{name} less {names[0]}"] = _shown(change, as_json)
        records.append(row)
    members = {name: [run.name for run in group] for name, group in zip(names, groups, strict=True)}
    if as_json:
        print_json({"schema": "ss.compare/1", "groups": members, "figures": records})
        return
    for name, folders in members.items():
        click.echo(f"{name}: {', '.join(folders)}")
    print_table(records)


def _shown(value: "Interval | None", as_json: bool) -> list[float] | str | None:
    if value is None:
        return None
    if as_json:
        return [value.estimate, value.low, value.high]
    return f"{value:.4g}"
