"""`ss envs`: the tasks that have a name, and whether each is a dilemma."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.app import debug_option, example

if TYPE_CHECKING:
    from paper_envs.dilemma.measure import TaskDiagram

EPISODES = 200


@click.command("envs", epilog=example("ss envs"))
@click.option(
    "--diagram",
    "diagram",
    metavar="[TASK|RUN]",
    is_flag=False,
    flag_value="paper",
    help="Draw the Schelling diagram of TASK; of the paper's tasks without one, or with `paper`; "
    "of the small variants with `small`; of the game of a RUN of `ss train --compare independent`.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    show_default="schelling-TASK.png",
    help="With --diagram, the file: a picture (.png, .svg), or its numbers (.csv).",
)
@click.option(
    "--agents",
    type=click.IntRange(min=2),
    show_default="the paper's",
    help="With --diagram, how many play.",
)
@click.option(
    "--episodes",
    type=click.IntRange(min=10),
    show_default=str(EPISODES),
    help="With --diagram, how many are played with each number of cooperators.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**31 - 1),
    show_default="0",
    help="With --diagram, which episodes.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
@debug_option
def envs(
    diagram: str | None,
    out: Path | None,
    agents: int | None,
    episodes: int | None,
    seed: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """List the tasks that `ss train`, `ss watch` and `ss bench` know by name.

    `ss train` also takes any PettingZoo ParallelEnv, as MODULE:FUNCTION.

    With --diagram: play a task with every number of cooperators, and draw what it pays to defect.
    """
    given = {"--out": out, "--agents": agents, "--episodes": episodes, "--seed": seed}
    if diagram is None:
        unused = [name for name, value in given.items() if value is not None]
        if unused:
            raise click.UsageError(f"{unused[0]} needs --diagram [TASK]: add it")
        _list_tasks(as_json=as_json)
        return
    _draw_diagram(
        diagram,
        Path(f"schelling-{Path(diagram).name}.png") if out is None else out,
        {"num_agents": agents, "episodes": episodes or EPISODES, "seed": seed or 0},
        as_json=as_json,
        quiet=quiet,
    )


def _list_tasks(*, as_json: bool) -> None:
    from cli.render import print_json, print_table
    from paper_envs.tasks import TASKS

    records = [_described(name) for name in TASKS]
    if as_json:
        print_json({"schema": "ss.envs/1", "envs": records})
        return
    print_table([_row(record) for record in records])
    click.echo("any other PettingZoo game: ss train MODULE:FUNCTION")


def _described(name: str) -> dict[str, Any]:
    from paper_envs.tasks import TASKS, make_env

    task, spec = TASKS[name], make_env(name, 1).spec
    return {
        "env": name,
        "title": task.title,
        "what_it_is": task.summary,
        "agents": task.num_agents,
        "fewest_agents": task.agent_counts[0],
        "most_agents": task.agent_counts[1],
        "actions": spec.num_actions,
        "observation": spec.observation_size,
        "horizon": task.horizon,
        "origin": "paper" if task.in_paper else "small variant",
    }


def _row(record: dict[str, Any]) -> dict[str, Any]:
    """The same for people: a range of agents in one cell, and no column twice as long as needed."""
    span = f"{record['agents']} ({record['fewest_agents']} to {record['most_agents']})"
    shown = ("env", "agents", "actions", "observation", "horizon", "origin", "what_it_is")
    return {key: record[key] for key in shown} | {"agents": span}


def _draw_diagram(
    name: str, out: Path, settings: dict[str, Any], *, as_json: bool, quiet: bool
) -> None:
    from cli.render import Progress, print_json
    from paper_envs.dilemma.files import check_format, write
    from paper_envs.dilemma.learned import measure_run
    from paper_envs.dilemma.measure import left_out_of, measure, tasks_of
    from ss_core.errors import ConfigError

    check_format(out)
    run = Path(name)
    if run.is_dir() and settings["num_agents"] is not None:
        raise ConfigError(f"--agents: {run} has its own number of agents; leave it out")
    with Progress(quiet=quiet) as progress:
        if run.is_dir():
            played = {key: value for key, value in settings.items() if key != "num_agents"}
            diagrams = [measure_run(run, **played, progress=progress)]
        else:
            diagrams = [measure(task, **settings, progress=progress) for task in tasks_of(name)]
        write(out, diagrams)
    if as_json:
        records = [_as_record(one) for one in diagrams]
        print_json(
            {
                "schema": "ss.schelling/1",
                "file": str(out),
                "diagrams": records,
                "left_out": left_out_of(name),
            }
        )
        return
    for one in diagrams:
        _print_diagram(one)
    for task, why in left_out_of(name).items():
        click.echo(f"{task} is left out: {why}\n")
    click.echo(str(out))


def _as_record(one: "TaskDiagram") -> dict[str, Any]:
    from paper_envs.dilemma.words import conclusion, numbers_of

    return {
        "env": one.name,
        "agents": one.num_agents,
        "episodes": one.episodes,
        "cooperating": one.roles.cooperates,
        "defecting": one.roles.defects,
        "rows": numbers_of(one.diagram),
        "tests": {
            question.name: {
                "question": question.words,
                "answer": question.verdict,
                "difference": question.difference.estimate,
                "low": question.difference.low,
                "high": question.difference.high,
            }
            for question in one.diagram.questions
        },
        "dilemma": one.diagram.is_dilemma,
        "conclusion": conclusion(one.diagram),
    }


def _print_diagram(one: "TaskDiagram") -> None:
    from cli.render import print_table
    from paper_envs.dilemma.words import answer, conclusion, rows_of

    title = (
        f"{one.title}, {one.num_agents} agents: return per episode of one of them, mean "
        f"[95 % interval] of {one.episodes} episodes"
    )
    print_table(rows_of(one.diagram), title=title)
    click.echo(f"one who cooperates: {one.roles.cooperates}")
    click.echo(f"one who defects: {one.roles.defects}")
    for question in one.diagram.questions:
        click.echo(answer(question))
    click.echo(f"{one.name}: {conclusion(one.diagram)}\n")
