"""Rows of a grid run's table in their order, what people call them, and what each knows."""

from gridsim.config import GridConfig
from gridsim.instruments.names import INSTRUMENTS, OWN_ROWS
from gridsim.references.same_information import PLANNER_BY_RULE, SELFISH_BY_RULE
from ss_core.algorithms.registry import algorithm_named
from ss_core.report.labels import LEARNED, SELFISH, Label, Labels

ROWS = (
    *("asap", "herd", "random_among_candidates", SELFISH_BY_RULE, SELFISH),
    *("nash", "nash_among_candidates", *OWN_ROWS, LEARNED, PLANNER_BY_RULE),
    *("rolling_planner_forecast", "pigou", "optimum"),
)
UNCOORDINATED = (SELFISH, SELFISH_BY_RULE)
LABELS: Labels = {
    "asap": Label("ASAP (no control)", "uncontrolled"),
    "herd": Label("HERD (price only)", "uncontrolled"),
    "random_among_candidates": Label("random plans", "uncontrolled"),
    SELFISH_BY_RULE: Label("selfish, by public rule", "selfish"),
    "nash": Label("Nash equilibrium", "equilibrium"),
    "nash_among_candidates": Label("Nash among the candidate plans", "equilibrium"),
    PLANNER_BY_RULE: Label("planner, same information", "planner"),
    "rolling_planner_forecast": Label("rolling planner with forecast", "planner"),
    "pigou": Label("ideal prices (Pigou)", "planner"),
    "optimum": Label("optimum (clairvoyant)", "best"),
} | {name: Label(INSTRUMENTS[name].title, "uncontrolled") for name in OWN_ROWS}


def knows(config: GridConfig) -> dict[str, str]:
    """What each row knows when it decides."""
    arrival, whole_day = "own job on arrival", "the whole day beforehand"
    in_turn = "outlook, plans announced"
    learner = in_turn if config.variant == "in_turn" else "past load curves"
    suggests = algorithm_named(config.learner.algorithm).suggests
    return {
        "asap": arrival,
        "herd": f"{arrival}, hourly prices",
        "random_among_candidates": arrival,
        SELFISH_BY_RULE: in_turn,
        SELFISH: learner,
        "nash": whole_day,
        "nash_among_candidates": whole_day,
        LEARNED: f"{learner}, {'suggestions' if suggests else 'what others send'}",
        PLANNER_BY_RULE: in_turn,
        "rolling_planner_forecast": "base load of the day, jobs on arrival",
        "pigou": whole_day,
        "optimum": whole_day,
    } | {name: INSTRUMENTS[name].knows for name in OWN_ROWS}
