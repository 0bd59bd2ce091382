"""References that runs of the same days share: computed once, the same bytes in every run."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ss_core.config import to_dict
from ss_core.scenario import tasks
from ss_core.scenario.config import RunConfig
from ss_core.scenario.protocol import Place, Reference, Saved
from tests.ss_core.scenario import toy

computed: list[RunConfig] = []


def refer(config: RunConfig, place: Place, report: object, stop: object) -> Saved:
    computed.append(config)
    return toy.refer(config, place, report, stop)


def seed_alone(config: RunConfig) -> RunConfig:
    return RunConfig(seed=config.seed)


SCENARIO = replace(
    toy.SCENARIO,
    target=f"{__name__}:SCENARIO",
    references=lambda _: [Reference(name="references", compute=refer, depends_on=seed_alone)],
)


@pytest.fixture(autouse=True)
def none_computed() -> None:
    computed.clear()


def result(folder: Path, config: RunConfig, shared: str, inputs: str = "") -> Mapping[str, bytes]:
    """What the sub-task leaves in a folder of its own."""
    given = folder / "inputs"
    given.mkdir(parents=True)
    (given / "net.txt").write_text(inputs)
    arguments: dict[str, Any] = {
        "scenario": SCENARIO.target,
        "config": to_dict(config),
        "inputs": str(given),
        "processes": 1,
        "reference": "references",
        "shared": shared,
        "folder": str(folder / "references"),
    }
    assert tasks.refer(arguments, lambda *_: None, lambda: False)
    below = folder / "references" / "result"
    return {
        path.relative_to(below).as_posix(): path.read_bytes()
        for path in below.rglob("*")
        if path.is_file()
    }


def test_runs_that_differ_in_their_learner_share_and_others_do_not(tmp_path: Path) -> None:
    shared, config = str(tmp_path / "shared"), RunConfig()
    other = replace(config, learner=replace(config.learner, gamma=0.5), evaluations=3)
    first = result(tmp_path / "a", config, shared)
    assert result(tmp_path / "b", other, shared) == first
    assert len(computed) == 1
    result(tmp_path / "c", replace(config, seed=1), shared)
    result(tmp_path / "d", config, shared, inputs="another net")
    assert [one.seed for one in computed] == [0, 1, 0]


def test_a_run_alone_computes_the_same_from_the_same_settings(tmp_path: Path) -> None:
    config = replace(RunConfig(), evaluations=3)
    alone = result(tmp_path / "alone", config, "")
    assert alone == result(tmp_path / "one of many", config, str(tmp_path / "shared"))
    assert computed == [RunConfig(), RunConfig()]
