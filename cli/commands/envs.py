"""`ss envs`: the tasks that have a name."""

from typing import Any

import click

from cli.app import debug_option


@click.command("envs")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
@debug_option
def envs(as_json: bool) -> None:
    """List the tasks that `ss train`, `ss watch` and `ss bench` know by name.

    `ss train` also takes any PettingZoo ParallelEnv, as MODULE:FUNCTION.
    """
    from cli.render import print_json, print_table
    from paper_envs.tasks import TASKS

    records = [_described(name) for name in TASKS]
    if as_json:
        print_json({"schema": "ss.envs/1", "envs": records})
        return
    print_table([_row(record) for record in records])
    click.echo("any other PettingZoo ParallelEnv with discrete actions: ss train MODULE:FUNCTION")


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
