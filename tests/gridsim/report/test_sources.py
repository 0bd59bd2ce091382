"""An export of a grid run names what the run was made from, and files only to its operator."""

from pathlib import Path

import pytest

from gridsim.network.pandapower_io import SHIPPED as SHIPPED_FEEDERS
from gridsim.report.sources import PROFILES, SHIPPED, run_sources
from ss_core.analysis.about import Source
from ss_core.analysis.run_data import RunData
from ss_core.record.run_directory import RunDirectory


def sources_of(folder: Path, feeder: str, *, named: bool, **files: str) -> list[Source]:
    config = {"households": 4, "feeder": feeder, **files}
    with RunDirectory.create(folder, task="grid", size="h4", seed=0, config=config) as run:
        run.finish("complete")
    return run_sources(RunData(folder), named=named)


def test_every_shipped_feeder_is_known() -> None:
    assert {*SHIPPED} == {*SHIPPED_FEEDERS}


@pytest.mark.parametrize("feeder", ["auto", "kerber_146", "create_kerber_dorfnetz"])
def test_feeders_of_pandapower_come_under_its_licence(tmp_path: Path, feeder: str) -> None:
    found, profiles = sources_of(tmp_path, feeder, named=False)
    assert found.licence == "BSD-3-Clause"
    assert (feeder if feeder != "auto" else "kerber_dorfnetz") in found.title
    assert profiles == PROFILES


def test_the_name_of_an_own_file_is_for_its_operator(tmp_path: Path) -> None:
    path = "/data/Musterstadt.json"
    assert sources_of(tmp_path / "a", path, named=True)[0] == Source("feeder Musterstadt.json")
    assert sources_of(tmp_path / "b", path, named=False)[0] == Source("a feeder of the user's own")


def test_tables_of_ones_own_are_sources_whose_names_are_for_the_operator(tmp_path: Path) -> None:
    files = {"meter": "/data/Musterstrasse.parquet", "prices": "spot.csv"}
    _, *tables, _ = sources_of(tmp_path / "a", "auto", named=True, **files)
    assert tables == [
        Source("measured loads Musterstrasse.parquet"),
        Source("day-ahead prices spot.csv"),
    ]
    _, *tables, _ = sources_of(tmp_path / "b", "auto", named=False, **files)
    assert tables == [
        Source("measured loads of one's own"),
        Source("day-ahead prices of one's own"),
    ]
