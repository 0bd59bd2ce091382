"""Who lives where: every column, every refusal, and the template."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from gridsim.network.feeder import Feeder
from gridsim.network.pandapower_io import load_feeder
from gridsim.own_data.households_file import (
    HouseholdsFile,
    attach_as_given,
    bus_labels,
    file_notes,
    read_households_file,
    template,
)
from ss_core.errors import InputError

HEADER = "household,bus,phase,car,heat_pump,pv_kwp,battery_kwh"


def written(folder: Path, *rows: str, header: str = HEADER) -> HouseholdsFile:
    path = folder / "households.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return read_households_file(path)


@pytest.fixture(scope="module")
def feeder() -> Feeder:
    return load_feeder("kerber_dorfnetz", households=4, kva_per_household=None)


def test_every_column_is_read(tmp_path: Path) -> None:
    file = written(tmp_path, "a,loadbus_1_1,1,11,yes,0,0", "b,7,,no,3.5,,", "c,5,3,yes,,no,10.5")
    assert file.name == ("a", "b", "c")
    assert file.bus == ("loadbus_1_1", "7", "5")
    assert file.phase.tolist() == [1, 0, 3]
    assert file.car_kw.tolist() == [11.0, 0.0, np.inf]
    assert file.heat_pump_kw[:2].tolist() == [np.inf, 3.5]
    assert np.isnan(file.heat_pump_kw[2])
    assert file.pv_kwp[[0, 2]].tolist() == [0.0, 0.0]
    assert file.battery_kwh[[0, 2]].tolist() == [0.0, 10.5]
    assert np.isnan(file.pv_kwp[1])
    assert np.isnan(file.battery_kwh[1])
    assert file.car_power_kw == 11.0
    assert "heat pumps of 1 households are drawn" in file_notes(file)[0]
    assert file_notes(file)[1].startswith("phases of 2 households are kept and not used")


def test_columns_may_be_left_out_and_semicolons_have_decimal_commas(tmp_path: Path) -> None:
    file = written(tmp_path, "a;3,7", "b;yes", header="household;car")
    assert file.car_kw.tolist() == [3.7, np.inf]
    assert file.bus == ()
    assert np.isnan(file.heat_pump_kw).all()


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("b,7,4,,,,", r"row 3, column 'phase': '4' is no phase; write 1, 2 or 3"),
        ("b,7,L1,,,,", r"'L1' is no phase"),
        ("b,7,,maybe,,,", r"row 3, column 'car': 'maybe' is neither yes, no nor a power"),
        ("b,7,,1000000,,,", r"'1000000' is neither yes, no nor a power from 0 to 50 kW"),
        ("b,7,,nan,,,", r"'nan' is neither yes, no"),
        ("b,7,,,-3,,", r"column 'heat_pump': '-3' is neither"),
        ("b,7,,,,yes,", r"column 'pv_kwp': 'yes' is no number from 0 to 100 kWp; write kWp, 0"),
        ("b,7,,,,-1,", r"column 'pv_kwp': '-1' is no number"),
        ("b,7,,,,,inf", r"column 'battery_kwh': 'inf' is no number from 0 to 200 kWh"),
        ("b,,,,,,", r"row 3, column 'bus': '' names no bus, as other rows do; write one in every"),
        ("a,7,,,,,", r"row 3, column 'household': 'a' stands in row 2, too"),
        (",7,,,,,", r"row 3, column 'household': '' names no household"),
        ("b,7,,3.7,,,", r"row 3, column 'car': 3.7 is another power than the 11 kW.*or yes"),
    ],
)
def test_a_wrong_cell_is_named_with_row_value_and_remedy(
    tmp_path: Path, row: str, why: str
) -> None:
    with pytest.raises(InputError, match=why):
        written(tmp_path, "a,7,,11,,0,0", row)
    assert written(tmp_path, "a,7,,11,,0,0", "b,7,,yes,,0,0").num_households == 2


def test_unknown_columns_are_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'pv' mean nothing here; name columns household, bus"):
        written(tmp_path, "a,5", header="household,pv")
    with pytest.raises(InputError, match="no column for the household"):
        written(tmp_path, "5,yes", header="bus,car")


def test_households_live_at_the_buses_they_name(tmp_path: Path, feeder: Feeder) -> None:
    first, second = bus_labels(feeder)[:2]
    index = str(feeder.bus_index[feeder.load_bus[1]])
    file = written(tmp_path, f"a,{second},,,,,", f"b,{first},,,,,", f"c,{index},,,,,")
    attachment = attach_as_given(file, feeder)
    assert attachment.load_of_household.tolist() == [1, 0, 1]
    assert "3 households at 2 buses of kerber_dorfnetz" in attachment.sentence
    assert "55 of 57 house connections carry no household" in attachment.sentence


def test_several_connections_at_a_bus_take_turns(tmp_path: Path, feeder: Feeder) -> None:
    shared = feeder.load_bus.copy()
    shared[1] = shared[0]
    file = written(tmp_path, *(f"{name},loadbus_1_1,,,,," for name in "abc"))
    found = attach_as_given(file, dataclasses.replace(feeder, load_bus=shared))
    assert found.load_of_household.tolist() == [0, 1, 0]


def test_unknown_buses_are_named_with_those_there_are(tmp_path: Path, feeder: Feeder) -> None:
    file = written(tmp_path, "a,loadbus_1_1,,,,,", "b,nowhere,,,,,")
    why = r"row 3, column 'bus': 'nowhere' is no bus of kerber_dorfnetz.*'loadbus_1_1'.*45 more"
    with pytest.raises(InputError, match=why):
        attach_as_given(file, feeder)
    file = written(tmp_path, "a,main_busbar,,,,,")
    with pytest.raises(InputError, match=r"without a house connection.*'loadbus_1_1'"):
        attach_as_given(file, feeder)


def test_a_name_of_two_buses_needs_an_index(tmp_path: Path, feeder: Feeder) -> None:
    names = list(feeder.bus_name)
    twin = feeder.load_bus[1]
    names[twin] = "loadbus_1_1"
    twins = dataclasses.replace(feeder, bus_name=tuple(names))
    with pytest.raises(InputError, match=r"is the name of 2 buses; write the index of one: '3'"):
        attach_as_given(written(tmp_path, "a,loadbus_1_1,,,,,"), twins)
    file = written(tmp_path, f"a,{feeder.bus_index[twin]},,,,,")
    assert attach_as_given(file, twins).load_of_household.tolist() == [1]
    assert bus_labels(twins)[1] == str(feeder.bus_index[twin])


@pytest.mark.parametrize("name", ["kerber_dorfnetz", "schutterwald_56", "kerber_146"])
def test_the_template_is_accepted_unchanged_and_changes_nothing(tmp_path: Path, name: str) -> None:
    feeder = load_feeder(name, households=4, kva_per_household=None)
    path = tmp_path / "h.csv"
    path.write_text(template(feeder), encoding="utf-8")
    file = read_households_file(path)
    assert file.num_households == feeder.load_count
    assert np.isnan(file.car_kw).all()
    found = attach_as_given(file, feeder).load_of_household
    np.testing.assert_array_equal(found, np.arange(feeder.load_count))


def test_odd_names_of_buses_survive_the_template(tmp_path: Path, feeder: Feeder) -> None:
    names = list(feeder.bus_name)
    for load, name in enumerate(['LV1.101 "Bus", 4', "", "None", " blank"]):
        names[feeder.load_bus[load]] = name
    odd = dataclasses.replace(feeder, bus_name=tuple(names))
    path = tmp_path / "h.csv"
    path.write_text(template(odd), encoding="utf-8")
    found = attach_as_given(read_households_file(path), odd).load_of_household
    np.testing.assert_array_equal(found, np.arange(57))
