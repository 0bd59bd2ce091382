"""The first sentence of a run's page: what coordination brings, and beside whom."""

import numpy as np

from gridsim.report.page import _verdict, hours_axis
from ss_core.report.key_figures import Kpis


class Known(Kpis):
    """Of a run without traces."""

    def __init__(self, cost: dict[str, float], gap: tuple[float, float, float]) -> None:
        self._cost, self._gap = cost, gap

    def value(self, algorithm: str, kpi: str) -> float:
        return 50.0 if kpi == "peak_kw" else self._cost.get(algorithm, np.nan)

    def interval(self, algorithm: str, kpi: str) -> tuple[float, float, float]:
        return self._gap


def test_a_gap_that_is_closed_is_said_as_such() -> None:
    said = _verdict(Known({"ss": 4.0}, (0.9, 0.8, 0.95)), "ss")
    assert "recovers 90 % [80, 95] of what selfish scheduling wastes" in said


def test_beside_those_who_know_the_same_what_is_saved_is_named() -> None:
    said = _verdict(Known({"ss": 1.7, "selfish_by_rule": 1.8}, (-0.2, -0.6, 0.1)), "ss")
    assert "gap closed -20 % [-60, 10]" in said
    assert "no more than the learners, it saves 0.10 EUR per household and day" in said


def test_what_costs_more_than_selfish_play_saves_nothing() -> None:
    for cost in ({"ss": 1.9, "selfish_by_rule": 1.8}, {"ss": 1.9}):
        said = _verdict(Known(cost, (-0.2, -0.6, -0.1)), "ss")
        assert "recovers none" in said
        assert "saves" not in said


def test_a_day_may_begin_at_any_hour() -> None:
    assert hours_axis(12)["ticktext"] == [f"{h}:00" for h in (12, 16, 20, 0, 4, 8, 12)]
    assert hours_axis(6)["tickvals"][0] == 6
    assert hours_axis(6)["ticktext"][-1] == "6:00"
