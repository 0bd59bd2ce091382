"""What a study will take: runs to measure, time of what they left out, room on the disk."""

from dataclasses import replace
from pathlib import Path

import pytest

from ss_core.errors import ResourceError
from ss_core.experiments.studies.calibration import (
    UPDATES,
    Expectation,
    Watch,
    check_expected,
    expect,
    read_expected,
    shortened,
    spread,
    write_expected,
)
from ss_core.experiments.studies.study import run_study
from tests.support.small_studies import STUDY, giving, pool_here, study_text

EXPECTED = Expectation(
    runs=100, complete=20, workers=2, run_s=10.0, total_s=400.0, memory_bytes=10**9,
    disk_bytes=10**9, free_bytes=10**10, calibrated_on=4,
)  # fmt: skip


def test_short_runs_are_spread_over_the_points(tmp_path: Path) -> None:
    axes = {"learner.gamma": "{ from = 0.1, to = 0.9, steps = 9 }"}
    plan = giving(tmp_path, study_text(axes=axes)).plan
    chosen = [run.point["learner.gamma"] for run in spread(plan, 4)]
    assert chosen == [0.1, 0.4, 0.6, 0.9]
    assert len(spread(plan[:4], 4)) == 2


def test_a_short_run_has_few_updates_and_is_otherwise_the_same(tmp_path: Path) -> None:
    config = giving(tmp_path).plan[-1].config
    long = replace(config, learner=replace(config.learner, num_updates=500), evaluations=20)
    assert shortened(long).learner.num_updates == UPDATES
    assert shortened(long).evaluations == 1
    assert shortened(long).learner.gamma == long.learner.gamma


def test_an_update_is_the_middle_gap_and_the_last_has_an_evaluation() -> None:
    watch = Watch({"ss": {0: 0.0, 1: 5.0, 2: 6.0, 3: 7.0, 4: 8.0, 5: 12.0}})
    assert watch.updates_s("ss") == (1.0, 3.0)
    assert watch.updates_s("nobody") == (0.0, 0.0)


def test_a_study_is_reckoned_from_short_runs_and_nothing_stays_behind(tmp_path: Path) -> None:
    study = giving(tmp_path, study_text({**STUDY, "seeds": "3"}))
    found = expect(study.plan, study.scenario, study.out, 2, lambda _: None, pool_here)
    assert (found.runs, found.complete, found.calibrated_on) == (12, 0, 4)
    assert found.run_s > 0.0
    assert found.total_s == pytest.approx(6 * found.run_s)
    assert not study.out.exists()
    run_study(study, 1, lambda _: None, pool_here)
    sizes = [
        sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        for folder in (study.out / "runs").iterdir()
    ]
    assert found.disk_bytes == pytest.approx(sum(sizes), rel=0.3)


def test_what_is_expected_is_kept_beside_the_study(tmp_path: Path) -> None:
    assert read_expected(tmp_path) == {}
    write_expected(EXPECTED, tmp_path)
    assert read_expected(tmp_path)["total_s"] == 400.0


def test_too_little_room_is_one_error(tmp_path: Path) -> None:
    check_expected(EXPECTED, tmp_path)
    with pytest.raises(ResourceError, match="500 MB free, the study needs about 1,000 MB for 80"):
        check_expected(replace(EXPECTED, free_bytes=500_000_000), tmp_path)
