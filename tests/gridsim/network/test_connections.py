"""Who stands behind the loads and generators of nets that name SimBench's profiles."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gridsim.network.connections import connection_notes, connections_of, profile_names
from gridsim.network.feeder import Feeder, attach_households, load_compiled, save_feeder
from gridsim.network.net_profiles import read_net_profiles
from gridsim.network.pandapower_io import compile_feeder, load_feeder_with_notes
from ss_core.errors import InputError
from tests.support.simbench_nets import (
    DEVICES,
    HOMES,
    OTHERS,
    ROWS,
    simbench_like,
    with_profiles,
    written,
    year_of,
)


@pytest.fixture(scope="module")
def feeder() -> Feeder:
    return compile_feeder(simbench_like(), "small")


def test_loads_are_sorted_by_their_profiles(feeder: Feeder) -> None:
    found = connections_of(feeder)
    names = np.array(feeder.load_profile)
    assert names[found.home_load].tolist() == list(HOMES)
    assert names[found.device_load].tolist() == list(DEVICES)
    assert names[found.other_load].tolist() == list(OTHERS)
    assert profile_names(feeder) == ({*OTHERS}, {"PV1", "PV8"})


def test_a_generator_on_a_roof_fits_a_house_and_stands_at_one(feeder: Feeder) -> None:
    assert connections_of(feeder).roof_sgen.tolist() == [0]
    net = simbench_like()
    net.sgen.loc[0, "p_mw"] = 0.117
    assert not len(connections_of(compile_feeder(net, "field")).roof_sgen)


def test_every_load_is_a_home_where_no_profile_says_otherwise() -> None:
    net = simbench_like()
    for profiles in (None, "mine"):
        net.load["profile"] = profiles
        feeder = compile_feeder(net, "small")
        assert feeder.load_profile == ()
        assert len(connections_of(feeder).home_load) == len(net.load)


def test_a_load_without_a_profile_among_others_is_a_home() -> None:
    net = simbench_like()
    net.load.loc[3, "profile"] = None
    homes = connections_of(compile_feeder(net, "small")).home_load
    assert homes.tolist() == [0, 1, 2, 3]


def test_households_share_house_connections_alone(feeder: Feeder) -> None:
    homes = connections_of(feeder).home_load
    attachment = attach_households(feeder, 5, homes)
    power = attachment.load_power(np.ones((1, 5)))
    assert power.tolist() == [[2, 2, 1, 0, 0, 0, 0, 0]]
    assert "share the 3 house connections" in attachment.sentence


def test_nothing_of_a_net_goes_uncounted(tmp_path: Path) -> None:
    path = written(with_profiles(simbench_like()), tmp_path / "net.json")
    feeder, notes = load_feeder_with_notes(path, households=3, kva_per_household=None)
    notes = "\n".join([*notes, *connection_notes(feeder)])
    assert "1 storage of 6 kWh in all is idle" in notes
    assert "2 loads (1 HLS_A_3.7, 1 Soil_Alternative_2): heat pumps and charge points" in notes
    assert "3 loads (1 G0-A, 1 HLS_A_11.0, 1 L1-A): not households" in notes
    assert "draw up to 27 kW by profiles" in notes
    assert "2 generators of 123 kW in all: 1 on roofs of house connections" in notes
    assert "load.profile" not in notes
    assert connection_notes(load_feeder_with_notes("kerber_dorfnetz", **SIZE)[0]) == []


SIZE: dict[str, Any] = {"households": 3, "kva_per_household": None}


def test_a_compiled_feeder_keeps_generators_and_profiles(tmp_path: Path, feeder: Feeder) -> None:
    save_feeder(feeder, tmp_path / "small.npz")
    again = load_compiled(tmp_path / "small.npz")
    assert again.load_profile == feeder.load_profile
    assert again.sgen_profile == feeder.sgen_profile
    np.testing.assert_array_equal(again.terminal_bus, feeder.terminal_bus)
    np.testing.assert_array_equal(again.sgen_p_mw, feeder.sgen_p_mw)


# profiles of the file


def test_profiles_of_a_file_are_read_by_name(tmp_path: Path) -> None:
    path = written(with_profiles(simbench_like()), tmp_path / "net.json")
    found = read_net_profiles(path, {"L1-A", "H0-A", "no such"}, {"PV8"})
    assert {*found.load_p} == {"L1-A", "H0-A"}
    assert {*found.load_q} == {"L1-A"}
    assert {*found.generation} == {"PV8"}
    np.testing.assert_allclose(found.load_p["L1-A"].ravel(), year_of("L1-A")[: 365 * 96])
    np.testing.assert_allclose(found.generation["PV8"][3, 50], year_of("PV8")[3 * 96 + 50])


def test_a_file_without_profiles_has_none(tmp_path: Path) -> None:
    found = read_net_profiles(written(simbench_like(), tmp_path / "net.json"), {"L1-A"}, {"PV8"})
    assert [*found.load_p, *found.load_q, *found.generation] == []


def test_profiles_of_another_kind_are_not_read(tmp_path: Path) -> None:
    net = simbench_like()
    net["profiles"] = {"load.p_mw": pd.DataFrame({0: [0.1], 7: [0.2]})}  # as in a replay
    found = read_net_profiles(written(net, tmp_path / "net.json"), {"L1-A"}, {"PV8"})
    assert [*found.load_p, *found.generation] == []


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda table: table.iloc[:100], "100 rows, fewer than a year of quarter-hours"),
        (lambda table: table.assign(PV8=None), "row 0: None is not a finite number"),
        (lambda table: table.assign(PV8=["noon"] * ROWS), "row 0: 'noon' is not a finite"),
    ],
)
def test_a_bad_profile_is_named(tmp_path: Path, spoil: Any, words: str) -> None:
    net = with_profiles(simbench_like())
    net["profiles"]["renewables"] = spoil(net["profiles"]["renewables"])
    path = written(net, tmp_path / "net.json")
    with pytest.raises(InputError, match="table 'renewables', column 'PV8'") as refusal:
        read_net_profiles(path, set(), {"PV8"})
    assert words in str(refusal.value)
    assert "remove the profiles" in str(refusal.value)
