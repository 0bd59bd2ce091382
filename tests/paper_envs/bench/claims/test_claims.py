"""Verdicts from made-up runs whose answer is known."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paper_envs.bench.claims.claims import judge_claims
from paper_envs.bench.claims.evidence import (
    MIN_RUNS,
    Evidence,
    Outcome,
    Rule,
    above,
    all_hold,
    at_least,
    at_most,
    shown,
    some_hold,
)
from paper_envs.bench.claims.speed import arrival, mark_of
from paper_envs.bench.claims.verdicts import Claim, percent
from paper_envs.bench.results.comparisons import by_cell, suites_of
from paper_envs.bench.results.results import PresetName, RunResult
from paper_envs.tasks import TASKS
from ss_core.statistics import Interval
from tests.support.bench_results import STARTS, a_benchmark, cell_of, run_of, runs_of

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
        finals = [end + step for step in SPREAD[:num_seeds]]
        results += runs_of(cell, finals, start=STARTS.get(task, 0.0))
    return results


def part(outcome: Outcome) -> Evidence:
    return Evidence(label="it", outcome=outcome)


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
    assert (
        claims["matches-sharing", "cleanup"].words == "undecided at 0 % of the published episodes"
    )
    for name in ("above-vps", "above-vs", "faster-than-ps", "ps-above-values"):
        assert claims[name, "all"].verdict == "holds", name
    figures = claims["above-vs", "all"].figures  # 4 of 8
    assert figures.startswith("1 of 4 tasks (predation): SS over VS 0.500 [")
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


def test_four_seeds_decide_nothing() -> None:
    claims = claims_of(a_benchmark(4))
    assert {claim.verdict for claim in claims.values()} == {"undecided"}
    decided = claims["matches-sharing", "predation"]
    assert decided.num_runs == 4 == MIN_RUNS - 1
    assert "fewer than 5 seeds" in decided.note


def test_one_better_task_is_enough_for_some_cases() -> None:
    ends = {"ss": -1.0, "centralised": -2.0}
    better = runs_at("predation", ends)
    worse = runs_at("navigation", {"ss": -2.0, "centralised": -1.0})
    assert claims_of([*better, *worse])["above-cl-somewhere", "all"].verdict == "holds"
    assert claims_of(worse)["above-cl-somewhere", "all"].verdict == "undecided"  # others not run


def test_moral_rewards_are_best_only_above_every_other_algorithm() -> None:
    others = dict.fromkeys(("independent", "centralised", "vps", "vs", "ps"), -4.0)
    ahead = runs_at("predation", {"ss": -2.0, "imr": -1.0, **others})
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
    alone = claims_of(runs_at("predation", {"ss": -1.0}))["rho0-drop", "all"]
    assert (alone.verdict, alone.figures) == ("undecided", "")


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
    begun = [replace(run, planned_updates=2 * run.num_updates) for run in still]
    assert "within this budget" not in claims_of(begun)["matches-sharing", "navigation"].note


def test_being_level_says_nothing_where_nobody_has_learned() -> None:
    still = dict.fromkeys(("ss", "vps", "vs", "ps", "imr", "independent", "centralised"), 0.0)
    all_at_zero = [
        run for name in still for run in runs_of(cell_of("cleanup", name), [0.0] * 5, start=0.0)
    ]
    claim = claims_of(all_at_zero)["matches-sharing", "cleanup"]
    assert claim.verdict == "undecided"
    assert "says nothing while SS ends no better than it starts" in claim.note
    assert "all algorithms are level" in claim.note
    assert claims_of(all_at_zero)["imr-competitive", "all"].verdict == "undecided"


def test_no_learning_makes_no_level_claim_hold_even_where_some_rival_is_worse() -> None:
    start = STARTS["predation"]
    ends = {"ss": start, "ss/m4": start, "vs": start, "ps": start, "vps": -12.0, "imr": start}
    claims = claims_of(runs_at("predation", ends))
    for name, task in (
        ("matches-sharing", "predation"),
        ("competitive-m4", "predation"),
        ("imr-competitive", "all"),
    ):
        assert claims[name, task].verdict == "undecided", name
        assert "ends no better than it starts" in claims[name, task].note, name


def test_agreement_before_learning_is_not_agreement_reached() -> None:
    """The curve of suggestions starts at 0.2 and ends at almost 0, with or without learning."""
    for num_agents, name in ((2, "mse-vanishes"), (8, "mse-of-eight")):
        cell = cell_of("predation", "ss", num_agents=num_agents)
        idle = [run_of(cell, seed, -2.0, start=-2.0, rate=0.3) for seed in range(5)]
        claim = claims_of(idle)[name, "predation"]
        assert claim.verdict == "undecided"
        assert "says nothing while SS ends no better than it starts" in claim.note
        assert claim.beside.startswith("largest MSE on the way 0.200 [")
        learned = [run_of(cell, seed, -1.0, start=-2.0, rate=0.3) for seed in range(5)]
        assert claims_of(learned)[name, "predation"].verdict == "holds"


def test_a_task_far_behind_weighs_as_much_as_any_other() -> None:
    """Two behind in Cleanup and a little ahead in three: pooled runs would cut it off."""
    ahead = [
        run
        for task in ("harvest", "predation", "navigation")
        for run in runs_at(task, {"ss": -1.0, "vs": -1.1, "ps": -3.0})
    ]
    behind = runs_at("cleanup", {"ss": -3.0, "vs": -1.0, "ps": -2.0})
    claim = claims_of([*ahead, *behind])["above-vs", "all"]
    assert claim.verdict == "does not hold"
    assert claim.figures.startswith("4 of 4 tasks (cleanup, harvest, navigation, predation): ")


def test_claims_about_all_tasks_say_over_which_they_were_judged() -> None:
    ends = {"ss": -1.0, "ss/rho0": -2.5, "vps": -2.5, "vs": -2.0, "ps": -1.5, "imr": -1.0}
    results = [*runs_at("predation", ends), *runs_at("navigation", ends)]
    claims = claims_of(results)
    for name in ("above-vs", "ps-above-values", "rho0-drop", "faster-than-ps"):
        assert claims[name, "all"].figures.startswith("2 of 4 tasks (navigation, predation): "), (
            name
        )
        assert "not run: cleanup, harvest" in claims[name, "all"].note
    moral = claims["imr-competitive", "all"]  # Navigation tells no cooperation
    assert moral.figures.startswith("1 of 3 tasks (predation): ")
    assert claims["rho0-drop", "all"].verdict == "holds"


def test_moral_rewards_have_not_beaten_rivals_that_were_not_run() -> None:
    claim = claims_of(runs_at("predation", {"ss": -2.0, "vs": -4.0, "imr": -1.0}))[
        "imr-best-somewhere", "all"
    ]
    assert claim.verdict == "undecided"
    assert "not run in predation: independent, CL, VPS, PS" in claim.note


def with_returns(name: str, line: list[float]) -> list[RunResult]:
    """Five runs with one learning curve, evaluated where it ends; 3200 episodes of training."""
    points = [3200 * (index + 1) / len(line) for index in range(len(line))]
    curve: dict[str, list[float | None]] = {
        "update": [*points],
        "episode": [*points],
        "averaged_return": [*line],
    }
    runs = runs_of(cell_of("predation", name), [line[-1] + step for step in SPREAD])
    return [replace(run, curve=curve) for run in runs]


def test_who_gets_there_first_is_faster_whatever_the_area_under_the_curve() -> None:
    """From -8 on average to -1: the mark lies at -1.7. SS gets there last, but starts far up."""
    early, late = [-2.0] * 9 + [-1.0], [-14.0] * 4 + [-1.0] * 6
    claim = claims_of([*with_returns("ss", early), *with_returns("ps", late)])[
        "faster-than-ps", "all"
    ]
    assert claim.verdict == "does not hold"
    assert claim.figures == "1 of 4 tasks (predation): SS earlier by -0.500 [-0.500, -0.500]"
    assert "predation: area under the curve 4.300" in claim.beside
    other_way = claims_of([*with_returns("ps", early), *with_returns("ss", late)])
    assert other_way["faster-than-ps", "all"].verdict == "holds"


def test_the_mark_and_the_arrival_by_hand() -> None:
    """Starts -8 and -6, the better end -1: -7 + 0.9 * 6 = -1.6; the third of four points."""
    ours = tuple(with_returns("ss", [-8.0, -3.0, -1.5, -1.0]))
    theirs = tuple(with_returns("ps", [-6.0, -5.0, -5.0, -5.0]))
    mark = mark_of(ours, theirs)
    assert mark == pytest.approx(-1.6)
    assert arrival(ours[0], -1.6) == 0.75
    assert arrival(theirs[0], -1.6) is None
    halted = replace(ours[0], planned_updates=2 * ours[0].num_updates)
    assert arrival(halted, -1.6) == 0.375  # of the training of a whole run


def test_runs_that_never_arrive_are_given_the_whole_budget_and_counted() -> None:
    results = [
        *with_returns("ss", [-8.0, -3.0, -1.5, -1.0]),
        *with_returns("ps", [-6.0, -5.0, -5.0, -5.0]),
    ]
    claim = claims_of(results)["faster-than-ps", "all"]
    assert claim.verdict == "holds"
    assert claim.figures.endswith("SS earlier by 0.250 [0.250, 0.250]")
    assert "never there, so given the whole budget: 5 of 5 runs of PS in predation" in claim.note


def test_where_neither_learns_nobody_is_faster() -> None:
    results = [*with_returns("ss", [-8.0] * 4), *with_returns("ps", [-8.0] * 4)]
    claim = claims_of(results)["faster-than-ps", "all"]
    assert claim.verdict == "undecided"
    assert claim.note.startswith("not counted, neither gets there: predation")


@settings(max_examples=12)
@given(st.lists(st.floats(-9, -1), min_size=5, max_size=6), st.floats(-9, -1))
def test_a_claim_and_its_opposite_never_both_hold(finals: list[float], other: float) -> None:
    rivals = [other + step for step in SPREAD]
    one = runs_of(cell_of("predation", "ss"), finals) + runs_of(cell_of("predation", "vs"), rivals)
    two = runs_of(cell_of("predation", "vs"), finals) + runs_of(cell_of("predation", "ss"), rivals)
    verdicts = [claims_of(results)["above-vs", "all"].verdict for results in (one, two)]
    assert verdicts.count("holds") <= 1
    if "holds" in verdicts:
        assert sorted(verdicts) == ["does not hold", "holds"]


def test_every_claim_is_told_apart_by_name_preset_suite_and_task() -> None:
    claims = judge_claims(suites_of(by_cell(a_benchmark(5, ("paper", "tuned")))))
    keys = [(claim.claim, claim.preset, claim.suite, claim.task) for claim in claims]
    assert len(set(keys)) == len(keys)
    assert {claim.task for claim in claims} <= {*TASKS, "all"}
    assert all(claim.statement and claim.test for claim in claims)
    assert {claim.verdict for claim in claims} <= {"holds", "does not hold", "undecided"}
    assert all(claim.figures for claim in claims if claim.verdict != "undecided")


# how much was trained


def test_an_open_claim_says_at_what_share_of_the_published_episodes() -> None:
    """Runs of 3,200 of 30,000 episodes; three of four conditions were run, one with two seeds."""
    results = runs_at("predation", {"ss": -1.0, "ps": -1.0})
    results += runs_at("predation", {"vs": -1.0}, num_seeds=2)
    claim = claims_of(results)["matches-sharing", "predation"]
    whole, part = 3200 / 30_000, 2 / 5 * 3200 / 30_000
    pairs = [whole, 0.0, whole, part, whole, whole]  # SS beside VPS, VS and PS
    assert claim.published_share == pytest.approx(sum(pairs) / 6)
    assert claim.words == "undecided at 8 % of the published episodes"
    open_without = runs_at("predation", {"ss": -1.0, "ss/rho0": -1.0})
    claim = claims_of(open_without)["rho0-drop", "all"]  # three other tasks were not run
    assert claim.published_share == pytest.approx(2 * whole / 8)
    everything = claims_of(a_benchmark(5))
    assert all(
        each.published_share is None for each in everything.values() if each.source == "ours"
    )


def test_no_claim_of_the_paper_is_left_out_whatever_was_run() -> None:
    little = judge_claims(suites_of(by_cell(runs_at("cleanup-small", {"ss": 0.2, "vs": 0.1}))))
    much = judge_claims(suites_of(by_cell(a_benchmark(5))))
    assert {(each.claim, each.task) for each in little if each.suite == "paper"} == {
        (each.claim, each.task) for each in much if (each.suite, each.source) == ("paper", "paper")
    }
    assert {(each.words, each.note) for each in little if each.suite == "paper"} == {
        ("undecided at 0 % of the published episodes", "nothing to judge yet")
    }
    small = [each for each in little if each.suite == "small"]
    assert small
    assert {each.words for each in small} <= {"holds", "does not hold", "undecided"}


def test_our_preset_decides_where_it_was_run_and_the_papers_elsewhere() -> None:
    ends = {"ss": -1.0, "vps": -9.0, "vs": -5.0, "ps": -3.0}
    worse = {"ss": -9.0, "vps": -1.0, "vs": -1.0, "ps": -1.0}
    both = [*runs_at("predation", ends), *runs_at("predation", worse, preset="paper")]
    both += runs_at("navigation", worse, preset="paper")
    claims = claims_of(both)
    predation = claims["matches-sharing", "predation"]
    assert (predation.preset, predation.verdict) == ("tuned", "holds")
    assert "under the preset paper: does not hold" in predation.note
    navigation = claims["matches-sharing", "navigation"]
    assert (navigation.preset, navigation.verdict) == ("paper", "does not hold")


def test_runs_that_are_not_finished_decide_nothing() -> None:
    results = runs_at("predation", {"ss": -1.0, "vps": -9.0, "vs": -5.0, "ps": -3.0})
    halted = [
        replace(run, planned_updates=2 * run.num_updates)
        if (run.cell.algorithm, run.seed) == ("vs", 104)
        else run
        for run in results
    ]
    begun = [  # in a task where nothing is compared with them yet
        replace(run, planned_updates=2 * run.num_updates) for run in runs_at("cleanup", {"ss": 0.1})
    ]
    claims = claims_of([*halted, *begun])
    for name, task in (("matches-sharing", "predation"), ("above-vs", "all")):
        assert claims[name, task].verdict == "undecided"
        assert "runs that are not finished decide nothing" in claims[name, task].note
        assert claims[name, task].figures  # they are shown all the same
    assert claims["above-vps", "all"].verdict == "holds"


def test_no_margin_rests_on_where_an_unfinished_rival_stands() -> None:
    """Finished runs span 4, so the margin is 0.2; SS is 0.3 below VS."""
    results = runs_at("predation", {"ss": -1.3, "vps": -5.0, "vs": -1.0, "ps": -2.0})
    begun = [
        replace(run, planned_updates=2 * run.num_updates)
        for run in runs_at("predation", {"independent": -15.0})
    ]
    for more in ([], begun):
        claim = claims_of([*results, *more])["matches-sharing", "predation"]
        assert claim.verdict == "does not hold"
    ended = [replace(run, planned_updates=run.num_updates) for run in begun]
    assert claims_of([*results, *ended])["matches-sharing", "predation"].verdict == "holds"


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.0, "0 %"), (0.00008, "0.008 %"), (0.324, "32 %"), (0.996, "99 %"), (1.0, "100 %")],
)
def test_a_little_is_not_told_as_nothing_nor_almost_all_as_all(share: float, words: str) -> None:
    assert percent(share) == words
