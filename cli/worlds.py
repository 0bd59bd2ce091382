"""The register of worlds: what the command line must know of each before it is loaded."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A scenario by name, and the command that runs it; nothing heavy is imported for it."""

    name: str  # of the run's task; `ss config show NAME`
    scenario: str  # module:NAME of its `Scenario`
    summary: str  # module:function that tells a run's page about it
    pictures: str = ""  # module:function that draws a run's hardest day; "": nothing
    sources: str = ""  # module:function that names what a run was made from; "": nothing
    command: str  # module:NAME of the click group that holds its command
    words: tuple[str, ...]  # of that group: what starts a run
    stages: str  # what a run goes through, said before anything is loaded; {name} of an argument


WORLDS = {
    world.name: world
    for world in (
        World(
            name="grid",
            scenario="gridsim.scenario:SCENARIO",
            summary="gridsim.report.page:run_summary",
            pictures="gridsim.report.day_picture:day_pictures",
            sources="gridsim.report.sources:run_sources",
            command="cli.commands.grid:cli",
            words=("run",),
            stages="settings and feeder; then learning, references, scores, audit",
        ),
        World(
            name="traffic",
            scenario="trafficsim.scenario:SCENARIO",
            summary="trafficsim.report.page:run_summary",
            sources="trafficsim.report.sources:run_sources",
            command="cli.commands.traffic:cli",
            words=("run",),
            stages="settings, net and demand; then learning, references, optimum",
        ),
        World(
            name="signals",
            scenario="trafficsim.signals.scenario:SCENARIO",
            summary="trafficsim.report.signals:run_summary",
            sources="trafficsim.report.sources:run_sources",
            command="cli.commands.traffic:cli",
            words=("signals",),
            stages="settings, net and demand; then learning, references",
        ),
        World(
            name="train",
            scenario="paper_envs.training.scenario:SCENARIO",
            summary="paper_envs.training.page:run_summary",
            command="cli.ss:cli",
            words=("train",),
            stages="{env}: looking at it; then learning, comparison",
        ),
    )
}


def world_of(task: str) -> World:
    """The world of a run, by the task in its manifest; what is no other world's is training's."""
    return WORLDS.get(task, WORLDS["train"])


def loaded(target: str) -> Any:
    """What `module:NAME` names."""
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)
