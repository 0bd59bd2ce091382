"""Rows of a training run and what people call them."""

from ss_core.report.labels import LEARNED, Label, Labels

UNTRAINED = "untrained"
ROWS = (UNTRAINED, LEARNED)
LABELS: Labels = {UNTRAINED: Label("untrained", "uncontrolled")}
