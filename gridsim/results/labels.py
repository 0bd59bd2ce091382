"""Who appears in a run's results: rows in order, what people call them, and their roles."""

from ss_core.report.labels import Cast

CAST: Cast = {
    "asap": ("ASAP (no control)", "uncontrolled"),
    "herd": ("HERD (price only)", "uncontrolled"),
    "random_among_candidates": ("random candidate plans", "uncontrolled"),
    "independent": ("selfish, learned", "selfish"),
    "nash": ("Nash equilibrium", "equilibrium"),
    "nash_among_candidates": ("Nash among the candidate plans", "equilibrium"),
    "vps": ("VPS, learned", "ours"),
    "vs": ("VS, learned", "ours"),
    "ps": ("PS, learned", "ours"),
    "ss": ("SS (suggestions only)", "ours"),
    "centralised": ("centralised, learned", "ours"),
    "rolling_planner_forecast": ("rolling planner with forecast", "planner"),
    "pigou": ("ideal prices (Pigou)", "planner"),
    "optimum": ("optimum (clairvoyant)", "best"),
}
