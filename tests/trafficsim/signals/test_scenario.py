"""Traffic lights as a world: seeds, rows compared by hand, notes, runs whose files changed."""

from pathlib import Path

import numpy as np
import pytest

from ss_core.errors import ConfigError
from ss_core.random_streams import Stream, numpy_generator
from ss_core.record.checkpoint import Checkpoint
from ss_core.resources import data_path
from ss_core.scenario.key_figures import mean_of, summarise
from ss_core.scenario.protocol import Prepared, load_scenario
from trafficsim.signals.config import SignalsConfig, resolve
from trafficsim.signals.episode import Episode
from trafficsim.signals.results.labels import PROGRAMS
from trafficsim.signals.results.scoring import SignalScores, differences_of, score
from trafficsim.signals.scenario import (
    SCENARIO,
    check_stored,
    identity,
    saved,
    sumo_seeds,
)

LIGHTS = ("north", "south")


def episode(travel_time_s: float) -> Episode:
    """Two trips that take as long and arrive within the hour; a queue of one."""
    nothing = np.zeros(2)
    return Episode(
        vehicle_ids=("a", "b"),
        depart_s=nothing,
        arrival_s=np.full(2, travel_time_s),
        depart_delay_s=nothing,
        waiting_time_s=nothing,
        time_loss_s=nothing,
        queue=np.ones(3),
        teleports=0,
        begin_s=0.0,
        end_s=3600.0,
    )


def result(*travel_times_s: float, learned: bool = False) -> Checkpoint:
    """What a sub-task left of episodes with these travel times."""
    left = saved([episode(time_s) for time_s in travel_times_s])
    learning = {"num_updates": 3, "bytes_by_kind": {"suggestion": 4000}} if learned else {}
    return Checkpoint(update=0, tensors=left.tensors, state={**left.state, **learning}, parts={})


RESULTS = {
    "ss": result(20.0, 30.0, learned=True),
    "independent": result(25.0, 35.0, learned=True),
    "fixed": result(40.0, 50.0),
    "actuated": result(30.0, 30.0),
}


def test_the_record_is_found_where_child_processes_look_for_it() -> None:
    assert load_scenario(SCENARIO.target) is SCENARIO
    named = [reference.name for reference in SCENARIO.references(SignalsConfig())]
    assert named == [*PROGRAMS]


def test_rows_are_scored_in_the_order_of_the_table_and_compared_by_episode() -> None:
    scores = score(SignalsConfig(), Prepared(sentence="", world=LIGHTS), RESULTS)
    assert list(scores.figures) == ["fixed", "actuated", "independent", "ss"]
    assert scores.figures["ss"]["mean_travel_time_s"].tolist() == [20.0, 30.0]
    assert scores.figures["ss"]["throughput_veh_per_h"].tolist() == [2.0, 2.0]
    assert scores.num_agents == len(LIGHTS)
    assert [*scores.bytes_by_kind] == ["ss", "independent"]
    detail: SignalScores = scores.detail
    fixed, actuated = detail.compared["fixed"], detail.compared["actuated"]
    assert (fixed.estimate, fixed.low, fixed.high) == (-20.0, -20.0, -20.0)
    assert (actuated.estimate, actuated.low, actuated.high) == (-5.0, -10.0, 0.0)
    assert detail.episodes["actuated"][1].vehicle_ids == ("a", "b")


def test_intervals_of_comparisons_are_drawn_from_a_stream_of_their_own() -> None:
    config = SignalsConfig(seed=4)
    scores = score(config, Prepared(sentence="", world=LIGHTS), RESULTS)
    rng = numpy_generator(config.seed, Stream.BOOTSTRAP)
    summaries = {name: summarise(figures, rng) for name, figures in scores.figures.items()}
    assert mean_of(summaries["fixed"], "mean_travel_time_s") == 45.0
    times_s = {name: row["mean_travel_time_s"] for name, row in scores.figures.items()}
    rng = numpy_generator(config.seed, Stream.DIFFERENCES)
    assert scores.detail.compared == differences_of(times_s, "ss", rng)


def test_held_out_episodes_differ_from_those_of_the_curve_and_follow_from_the_seed() -> None:
    config = SignalsConfig(seed=1)
    held_out = sumo_seeds(config, 3, Stream.HELD_OUT_EPISODES)
    assert held_out == sumo_seeds(config, 3, Stream.HELD_OUT_EPISODES)
    assert held_out[:2] == sumo_seeds(config, 2, Stream.HELD_OUT_EPISODES)
    assert not {*held_out} & {*sumo_seeds(config, 3, Stream.CURVE_EPISODES)}
    assert held_out != sumo_seeds(SignalsConfig(seed=2), 3, Stream.HELD_OUT_EPISODES)
    assert all(0 <= seed < 2**31 for seed in held_out)


def test_a_run_is_named_after_its_net() -> None:
    assert identity(resolve("tuned", {"scenario": "2x2grid"}), LIGHTS) == ("signals", "2x2grid")
    config = resolve("tuned", {"net": "grid_3x3.net.xml"})
    assert identity(config, LIGHTS) == ("signals", "grid_3x3")


def test_a_run_is_not_continued_on_other_files(tmp_path: Path) -> None:
    net = tmp_path / "mine.net.xml"
    net.write_text(data_path("nets/grid_3x3.net.xml").read_text())
    config = resolve("tuned", {"net": str(net)})
    check_stored(config, {"resume": "here"})
    net.write_text(net.read_text() + "\n")
    with pytest.raises(ConfigError, match=r"--resume here: net or demand changed since that run"):
        check_stored(config, {"resume": "here"})


def test_trust_lies_and_regimes_are_settings_of_lights_too() -> None:
    given: dict[str, object] = {"scenario": "2x2grid", "liars": 0.5, "lie": "contrary"}
    config = resolve("tuned", given | {"trust": True, "regime": "norm"})
    assert (config.learner.exchange.liars, config.learner.exchange.lie) == (0.5, "contrary")
    assert config.learner.trust
    assert config.learner.objective.follow == "tv"
    with pytest.raises(ConfigError, match="liars lie in suggestions"):
        resolve("tuned", given | {"algorithm": "vps"})
    with pytest.raises(ConfigError, match="choose paper, gradient or norm"):
        resolve("tuned", {"scenario": "2x2grid", "regime": "x"})
