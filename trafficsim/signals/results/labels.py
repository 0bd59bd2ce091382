"""Rows of a signals run's table in their order, and what people call those that nobody learned."""

from ss_core.report.labels import LEARNED, SELFISH, Label, Labels
from trafficsim.signals.scene import Program

PROGRAMS: tuple[Program, ...] = ("fixed", "actuated")  # of the lights' own: nothing is learned
ROWS = (*PROGRAMS, SELFISH, LEARNED)
LABELS: Labels = {
    "fixed": Label("fixed time (the net's own programs)", "uncontrolled"),
    "actuated": Label("actuated (SUMO's detectors)", "planner"),
    SELFISH: Label("independent learners", "selfish"),
}
