"""Who appears in a run's results: rows in order, what people call them, and their roles."""

from ss_core.report.labels import Cast, cast_name

CAST: Cast = {
    "all_shortest": ("everyone on the shortest road", "uncontrolled"),
    "as_given": ("as the demand file has it", "uncontrolled"),
    "random": ("random alternatives", "uncontrolled"),
    "user_equilibrium": ("user equilibrium (UE)", "equilibrium"),
    "duaiterate": ("duaIterate (SUMO's own tool)", "equilibrium"),
    "independent": ("selfish, learned", "selfish"),
    "imr": ("IMR, learned", "ours"),
    "vps": ("VPS, learned", "ours"),
    "vs": ("VS, learned", "ours"),
    "ps": ("PS, learned", "ours"),
    "ss": ("SS (suggestions only)", "ours"),
    "centralised": ("centralised, learned", "ours"),
    "tolls": ("marginal-cost tolls", "planner"),
    "optimum": ("system optimum (best found)", "best"),
}


def under(name: str, selfish: str) -> str:
    """Whose figure a number in a sentence is."""
    return "at the equilibrium" if name == selfish else f"under {cast_name(CAST, name)}"
