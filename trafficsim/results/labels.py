"""Rows of traffic runs' tables in their order, and what people call those that nobody learned."""

from ss_core.report.labels import LEARNED, SELFISH, Label, Labels, title_of

ROWS = (
    *("all_shortest", "as_given", "random", "user_equilibrium", "duaiterate", SELFISH),
    *(LEARNED, "tolls", "optimum"),
)
LABELS: Labels = {
    "all_shortest": Label("everyone on the shortest road", "uncontrolled"),
    "as_given": Label("as the demand file has it", "uncontrolled"),
    "random": Label("random alternatives", "uncontrolled"),
    "user_equilibrium": Label("user equilibrium (UE)", "equilibrium"),
    "duaiterate": Label("duaIterate (SUMO's own tool)", "equilibrium"),
    "tolls": Label("marginal-cost tolls", "planner"),
    "optimum": Label("system optimum (best found)", "best"),
}


def under(name: str, selfish: str) -> str:
    """Whose figure a number in a sentence is."""
    return "at the equilibrium" if name == selfish else f"under {title_of(LABELS, name)}"
