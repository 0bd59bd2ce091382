"""Programs of traffic lights: which greens agents may show, and SUMO's actuated ones, as text.

Pure functions of what SUMO says of a light's own program.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from xml.sax.saxutils import quoteattr

RAIL_SIGNAL, RAIL_CROSSING, NEMA = 1, 2, 4  # SUMO's numbers of kinds of programs
NOT_SWITCHED = frozenset({RAIL_SIGNAL, RAIL_CROSSING})  # by agents: trains rely on them
KINDS = {0: "static", RAIL_SIGNAL: "rail_signal", RAIL_CROSSING: "rail_crossing"} | {
    3: "actuated",
    NEMA: "NEMA",
    5: "delay_based",
    7: "off",
}
LONGEST_GREEN_S = 50  # of SUMO's actuated programs, where the net's own green is shorter
GREEN = frozenset("Gg")


class Phase(NamedTuple):
    """Of a program, as SUMO has it."""

    duration_s: float
    state: str  # a letter for each link
    name: str = ""


def is_green(state: str) -> bool:
    """Whether somebody has green and nobody yellow."""
    return "y" not in state and bool(set(state) & GREEN)


def with_pairs(phases: Sequence[Phase], parameters: Mapping[str, str]) -> list[Phase]:
    """Phases of a NEMA program as it shows them: one of each ring, from the same side of a barrier.

    Each phase alone gives green to one movement; alone they would be half of what a NEMA light can
    do. A program whose rings cannot be read keeps its phases.
    """
    by_name = {phase.name: phase for phase in phases}
    sides = [_side_of(ring, parameters) for ring in ("ring1", "ring2")]
    first, second = ({n: s for n, s in side.items() if n in by_name} for side in sides)
    pairs = [(a, b) for a in first for b in second if first[a] == second[b]]
    alone = [name for name in by_name if not any(name in pair for pair in pairs)]
    shown = [_shown(by_name[a], by_name[b]) for a, b in pairs] + [by_name[name] for name in alone]
    return list({phase.state: phase for phase in shown}.values())


def _side_of(ring: str, parameters: Mapping[str, str]) -> dict[str, int]:
    """On which side of a barrier each phase of a ring is: the barrier that ends it."""
    names = [name.strip() for name in parameters.get(ring, "").split(",")]
    ends = {
        name.strip(): side
        for side, barrier in enumerate(("barrierPhases", "barrier2Phases"))
        for name in parameters.get(barrier, "").split(",")
    }
    sides, side = dict[str, int](), -1
    for name in reversed(names + names):  # twice: the last ones may end at the first barrier
        side = ends.get(name, side)
        sides[name] = side
    return {name: sides[name] for name in names if sides[name] >= 0 and name not in ("", "0")}


def _shown(one: Phase, other: Phase) -> Phase:
    """What two phases give green to, together."""
    letters = zip(one.state, other.state, strict=True)
    state = "".join(max(pair, key="rgG".find) for pair in letters)
    return Phase(max(one.duration_s, other.duration_s), state, f"{one.name}+{other.name}")


def between(state: str, following: str) -> str:
    """Yellow for who loses green."""
    letters = zip(state, following, strict=True)
    return "".join("y" if now in GREEN and then not in GREEN else now for now, then in letters)


def with_yellow(phases: Sequence[Phase], yellow_s: float) -> list[Phase]:
    """Yellow phases where a green one is followed by another that takes green from somebody."""
    following = [*phases[1:], phases[0]]
    lines = []
    for phase, then in zip(phases, following, strict=True):
        lines.append(phase)
        yellow = between(phase.state, then.state)
        if is_green(phase.state) and is_green(then.state) and yellow != phase.state:
            lines.append(Phase(yellow_s, yellow))
    return lines


def actuated_program(
    name: str, phases: Sequence[Phase], *, shortest_s: float, yellow_s: float
) -> str:
    """A light's own phases as a program of SUMO's that follows its detectors."""
    lines = [f'<tlLogic id={quoteattr(name)} type="actuated" programID="actuated" offset="0">']
    for phase in with_yellow(phases, yellow_s):
        longest_s = max(LONGEST_GREEN_S, phase.duration_s)
        bounds = f' minDur="{shortest_s:g}" maxDur="{longest_s:g}"'
        shown = bounds if is_green(phase.state) else ""
        lines.append(f'<phase duration="{phase.duration_s:g}"{shown} state="{phase.state}"/>')
    return "\n".join([*lines, "</tlLogic>", ""])
