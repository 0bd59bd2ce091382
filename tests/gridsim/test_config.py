"""The scenario's configuration: presets, what overrides do, and what is refused."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridsim.config import (
    LARGE_FEEDER,
    SMALL_FEEDER,
    GridConfig,
    preset_config,
    resolve,
    stepwise_learner,
)
from ss_core.config import config_hash, from_dict, to_dict
from ss_core.errors import ConfigError


@pytest.mark.parametrize("preset", ["tuned", "paper", "sampled"])
def test_every_preset_survives_the_way_through_plain_values(preset: str) -> None:
    config = preset_config(preset)
    assert from_dict(GridConfig, to_dict(config), where="test") == config


def test_presets_say_how_alternatives_are_judged() -> None:
    assert preset_config("tuned").learner.counterfactuals
    assert not preset_config("sampled").learner.counterfactuals
    paper = preset_config("paper").learner
    assert (paper.architecture, paper.num_envs, paper.gamma) == ("independent", 1, 1.0)
    with pytest.raises(ConfigError, match="choose tuned, paper or sampled"):
        preset_config("best")


def test_shorthands_reach_the_learner() -> None:
    config = resolve("paper", {"algorithm": "independent", "neighbours": 3})
    assert config.learner.algorithm == "independent"
    assert config.learner.exchange.protocol == "random"
    assert config.learner.exchange.num_neighbours == 3


def test_a_protocol_that_is_set_is_kept() -> None:
    config = resolve("tuned", {"neighbours": 3, "learner.exchange.protocol": "all"})
    assert config.learner.exchange.protocol == "all"


@pytest.mark.parametrize(
    ("budget", "overrides", "updates", "seconds"),
    [
        ({"updates": 7}, {}, 7, None),
        ({"episodes": 320}, {}, 40, None),  # 8 episodes an update
        ({"episodes": 320}, {"learner.num_envs": 4}, 80, None),
        ({"episodes": 1}, {}, 1, None),
        ({"seconds": 90.0}, {}, 55, 90.0),
    ],
)
def test_a_budget_is_updates_episodes_or_seconds(
    budget: dict[str, Any], overrides: dict[str, Any], updates: int, seconds: float | None
) -> None:
    config = resolve("tuned", {"budget": budget, **overrides})
    assert (config.learner.num_updates, config.budget_seconds) == (updates, seconds)


def test_a_regime_changes_the_objective_and_later_settings_win() -> None:
    norm = resolve("tuned", {"regime": "norm"})
    assert norm.learner.objective.follow == "tv"
    assert norm.learner.kappa == "ema"
    assert not norm.learner.scale_rho_follow
    assert resolve("tuned", {"regime": "norm", "learner.kappa": "one"}).learner.kappa == "one"
    with pytest.raises(ConfigError, match="choose paper, gradient or norm"):
        resolve("tuned", {"regime": "anarchy"})


def test_small_steps_are_judged_from_samples() -> None:
    config = resolve("tuned", {"variant": "quarter_hourly"})
    assert not config.learner.counterfactuals
    assert config.learner.critic_hidden
    paper = preset_config("paper").learner
    assert stepwise_learner(paper) == paper
    with pytest.raises(ConfigError, match=r"set learner\.counterfactuals=false"):
        resolve("tuned", {"variant": "quarter_hourly", "learner.counterfactuals": True})


@pytest.mark.parametrize("algorithm", ["vps", "vs", "ps"])
def test_algorithms_that_cannot_judge_alternatives_start_from_samples(algorithm: str) -> None:
    config = resolve("tuned", {"learner.algorithm": algorithm})
    wanted = {
        "algorithm": algorithm,
        "architecture": "multihead" if algorithm == "ps" else "shared",
    }
    assert config.learner == replace(
        preset_config("sampled", of_alternatives=False).learner, **wanted
    )  # type: ignore[arg-type]
    assert config == resolve("sampled", {"algorithm": algorithm})
    chosen = resolve("tuned", {"algorithm": algorithm, "learner.critic_hidden": [4]})
    assert chosen.learner.critic_hidden == (4,)
    paper = replace(preset_config("paper").learner, algorithm=algorithm)  # type: ignore[arg-type]
    assert resolve("paper", {"algorithm": algorithm}).learner == paper


@pytest.mark.parametrize(("households", "feeder"), [(57, SMALL_FEEDER), (58, LARGE_FEEDER)])
def test_the_feeder_follows_from_the_number_of_households(households: int, feeder: str) -> None:
    assert GridConfig(households=households).feeder_name == feeder
    assert GridConfig(households=households, feeder="mine.json").feeder_name == "mine.json"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"households": 0}, "households=0: at least 1"),
        ({"seed": -1}, "seed=-1: 0 or more"),
        ({"num_actions": 2}, "num_actions=2: between 3 and 96"),
        ({"power_factor": 0.0}, "power_factor=0.0: above 0"),
        ({"kva_per_household": 0.0}, "kva_per_household=0.0: above 0"),
        ({"kva_per_household": float("inf")}, "kva_per_household=inf: above 0"),
        ({"budget_seconds": 0.0}, "budget_seconds=0.0: above 0"),
        ({"device": "cuda:x"}, "device='cuda:x'"),
        ({"commit_every": 0}, "commit_every=0: at least 1"),
    ],
)
def test_values_out_of_range_are_refused_by_name(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        replace(GridConfig(), **change)


def test_all_problems_are_listed_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        resolve("tuned", {"housholds": 3, "days": "many", "learner.gama": 0.5})
    for words in ("did you mean 'households'", "days", "did you mean 'gamma'"):
        assert words in str(caught.value)


@given(
    values=st.fixed_dictionaries(
        {},
        optional={
            "households": st.integers(-2, 300),
            "days": st.integers(-1, 40) | st.text(max_size=3),
            "seed": st.integers(-1, 2**31) | st.none(),
            "learner.gamma": st.floats(allow_nan=True) | st.booleans(),
            "learner.hidden": st.lists(st.integers(-1, 64), max_size=3),
            "neighbours": st.integers(-1, 9),
            "tariff": st.integers() | st.dictionaries(st.text(max_size=3), st.integers()),
            "no.such.key": st.integers(),
        },
    )
)
def test_anything_is_either_a_configuration_or_a_configuration_error(
    values: dict[str, Any],
) -> None:
    try:
        config = resolve("tuned", values)
    except ConfigError:
        return
    again = from_dict(GridConfig, to_dict(config), where="test")
    assert config_hash(to_dict(again)) == config_hash(to_dict(config))


def test_a_feeder_of_ones_own_keeps_its_transformer_unless_asked_otherwise() -> None:
    assert resolve("tuned", {}).kva_per_household == 2.0
    assert resolve("tuned", {"feeder": "kerber_dorfnetz"}).kva_per_household == 2.0
    assert resolve("tuned", {"feeder": "nets/mine.json"}).kva_per_household is None
    sized = resolve("tuned", {"feeder": "nets/mine.json", "kva_per_household": 3.0})
    assert sized.kva_per_household == 3.0


def test_days_follow_the_number_of_households() -> None:
    envs = [resolve("tuned", {"households": n}).learner.num_envs for n in (1, 5, 20, 50, 1000)]
    assert envs == [64, 64, 20, 8, 2]
    assert resolve("tuned", {"households": 5, "learner.num_envs": 3}).learner.num_envs == 3
    few, many = (resolve("tuned", {"households": n}) for n in (500, 501))
    assert (few.days, few.trial_days) == (32, 32)
    assert (many.days, many.trial_days) == (8, 8)
    assert resolve("tuned", {"households": 2000, "days": 16}).days == 16


def test_forms_of_the_decisions_have_settings_of_their_own() -> None:
    old = resolve("tuned", {"variant": "per_job"}).learner
    assert (old.num_envs, old.num_updates) == (16, 200)
    assert resolve("tuned", {}).learner.num_updates == 55
    with pytest.raises(ConfigError, match="fewer, or variant='per_job'"):
        resolve("tuned", {"num_actions": 9})
    assert resolve("tuned", {"num_actions": 9, "variant": "per_job"}).num_actions == 9
    with pytest.raises(ConfigError, match="quarter-hours, 1 or more"):
        resolve("tuned", {"revise_after": [0]})
