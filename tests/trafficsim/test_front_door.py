"""Drivers from Python: one call, its table, its figures, its traces."""

from pathlib import Path
from typing import Any

import pytest

import trafficsim
from ss_core.config import parse_assignment
from tests.support.traffic_runs import QUICK, two_routes

pytestmark = [pytest.mark.sumo, pytest.mark.slow]


def small() -> dict[str, Any]:
    """`QUICK` as keyword arguments."""
    pairs = zip(QUICK[::2], QUICK[1::2], strict=True)
    given = {flag.removeprefix("--"): value for flag, value in pairs if flag != "--set"}
    settings = dict(parse_assignment(text) for text in QUICK if "=" in text)
    return {**given, "days": int(given["days"])} | settings


def test_drivers_run_from_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = trafficsim.run(net=two_routes(tmp_path), out=tmp_path / "runs", workers=1, **small())
    assert {"ss", "independent", "user_equilibrium", "optimum"} <= set(run.kpis["algorithm"])
    assert "travel time s" in run.table.columns
    trips = run.traces("trip", algorithm="ss").to_pandas()
    assert trips["travel_time_s"].gt(0.0).all()
    assert trips["vehicle_id"].nunique() == 6
    assert run.recommended in set(run.kpis["algorithm"])
    assert run.report.is_file()
