"""The register of worlds: each loads, has its command and page, and offers what it can run."""

from collections.abc import Mapping
from typing import Any

import click
import pytest

from cli.app import run
from cli.ss import cli as ss
from cli.worlds import WORLDS, loaded, world_of
from ss_core.algorithms.names import ALGORITHM_FACTS
from ss_core.errors import ConfigError
from ss_core.learning.presets import EQUAL_COSTS
from ss_core.scenario.protocol import load_scenario

OWN: Mapping[str, Mapping[str, Any]] = {
    "grid": {"households": 4},
    "traffic": {"net": "two_route.net.xml"},
    "signals": {"scenario": "2x2grid"},
    "train": {"env": "navigation"},
}


@pytest.mark.parametrize("name", WORLDS)
def test_a_world_has_a_scenario_a_page_and_a_command_of_its_name(name: str) -> None:
    world = WORLDS[name]
    scenario = load_scenario(world.scenario)
    assert (scenario.name, scenario.target) == (name, world.scenario)
    assert callable(loaded(world.summary))
    assert not world.sources or callable(loaded(world.sources))
    command = loaded(world.command)
    for word in world.words:
        command = command.get_command(click.Context(command), word)
    assert {"algorithm", "seed", "out", "resume"} <= {each.name for each in command.params}


def test_what_is_no_other_world_is_training() -> None:
    assert world_of("signals").name == "signals"
    assert world_of("cleanup").name == "train"


@pytest.mark.parametrize("algorithm", ALGORITHM_FACTS)
@pytest.mark.parametrize("name", WORLDS)
def test_every_algorithm_is_offered_or_refused_in_a_sentence(name: str, algorithm: str) -> None:
    resolve = load_scenario(WORLDS[name].scenario).resolve
    asked = {**OWN[name], "algorithm": algorithm}
    if "cooperative_actions" in ALGORITHM_FACTS[algorithm].needs:
        with pytest.raises(ConfigError, match="cooperative"):
            resolve("tuned", asked)
    else:
        assert next(iter(resolve("tuned", asked).learners)) == algorithm


@pytest.mark.parametrize("preset", ["tuned", "paper"])
@pytest.mark.parametrize(
    ("name", "own", "angle"),
    [
        ("grid", {}, EQUAL_COSTS),
        ("grid", {"variant": "quarter_hourly"}, EQUAL_COSTS),
        ("traffic", {}, EQUAL_COSTS),
        ("traffic", {"en_route": True}, EQUAL_COSTS),
        ("signals", {}, 45.0),  # rewards of either sign
        ("train", {}, EQUAL_COSTS),
        ("train", {"env": "predation"}, EQUAL_COSTS),
        ("train", {"env": "cleanup-small"}, 45.0),
    ],
)
def test_equal_costs_are_the_orientation_where_rewards_are_costs(
    name: str, own: Mapping[str, Any], angle: float, preset: str
) -> None:
    asked = {**OWN[name], **own, "algorithm": "svo"}
    config: Any = load_scenario(WORLDS[name].scenario).resolve(preset, asked)
    assert config.learner.svo_angle == angle
    asked["learner.svo_angle"] = 20.0
    config = load_scenario(WORLDS[name].scenario).resolve(preset, asked)
    assert config.learner.svo_angle == 20.0


@pytest.mark.parametrize("name", ["grid", "signals"])
def test_settings_of_a_world_are_shown_and_an_old_option_warns(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    own = ["--scenario", "2x2grid"] if name == "signals" else ["--households", "4"]
    assert run(ss, "ss", ["config", "show", name, *own, "--origins"]) == 0
    shown = capsys.readouterr()
    assert "learner.gamma" in shown.out
    assert "always done" in shown.err
