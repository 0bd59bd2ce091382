"""What people may ask for."""

import pytest

from gridsim.config import GridConfig, resolve
from gridsim.instruments.config import InstrumentRules
from gridsim.instruments.names import INSTRUMENTS, named, problem_of
from gridsim.instruments.rows import RULES
from gridsim.results.labels import LABELS, ROWS, knows
from ss_core.errors import ConfigError


def test_names_are_given_alone_in_lists_or_all_together() -> None:
    assert named("spot") == ("spot",)
    assert named("spot, first-come,spot") == ("spot", "first_come")
    assert named(["dimming", "all"]) == tuple(INSTRUMENTS)
    assert named(3) == 3
    assert GridConfig().instruments == ()


def test_what_is_no_instrument_is_refused_with_those_there_are() -> None:
    assert problem_of(("spot",)) == ""
    with pytest.raises(ConfigError, match=r"instruments=tarif: choose all, or some of time_of_use"):
        resolve("tuned", {"instruments": "tarif"})
    with pytest.raises(ConfigError, match="instruments"):
        resolve("tuned", {"instruments": 3})


def test_every_instrument_has_a_rule_a_row_a_title_and_what_it_knows() -> None:
    assert [*RULES] == [*INSTRUMENTS]
    assert {*INSTRUMENTS} <= {*ROWS}
    assert all(LABELS[name].title == each.title for name, each in INSTRUMENTS.items())
    assert {*INSTRUMENTS} <= knows(GridConfig()).keys()


@pytest.mark.parametrize(
    ("name", "value"),
    [("segment_kw", -1.0), ("bands", 0), ("reserve", 1.0), ("days_per_month", 0)],
)
def test_parameters_that_mean_nothing_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        InstrumentRules(**{name: value})  # pyright: ignore[reportArgumentType]
