"""Which row a run recommends: coordination where trial days show that it helps, else to go without.

Coordination must beat every way of going without it, each by the test of `adoption.py`. What it is
tested against is not chosen by looking, so the level of each test holds for all of them together
(an intersection-union test: Berger, 1982).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ss_core.report.labels import Labels, title_of
from ss_core.scenario.adoption import Adoption, adoption

TrialCosts = Mapping[str, Float[np.ndarray, " day"]]  # by row, the same days in the same order


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """What trial days say, for the table, the trace and the page."""

    row: str  # the one recommended
    coordinated: str  # the row that was put to the test
    against: str  # the way of going without it that came closest
    adoption: Adoption  # of `coordinated` against `against`
    sentence: str

    @property
    def is_coordinated(self) -> bool:
        """Whether coordination is recommended."""
        return self.row == self.coordinated


def recommendation(
    costs: TrialCosts, coordinated: str, uncoordinated: Sequence[str], labels: Labels, unit: str
) -> Recommendation | None:
    """Test `coordinated` against every row of `uncoordinated` that played; None without any."""
    others = [row for row in uncoordinated if row in costs and row != coordinated]
    if coordinated not in costs or not others:
        return None
    tests = {row: adoption(costs[row], costs[coordinated], unit=unit, looks=1) for row in others}
    against = min(tests, key=lambda row: tests[row].gain.low)
    helps = all(test.is_recommended for test in tests.values())
    row = coordinated if helps else min(others, key=lambda each: float(costs[each].mean()))
    pair = f"{title_of(labels, coordinated)} with '{title_of(labels, against)}'"
    goes_on = "" if helps else f" Recommended instead: '{title_of(labels, row)}'."
    return Recommendation(
        row=row,
        coordinated=coordinated,
        against=against,
        adoption=tests[against],
        sentence=f"{tests[against].verdict} Compared: {pair}.{goes_on}",
    )
