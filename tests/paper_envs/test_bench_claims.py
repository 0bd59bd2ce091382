"""Verdicts from made-up runs whose answer is known."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paper_envs.bench.claims import judge_claims
from paper_envs.bench.comparisons import by_cell, suites_of
from paper_envs.bench.results import PresetName, RunResult
from paper_envs.bench.verdicts import (
    Claim,
    Outcome,
    Part,
    Rule,
    above,
    all_hold,
    at_least,
    at_most,
    shown,
    some_hold,
)
from paper_envs.tasks import TASKS
from ss_core.statistics import Interval
from tests.paper_envs.bench_results import a_benchmark, cell_of, run_of, runs_of

SPREAD = (0.0, 0.02, -0.02, 0.01, -0.01)


def claims_of(results: list[RunResult]) -> dict[tuple[str, str], Claim]:
    claims = judge_claims(suites_of(by_cell(results)))
    return {(claim.claim, claim.task): claim for claim in claims}


def runs_at(
    task: str, ends: dict[str, float], preset: PresetName = "tuned", num_seeds: int = 5
) -> list[RunResult]:
    """Runs of algorithms (`ss/rho0` is a variant) around where each ends."""
    results = []
    for name, end in ends.items():
        algorithm, _, variant = name.partition("/")
        cell = cell_of(task, algorithm, variant=variant, preset=preset)
        results += runs_of(cell, [end + step for step in SPREAD[:num_seeds]])
    return results


def part(outcome: Outcome) -> Part:
    return Part(label="it", outcome=outcome)


@pytest.mark.parametrize(
    ("rule", "low", "high", "outcome"),
    [
        (above(0.0), 0.1, 0.3, "holds"),
        (above(0.0), 0.0, 0.3, "undecided"),
        (above(0.0), 0.0, 0.0, "does not hold"),  # level to the last digit is not above
        (above(0.0), -0.3, -0.1, "does not hold"),
        (at_least(0.95), 0.95, 1.0, "holds"),
        (at_least(0.95), 0.90, 1.0, "undecided"),
        (at_least(0.95), 0.90, 0.94, "does not hold"),
        (at_most(0.01), 0.0, 0.01, "holds"),
        (at_most(0.01), 0.005, 0.02, "undecided"),
        (at_most(0.01), 0.02, 0.03, "does not hold"),
    ],
)
def test_a_rule_decides_only_when_the_whole_interval_does(
    rule: Rule, low: float, high: float, outcome: Outcome
) -> None:
    assert rule(Interval(estimate=(low + high) / 2, low=low, high=high)) == outcome


@pytest.mark.parametrize(
    ("outcomes", "every", "some"),
    [
        (["holds", "holds"], "holds", "holds"),
        (["holds", "does not hold"], "does not hold", "holds"),
        (["holds", "not run"], "undecided", "holds"),
        (["does not hold", "not run"], "does not hold", "undecided"),
        (["undecided", "does not hold"], "does not hold", "undecided"),
        (["does not hold", "does not hold"], "does not hold", "does not hold"),
        (["not run", "not run"], "not run", "not run"),
        ([], "not run", "not run"),
    ],
)
def test_parts_add_up_to_a_verdict(outcomes: list[Outcome], every: Outcome, some: Outcome) -> None:
    parts = [part(outcome) for outcome in outcomes]
    assert all_hold(parts) == every
    assert some_hold(parts) == some


def test_figures_have_the_decimals_that_the_interval_can_tell_apart() -> None:
    assert shown(Interval(estimate=-1.0, low=-1.234, high=-0.9)) == "-1.00 [-1.23, -0.90]"
    assert shown(Interval(estimate=0.5, low=0.48, high=0.51)) == "0.500 [0.480, 0.510]"
    assert shown(Interval(estimate=-1e-5, low=-0.001, high=0.001)) == "0.0000 [-0.0010, 0.0010]"
    assert shown(Interval(estimate=3e-6, low=0.0, high=4e-5)) == "3.0e-06 [0.0e+00, 4.0e-05]"
    assert shown(Interval(estimate=0.0, low=0.0, high=0.0)) == "0.000 [0.000, 0.000]"


def test_ss_well_above_all_rivals_matches_outperforms_and_is_faster() -> None:
    claims = claims_of(runs_at("predation", {"ss": -1.0, "vps": -9.0, "vs": -5.0, "ps": -3.0}))
    assert claims["matches-sharing", "predation"].verdict == "holds"
    assert claims["matches-sharing", "cleanup"].verdict == "not run"
    for name in ("above-vps", "above-vs", "faster-than-ps", "ps-above-values"):
        assert claims[name, "all"].verdict == "holds", name
    assert claims["above-vs", "all"].figures.startswith("SS over VS (1 task) 0.500 [")  # 4 of 8
    assert claims["above-vs", "all"].beside.startswith("predation 4.0")
    assert claims["above-vs", "all"].note == "not run: cleanup, harvest, navigation"


def test_ss_below_by_less_than_the_margin_still_matches_but_does_not_outperform() -> None:
    """The span is 10, so the margin is 0.5; SS is 0.3 below VS."""
    claims = claims_of(runs_at("predation", {"ss": -1.3, "vps": -11.0, "vs": -1.0, "ps": -2.0}))
    assert claims["matches-sharing", "predation"].verdict == "holds"
    assert claims["above-vs", "all"].verdict == "does not hold"
    assert claims["above-vps", "all"].verdict == "holds"


def test_ss_far_below_one_rival_does_not_match_whatever_the_others_do() -> None:
    claims = claims_of(runs_at("predation", {"ss": -6.0, "vps": -11.0, "ps": -1.0}))
    assert claims["matches-sharing", "predation"].verdict == "does not hold"
    assert claims["matches-sharing", "predation"].note.startswith("not run: over VS")


def test_two_seeds_decide_nothing() -> None:
    claims = claims_of(a_benchmark(2))
    assert {claim.verdict for claim in claims.values()} == {"undecided", "not run"}
    decided = claims["matches-sharing", "predation"]
    assert decided.num_runs == 2
    assert "fewer than 3 seeds" in decided.note


def test_one_better_task_is_enough_for_some_cases() -> None:
    ends = {"ss": -1.0, "centralised": -2.0}
    better = runs_at("predation", ends)
    worse = runs_at("navigation", {"ss": -2.0, "centralised": -1.0})
    assert claims_of([*better, *worse])["above-cl-somewhere", "all"].verdict == "holds"
    assert claims_of(worse)["above-cl-somewhere", "all"].verdict == "undecided"  # others not run


def test_moral_rewards_are_best_only_above_every_other_algorithm() -> None:
    ahead = runs_at("predation", {"ss": -2.0, "vs": -4.0, "imr": -1.0})
    assert claims_of(ahead)["imr-best-somewhere", "all"].verdict == "holds"
    behind = runs_at("predation", {"ss": -2.0, "vs": -0.5, "imr": -1.0})
    assert claims_of(behind)["imr-best-somewhere", "all"].verdict == "undecided"
    small = [
        run
        for task in ("cleanup-small", "harvest-small")
        for run in runs_at(task, {"ss": 0.9, "imr": 0.1})
    ]
    assert claims_of(small)["imr-best-somewhere", "all"].verdict == "does not hold"
    assert claims_of(small)["imr-competitive", "all"].verdict == "does not hold"


def test_constraints_matter_when_every_task_that_was_run_drops_without() -> None:
    drop = runs_at("predation", {"ss": -1.0, "ss/rho0": -9.0})
    same = runs_at("navigation", {"ss": -1.0, "ss/rho0": -1.0})
    assert claims_of(drop)["rho0-drop", "all"].verdict == "holds"
    assert claims_of([*drop, *same])["rho0-drop", "all"].verdict == "undecided"
    assert claims_of(runs_at("predation", {"ss": -1.0}))["rho0-drop", "all"].verdict == "not run"


def test_two_predators_that_cooperate_in_nearly_every_step() -> None:
    cell = cell_of("predation", "ss", num_agents=2)
    often = [
        run_of(cell, seed, -1.0, start=-2.0, rate=0.3, cooperators=[0, seed - 100, 1000])
        for seed in range(100, 105)
    ]
    claims = claims_of(often)
    for name in ("cc-rate", "suggests-approach", "mse-vanishes"):
        assert claims[name, "predation"].verdict == "holds", name
    seldom = [run_of(cell, seed, -1.0, start=-2.0, cooperators=[0, 1, 1]) for seed in range(5)]
    assert claims_of(seldom)["cc-rate", "predation"].verdict == "does not hold"


def test_fewer_neighbours_are_compared_with_half_the_communication() -> None:
    ends = {"ss": -1.0, "ss/m4": -1.1, "ss/every2": -4.0, "vps": -11.0, "vs": -2.0, "ps": -2.0}
    claims = claims_of(runs_at("predation", ends))
    assert claims["fewer-neighbours-hurt-less", "predation"].verdict == "holds"
    assert claims["competitive-m4", "predation"].verdict == "holds"
    assert claims["competitive-every2", "predation"].verdict == "does not hold"


def test_our_own_claims_are_made_for_the_tuned_preset_alone() -> None:
    tuned = claims_of(runs_at("predation", {"ss": -1.0, "independent": -14.0}))
    assert tuned["above-independent", "predation"].verdict == "holds"
    assert tuned["predation-solved", "predation"].verdict == "holds"
    assert tuned["predation-solved", "predation"].source == "ours"
    paper = claims_of(runs_at("predation", {"ss": -1.0, "independent": -14.0}, preset="paper"))
    assert {claim.source for claim in paper.values()} == {"paper"}


def test_a_budget_too_small_to_learn_is_noted() -> None:
    cells = {name: cell_of("navigation", name) for name in ("ss", "vs")}
    still = [run for cell in cells.values() for run in runs_of(cell, [-3.2] * 5, start=-3.2)]
    claim = claims_of(still)["matches-sharing", "navigation"]
    assert claim.note.endswith("SS has not learned within this budget: navigation")


@settings(max_examples=12)
@given(st.lists(st.floats(-9, -1), min_size=3, max_size=6), st.floats(-9, -1))
def test_a_claim_and_its_opposite_never_both_hold(finals: list[float], other: float) -> None:
    rivals = [other + step for step in SPREAD[:3]]
    one = runs_of(cell_of("predation", "ss"), finals) + runs_of(cell_of("predation", "vs"), rivals)
    two = runs_of(cell_of("predation", "vs"), finals) + runs_of(cell_of("predation", "ss"), rivals)
    verdicts = [claims_of(results)["above-vs", "all"].verdict for results in (one, two)]
    assert verdicts.count("holds") <= 1
    if "holds" in verdicts:
        assert sorted(verdicts) == ["does not hold", "holds"]


def test_every_claim_is_told_apart_by_name_preset_suite_and_task() -> None:
    claims = judge_claims(suites_of(by_cell(a_benchmark(3, ("paper", "tuned")))))
    keys = [(claim.claim, claim.preset, claim.suite, claim.task) for claim in claims]
    assert len(set(keys)) == len(keys)
    assert {claim.task for claim in claims} <= {*TASKS, "all"}
    assert all(claim.statement and claim.test for claim in claims)
    assert all(bool(claim.figures) == (claim.verdict != "not run") for claim in claims)
