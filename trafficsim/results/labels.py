"""Rows of traffic runs' tables in their order, and what people call those that nobody learned."""

from ss_core.algorithms.registry import algorithm_named
from ss_core.report.labels import LEARNED, SELFISH, Label, Labels, title_of
from trafficsim.routing.config import RoutingConfig

ROWS = (
    *("all_shortest", "as_given", "random", "user_equilibrium", "duaiterate", SELFISH),
    *(LEARNED, "planner", "tolls", "optimum"),
)
LABELS: Labels = {
    "all_shortest": Label("everyone on the shortest road", "uncontrolled"),
    "as_given": Label("as the demand file has it", "uncontrolled"),
    "random": Label("random alternatives", "uncontrolled"),
    "user_equilibrium": Label("user equilibrium (UE)", "equilibrium"),
    "duaiterate": Label("duaIterate (SUMO's own tool)", "equilibrium"),
    "planner": Label("planner on the public model", "planner"),
    "tolls": Label("marginal-cost tolls", "planner"),
    "optimum": Label("system optimum (best found)", "best"),
}


def knows(config: RoutingConfig) -> dict[str, str]:
    """What each row knows when it decides."""
    everything = "everybody's choice, SUMO's days"
    planned = "everybody's choice, the link model"
    learner = "routes announced, the link model" if config.link_model else "own trips"
    suggests = algorithm_named(config.learner.algorithm).suggests
    return {
        "all_shortest": "the empty network",
        "as_given": "the demand file",
        "random": "own routes",
        "user_equilibrium": everything,
        "duaiterate": everything,
        SELFISH: learner,
        LEARNED: f"{learner}, suggestions" if suggests else learner,
        "planner": planned,
        "tolls": planned,
        "optimum": everything,
    }


def under(name: str, selfish: str) -> str:
    """Whose figure a number in a sentence is."""
    return "at the equilibrium" if name == selfish else f"under {title_of(LABELS, name)}"
