"""Whose a net's heat pumps, charge points, roofs and storages are."""

from pathlib import Path
from typing import Any

import numpy as np
import pandapower
import pytest

from gridsim.network.connections import connection_notes, connections_of
from gridsim.network.feeder import Feeder, attach_households, load_compiled, save_feeder
from gridsim.network.net_devices import NetDevices, devices_of
from gridsim.network.pandapower_io import compile_feeder, load_feeder
from tests.support.simbench_nets import simbench_like


def handed_out(net: Any, households: int) -> NetDevices:
    feeder = compile_feeder(net, "small")
    homes = connections_of(feeder).home_load
    found = devices_of(feeder, attach_households(feeder, households, homes))
    assert found is not None
    return found


def with_load(net: Any, bus: int, profile: str, p_mw: float = 0.004) -> Any:
    at = pandapower.create_load(net, bus, p_mw=p_mw)
    net.load.loc[at, "profile"] = profile
    return net


def test_each_household_has_what_stands_at_its_bus() -> None:
    found = handed_out(simbench_like(), 3)  # at buses 2, 3, 4
    assert found.heat_pump_kw.tolist() == [4.0, 0.0, 0.0]
    assert found.car_kw.tolist() == [0.0, 3.7, 0.0]
    assert found.pv_kwp.tolist() == [6.0, 0.0, 0.0]  # the plant of 117 kW is nobody's
    assert found.battery_kwh.tolist() == [6.0, 0.0, 0.0]
    assert (found.roof_sgen.tolist(), found.storage.tolist()) == ([0], [0])
    assert found.car_power_kw == 3.7
    assert "1 charge point (1 of 3.7 kW), 1 heat pump, 1 roof of 6 kWp" in found.sentence


def test_what_no_household_lives_with_is_nobodys() -> None:
    found = handed_out(simbench_like(), 1)
    assert found.car_kw.tolist() == [0.0]
    assert found.car_power_kw is None
    assert "charge points that draw nothing: 1 (" in found.sentence


def test_several_at_a_bus_go_to_the_next_household_there() -> None:
    net = with_load(simbench_like(), 3, "HLS_A_22.0")
    pandapower.create_sgen(net, 2, p_mw=0.005, type="PV")
    alone, shared = handed_out(net, 3), handed_out(net, 6)
    assert alone.car_kw.tolist() == [0.0, 3.7, 0.0]  # a household has one car
    assert shared.car_kw.tolist() == [0.0, 3.7, 0.0, 0.0, 22.0, 0.0]
    assert alone.pv_kwp.tolist() == [11.0, 0.0, 0.0]  # and as many roofs as stand there
    assert shared.pv_kwp.tolist() == [6.0, 0.0, 0.0, 5.0, 0.0, 0.0]
    assert "draw nothing" in alone.sentence
    assert "draw nothing" not in shared.sentence


def test_cars_charge_with_the_most_common_power() -> None:
    net = with_load(with_load(simbench_like(), 2, "HLS_B_11.0"), 4, "HLS_C_11.0", 0.0109)
    found = handed_out(net, 3)
    assert found.car_kw.tolist() == [11.0, 3.7, 11.0]
    assert found.car_power_kw == 11.0
    assert "3 charge points (1 of 3.7 kW, 2 of 11 kW)" in found.sentence
    assert "the most common of these" in found.sentence
    two = with_load(simbench_like(), 2, "HLS_A_11.0")
    assert handed_out(two, 3).car_power_kw == 11.0  # of two as common the higher


def test_a_profile_without_a_power_leaves_it_to_the_load() -> None:
    assert handed_out(with_load(simbench_like(), 4, "HLS_mine"), 3).car_kw[2] == 4.0


def test_a_net_without_profiles_says_nothing_of_cars_but_has_roofs_and_batteries() -> None:
    net = simbench_like()
    net.load["profile"] = None
    found = handed_out(net, len(net.load))
    assert np.isnan(found.car_kw).all()
    assert np.isnan(found.heat_pump_kw).all()
    assert found.pv_kwp.sum() == 6.0
    assert found.battery_kwh.sum() == 6.0


def test_wind_is_no_roof() -> None:
    net = simbench_like()
    net.sgen["profile"], net.sgen["type"] = None, "WP"
    assert handed_out(net, 3).pv_kwp.sum() == 0.0


def test_a_net_without_any_devices_leaves_them_to_be_drawn() -> None:
    feeder = load_feeder("kerber_dorfnetz", households=3, kva_per_household=None)
    assert devices_of(feeder, attach_households(feeder, 3)) is None


def test_notes_count_what_is_left() -> None:
    feeder = compile_feeder(simbench_like(), "small")
    notes = "\n".join(connection_notes(feeder, roofs=[0], storages=[0], by_net=True))
    assert "1 generator of 117 kW in all: 0 on roofs" in notes
    assert "Soil" not in notes
    assert "idle" not in notes


@pytest.mark.parametrize(("least", "kwh"), [(None, 6.0), (0.001, 5.0), (0.007, 0.0)])
def test_a_storage_holds_what_is_between_its_levels(least: float | None, kwh: float) -> None:
    net = simbench_like()
    net.storage["min_e_mwh"] = least
    assert compile_feeder(net, "small").storage_kwh == pytest.approx([kwh])


def test_a_storage_of_unknown_size_is_no_battery() -> None:
    net = simbench_like()
    net.storage["max_e_mwh"] = np.nan
    assert handed_out(net, 3).battery_kwh.sum() == 0.0


def test_a_compiled_feeder_keeps_storages(tmp_path: Path) -> None:
    feeder: Feeder = compile_feeder(simbench_like(), "small")
    save_feeder(feeder, tmp_path / "small.npz")
    again = load_compiled(tmp_path / "small.npz")
    assert again.storage_kwh.tolist() == feeder.storage_kwh.tolist() == [6.0]
    assert again.storage_bus.tolist() == feeder.storage_bus.tolist()
