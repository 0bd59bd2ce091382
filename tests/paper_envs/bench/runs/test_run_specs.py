"""From planned cells to specs: settings, updates, folders, and which run is likely to be long."""

from dataclasses import replace
from pathlib import Path

import pytest

from paper_envs.bench.results.results import Cell
from paper_envs.bench.runs import run_specs
from paper_envs.bench.runs.plan import PROFILES, Plan, ProfileName, Selection, make_plan
from paper_envs.bench.runs.run import RunSpec
from paper_envs.bench.runs.run_specs import (
    core_hours,
    hours_shown,
    learner_of,
    specs_of,
    task_of,
    weight_of,
)
from paper_envs.presets import ABLATIONS, learner_config
from ss_core.config import from_dict
from tests.support.small_bench import SMALL, small_spec


def plan(profile: ProfileName = "smoke", **selection: tuple[str, ...]) -> Plan:
    return make_plan(profile, Selection(**selection), ABLATIONS)  # type: ignore[arg-type]


def test_a_run_has_the_updates_that_its_episodes_fill(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_specs, "episodes", lambda *_: 33)
    made = plan()
    for cell in made.cells:
        learner = learner_of(cell, made)
        assert learner.num_updates == -(-33 // learner.num_envs)
        assert learner.algorithm == cell.algorithm
    tuned = learner_of(SMALL, made)
    assert (tuned.num_envs, tuned.num_updates) == (16, 3)  # 16 + 16 + 1 episodes


@pytest.mark.parametrize(("profile", "core_hours_at_most"), [("quick", 2.0), ("full", 6.0)])
def test_a_profile_is_expected_to_take_no_longer_than_promised(
    profile: ProfileName, core_hours_at_most: float
) -> None:
    """Quick: an hour on two cores."""
    specs = specs_of(plan(profile), Path("out"), device="cpu")
    assert core_hours(specs) <= core_hours_at_most


def test_a_long_run_has_checkpoints_about_every_minute() -> None:
    long, short = (
        specs_of(plan(profile, envs=("navigation",)), Path("out"), device="cpu")[0]
        for profile in ("literal", "smoke")
    )
    assert short.commits == 20
    assert weight_of(long) / long.commits == pytest.approx(60.0, rel=0.05)
    assert replace(long, commits=3).condition_sha256 == long.condition_sha256


def test_hours_are_shown_with_two_digits_that_count() -> None:
    assert [hours_shown(hours) for hours in (1514.2, 5.94, 0.0088)] == ["1,500", "5.9", "0.0088"]


def test_every_run_has_a_folder_of_its_own_and_the_first_seed_keeps_its_policies() -> None:
    made = plan(envs=("predation",))
    found = specs_of(made, Path("out"), device="cpu")
    assert len({spec.folder for spec in found}) == len(found) == len(made.runs)
    first = found[0]
    assert first.folder == "out/runs/predation-2-paper-ss/seed100"
    assert dict(first.env_options) == {"encoding": "state"}
    assert [spec.keep_policies for spec in found[:2]] == [True, False]
    assert {o.evaluation_episodes for o in found} == {PROFILES["smoke"].evaluation_episodes}


def test_an_order_survives_the_way_to_another_process(tmp_path: Path) -> None:
    spec = small_spec(tmp_path, seed=7)
    task = task_of(spec)
    assert (task.name, task.folder) == ("predation-2-tuned-ss/seed7", str(tmp_path))
    assert from_dict(RunSpec, task.arguments, where="test") == spec


def test_more_agents_steps_or_updates_are_expected_to_take_longer(tmp_path: Path) -> None:
    small = small_spec(tmp_path)
    longer = replace(small, learner=replace(small.learner, num_updates=8))
    assert weight_of(longer) == pytest.approx(2 * weight_of(small))
    eight = Cell(task="predation", num_agents=8, preset="paper", algorithm="ss")
    pair = replace(eight, num_agents=2)
    alone = replace(eight, algorithm="independent")
    for less in (pair, alone):
        assert weight_of(small_spec(tmp_path, less)) < weight_of(small_spec(tmp_path, eight))
    shared_policies = small_spec(tmp_path, replace(eight, algorithm="ps"))
    assert shared_policies.learner.architecture == "independent"  # a network of each of the others
    assert weight_of(shared_policies) > weight_of(small_spec(tmp_path, alone))


@pytest.mark.parametrize("profile", PROFILES)
def test_every_cell_of_every_profile_has_settings(profile: ProfileName) -> None:
    made = plan(profile)
    digests = {
        cell: spec.condition_sha256
        for spec in specs_of(replace(made, seeds=(100,)), Path("out"), device="cpu")
        for cell in (spec.cell,)
    }
    assert len(digests) == len(made.cells)
    settings = {cell: replace(learner_of(cell, made), num_updates=1) for cell in made.cells}
    same = [
        (one.slug, other.slug)
        for one in made.cells
        for other in made.cells
        if one.slug < other.slug
        and (one.task, one.num_agents, one.preset) == (other.task, other.num_agents, other.preset)
        and settings[one] == settings[other]
    ]
    assert same == []  # two conditions that are the same would be run for nothing


def test_neighbours_in_sight_change_who_talks_and_nothing_else() -> None:
    everybody, sight = (
        learner_config("predation", 8, "tuned", "ss", variant, num_updates=9)
        for variant in ("", "radius")
    )
    assert (everybody.exchange.protocol, sight.exchange.protocol) == ("all", "graph")
    assert sight == replace(everybody, exchange=sight.exchange)
