"""What a routing run says beside its table: verdict, references, exchange, incidents."""

from collections.abc import Mapping
from typing import Any

from ss_core.scenario.protocol import Evaluation
from ss_core.statistics import Interval
from trafficsim.references.references import EQUILIBRIUM, OPTIMUM
from trafficsim.results.rows import Row
from trafficsim.routing.config import RoutingConfig

LEAST_LIKENESS = 0.5  # of the model's times and SUMO's; below, routes are not judged well
LIGHTS_NOTES = (
    "rows with lights learned: drivers and traffic lights learned together, times are of their "
    "joint simulation; all other rows: drivers under the net's own light programs, so a learned "
    "row can be better than the optimum of drivers alone",
    "rows with lights learned: no CO2, no edges, and no bytes for each driver",
)


def price_of_anarchy(rows: Mapping[str, Row]) -> float:
    """Total time at the equilibrium over that of the best found; 1 where nothing better was."""
    return max(1.0, float(rows[EQUILIBRIUM].times_s.sum() / rows[OPTIMUM].times_s.sum()))


def title(evaluation: Evaluation) -> str:
    """Title of the table."""
    game, config = evaluation.prepared.world, evaluation.config
    background = len(game.od) - game.num_drivers
    others = f" and {background} others" if background else ""
    return f"{game.num_drivers} drivers{others}, means over {config.days} held-out days"


def facts(evaluation: Evaluation) -> dict[str, Any]:
    """What `result.json` holds beside tables."""
    rows = evaluation.scores.detail.rows
    return {
        "price_of_anarchy": price_of_anarchy(rows),
        "references": {name: dict(row.facts) for name, row in rows.items() if row.facts},
    }


def notes(evaluation: Evaluation) -> list[str]:
    """Sentences beside the table."""
    rows, config = evaluation.scores.detail.rows, evaluation.config
    return [
        *verdict(rows, evaluation.scores.no_dilemma),
        *slower_than_equilibrium(rows, config, evaluation.gaps),
        *found_and_sent(rows, config),
    ]


def verdict(rows: Mapping[str, Row], nothing_to_gain: bool) -> list[str]:
    """Whether there is a dilemma, and what it costs."""
    equilibrium_s = rows[EQUILIBRIUM].times_s.mean()
    best_s = rows[OPTIMUM].times_s.mean()
    between = (
        f"user equilibrium {equilibrium_s:.1f} s, best found {best_s:.1f} s, price of anarchy "
        f"{price_of_anarchy(rows):.3f}"
    )
    if nothing_to_gain:
        return [f"no dilemma here: {between}; selfish routing costs nobody anything worth having"]
    return [between, "gap closed = (UE - T) / (UE - best found), 95 % interval over held-out days"]


def slower_than_equilibrium(
    rows: Mapping[str, Row], config: RoutingConfig, gaps: Mapping[str, Interval | None]
) -> list[str]:
    """Says so where the learned row is slower than the equilibrium, beyond its interval."""
    name = next(iter(config.learners))
    gap = gaps.get(name)
    if gap is None or gap.high >= 0.0:
        return []
    more_s = rows[name].times_s.mean() - rows[EQUILIBRIUM].times_s.mean()
    return [
        f"{name} makes traffic worse here: {more_s:+.1f} s per trip against the equilibrium, "
        "beyond its interval (docs/limits.md tells of nets where it does)"
    ]


def found_and_sent(rows: Mapping[str, Row], config: RoutingConfig) -> list[str]:
    """How the equilibrium was found, what was exchanged, what went wrong."""
    said = [
        f"user equilibrium: {_content(rows[EQUILIBRIUM].facts)}; one of possibly several; it and "
        "the optimum were looked for on days of their own, with the same trips and other random "
        "numbers of SUMO"
    ]
    said += model_and_sumo(rows[EQUILIBRIUM].facts, config)
    asked = rows.get(next(iter(config.learners)))
    if asked is not None:
        kinds = ", ".join(f"{k} {v / 1e6:.2f} MB" for k, v in sorted(asked.bytes_by_kind.items()))
        said.append(f"exchanged {_among(asked, config)} while learning: {kinds or 'nothing'}")
        said += LIGHTS_NOTES if asked.first_day else ()
    model = "mesoscopic model (another model than SUMO's default)" if config.sumo.meso else "SUMO"
    counts = zip(*(row.incidents for row in rows.values()), strict=True)
    teleports, collisions, unfinished = map(sum, counts)
    said.append(
        f"{model}: {teleports} teleports, {collisions} vehicles in collisions, {unfinished} "
        f"unfinished trips on the held-out days of all {len(rows)} rows; each is charged"
    )
    return said


def _among(asked: Row, config: RoutingConfig) -> str:
    if not asked.first_day:
        return "between drivers"
    if config.signals_suggest:
        return "between drivers, between lights, and between both,"
    return "between lights, and between drivers,"


def _content(facts: Mapping[str, Any]) -> str:
    """How the equilibrium was found, and what drivers still gain there."""
    epsilon, method = facts.get("epsilon_s"), str(facts["method"])
    if epsilon is None:
        return method
    tried, error = facts.get("tried", 0), facts.get("epsilon_error_s", 0.0)
    who = f"of {tried} drivers drawn none gains" if tried else "no driver gains"
    sure = f" (standard error up to {error:.1f} s)" if error else ""
    by_links = ", by link times" if "averages" in method else ""
    return f"{method}; {who} more than {epsilon:.1f} s{sure} by changing alone{by_links}"


def model_and_sumo(facts: Mapping[str, Any], config: RoutingConfig) -> list[str]:
    """How far the link model is from SUMO, and what to do where that is too far."""
    if facts.get("model") is None:
        return []
    likeness, error_s = facts["model"]
    said = (
        "the link model against SUMO, at the first equilibrium that it proposed: times of vehicles "
        f"r = {likeness:.2f}, off by {error_s:.1f} s"
    )
    if likeness >= LEAST_LIKENESS or not config.link_model:
        return [said]
    return [f"{said}: too far to judge routes by; learn from days driven with --preset sampled"]
