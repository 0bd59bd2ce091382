"""What is asked before a run begins: device, disk, the run to continue, settings as a table."""

import math
from collections import namedtuple
from pathlib import Path

import pytest

from ss_core.errors import ConfigError, CorruptError, ResourceError
from ss_core.record.atomic import atomic_write, json_bytes
from ss_core.scenario.request import (
    check_device,
    check_disk,
    finished_result,
    open_run,
    settings_table,
    stored_config,
    without_nan,
)

CONFIG = {"seed": 3, "learner": {"gamma": 0.9}}


def start(out: Path, resume: str = "auto") -> Path:
    """Begin a run and leave it as a signal would."""
    with open_run(out, resume, task="game", size="n2", seed=3, config=CONFIG) as run:
        return run.path


def test_a_run_that_was_cut_short_is_continued_unless_told_otherwise(tmp_path: Path) -> None:
    first = start(tmp_path)
    assert start(tmp_path) == first
    assert start(tmp_path, str(first)) == first
    assert stored_config(str(first)) == CONFIG
    assert stored_config("auto") is None


def test_a_complete_run_gives_its_result_again(tmp_path: Path) -> None:
    with open_run(tmp_path, "auto", task="game", size="n2", seed=3, config=CONFIG) as run:
        atomic_write(run.path / "result.json", json_bytes({"notes": ["good"], "value": 1}))
        run.finish("complete")
    result = finished_result(str(run.path))
    assert result is not None
    assert (result["value"], result["run_dir"], len(result["notes"])) == (1, str(run.path), 2)
    assert finished_result("never") is None
    (run.path / "result.json").write_text("[]")
    with pytest.raises(CorruptError, match="lists what changed"):
        finished_result(str(run.path))


def test_a_folder_without_a_run_cannot_be_continued(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no run"):
        stored_config(str(tmp_path))


def test_a_full_disk_is_told_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda _path: usage(10**9, 10**9, 5_000_000))
    with pytest.raises(ResourceError, match=r"5 MB free, a run may need 200 MB.*--out"):
        check_disk(tmp_path / "not" / "there")


@pytest.mark.parametrize("device", ["tpu", "cuda:x", "cpu:1"])
def test_a_device_that_is_none_is_refused(device: str) -> None:
    with pytest.raises(ConfigError, match="cpu, cuda or cuda:N"):
        check_device(device)


def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ConfigError, match="finds no CUDA device here"):
        check_device("cuda")
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    check_device("cuda:0")
    with pytest.raises(ConfigError, match="torch finds 1 CUDA devices"):
        check_device("cuda:1")


def test_settings_are_listed_by_dotted_name_with_their_origin() -> None:
    assert settings_table(CONFIG, {"learner.gamma": "--set learner.gamma"}) == [
        {"setting": "seed", "value": 3, "from": "preset or default"},
        {"setting": "learner.gamma", "value": 0.9, "from": "--set learner.gamma"},
    ]


def test_what_is_not_finite_becomes_null() -> None:
    assert without_nan({"a": [math.nan, 1.0], "b": {"c": math.inf}}) == {
        "a": [None, 1.0],
        "b": {"c": None},
    }
