"""Rows of a grid run's table in their order, and what people call those that nobody learned."""

from ss_core.report.labels import LEARNED, SELFISH, Label, Labels

ROWS = (
    *("asap", "herd", "random_among_candidates", SELFISH, "nash", "nash_among_candidates"),
    *(LEARNED, "rolling_planner_forecast", "pigou", "optimum"),
)
LABELS: Labels = {
    "asap": Label("ASAP (no control)", "uncontrolled"),
    "herd": Label("HERD (price only)", "uncontrolled"),
    "random_among_candidates": Label("random candidate plans", "uncontrolled"),
    "nash": Label("Nash equilibrium", "equilibrium"),
    "nash_among_candidates": Label("Nash among the candidate plans", "equilibrium"),
    "rolling_planner_forecast": Label("rolling planner with forecast", "planner"),
    "pigou": Label("ideal prices (Pigou)", "planner"),
    "optimum": Label("optimum (clairvoyant)", "best"),
}
