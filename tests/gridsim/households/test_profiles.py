"""The shipped traces against their published energies; helpers against hand-worked numbers."""

import hashlib
import tomllib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gridsim.households.profiles import (
    STEP_H,
    Profiles,
    from_hour,
    heat_pump_cop,
    load_appliances,
    load_profiles,
    load_tariff_shape,
)
from ss_core.errors import InputError
from ss_core.resources import data_path
from tests.fuzz.test_corpus import CORPUS

PUBLISHED_KWH = {
    "single_under30": 1319,
    "couple_over65": 2672,
    "couple_fulltime": 2701,
    "family": 4174,
}


@pytest.fixture(scope="module")
def profiles() -> Profiles:
    return load_profiles()


def test_yearly_household_energies_match_the_published_ones(profiles: Profiles) -> None:
    yearly_kwh = profiles.electricity_kw.sum(axis=(1, 2)) * STEP_H
    for name, energy_kwh in zip(profiles.electricity_names, yearly_kwh, strict=True):
        assert energy_kwh == pytest.approx(PUBLISHED_KWH[name], rel=0.01)


def test_multi_family_heat_is_per_dwelling(profiles: Profiles) -> None:
    # header of the export: 151 kWh/m² per dwelling; the reference dwelling has 74.5 to 80.1 m²
    building = profiles.building_names.index("old_multi_family")
    heat_kwh = profiles.space_heat_kw[building].sum() * STEP_H
    assert 74 < heat_kwh / 151 < 81


def test_cars_charge_at_home_what_was_published(profiles: Profiles) -> None:
    assert profiles.ev_kw.sum(axis=(1, 2)) * STEP_H == pytest.approx([3075, 586], rel=0.01)
    assert profiles.ev_kw.max(axis=(1, 2)) == pytest.approx([11.0, 3.7])


def test_the_calendar_is_that_of_2021(profiles: Profiles) -> None:
    assert profiles.electricity_kw.shape == (4, 365, 96)
    assert profiles.weekday[:4].tolist() == [4, 5, 6, 0]  # 1 January 2021 was a Friday
    assert np.bincount(profiles.month)[1:].tolist() == [
        31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31,
    ]  # fmt: skip
    assert profiles.temperature_c.mean() == pytest.approx(7.79, abs=0.01)  # published mean


def test_from_hour_takes_the_next_morning() -> None:
    year = np.array([[0.0, 1.0, 2.0, 3.0], [10.0, 11.0, 12.0, 13.0]])
    assert from_hour(year).tolist() == [[2, 3, 10, 11], [12, 13, 0, 1]]


@given(hnp.arrays(np.float64, (2, 3, 4), elements=st.floats(0, 10)))
def test_from_hour_only_rolls_the_year(year: np.ndarray) -> None:
    rolled = np.roll(year.reshape(2, -1), -2, axis=1).reshape(year.shape)
    np.testing.assert_array_equal(from_hour(year), rolled)


def test_heat_pump_cop_by_hand() -> None:
    # 0.45 * 318.15 / 45 = 3.1815;  at 40 °C the formula gives 28.6, at 50 °C nothing sensible
    air_c = np.array([0.0, 40.0, 50.0, -60.0])
    np.testing.assert_allclose(heat_pump_cop(air_c), [3.1815, 6.0, 6.0, 1.5])
    np.testing.assert_allclose(heat_pump_cop(np.array([5.0]), 35.0), [0.45 * 308.15 / 30])


@given(hnp.arrays(np.float64, 2, elements=st.floats(-40, 60)))
def test_warmer_air_never_lowers_the_cop(air_c: np.ndarray) -> None:
    low, high = heat_pump_cop(np.sort(air_c))
    assert low <= high


def test_shipped_files_match_their_checksums() -> None:
    folder = data_path("profiles")
    for line in (folder / "SHA256SUMS").read_text(encoding="ascii").splitlines():
        digest, name = line.split()
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name


def test_the_licence_travels_with_the_data() -> None:
    folder = data_path("profiles")
    assert "Permissive - Version 2.0" in (folder / "LICENSE.txt").read_text(encoding="utf-8")
    metadata = pq.read_schema(folder / "synpro_15min.parquet").metadata
    assert b"CDLA-Permissive-2.0" in metadata[b"licence"]
    assert b"Fraunhofer" in metadata[b"source"]


def _altered(
    tmp_path: Path, column: str, values: np.ndarray | list[float | None] | None, rows: int = 35_040
) -> Path:
    table = pq.read_table(data_path("profiles/synpro_15min.parquet")).slice(0, rows)
    position = table.column_names.index(column)
    table = table.remove_column(position)
    if values is not None:
        table = table.append_column(column, pa.array(values))
    path = tmp_path / "altered.parquet"
    pq.write_table(table, path)
    return path


@pytest.mark.parametrize("value", [-0.5, np.nan, np.inf])
def test_an_unphysical_value_is_named_with_its_column_and_row(tmp_path: Path, value: float) -> None:
    values = np.zeros(35_040)
    values[7] = value
    path = _altered(tmp_path, "electricity_family_kw", values)
    with pytest.raises(InputError, match=r"altered.*'electricity_family_kw', row 7"):
        load_profiles(path)


def test_frost_is_no_error(tmp_path: Path) -> None:
    path = _altered(tmp_path, "temperature_c", np.full(35_040, -12.0))
    assert load_profiles(path).temperature_c.max() == -12.0


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'temperature_c' is missing"):
        load_profiles(_altered(tmp_path, "temperature_c", None))


def test_a_short_year_is_refused(tmp_path: Path) -> None:
    path = _altered(tmp_path, "temperature_c", np.zeros(96), rows=96)
    with pytest.raises(InputError, match="96 rows, expected 35040"):
        load_profiles(path)


def test_text_instead_of_numbers_is_refused(tmp_path: Path) -> None:
    path = _altered(tmp_path, "temperature_c", np.full(35_040, "warm"))
    with pytest.raises(InputError, match=r"'temperature_c' holds .*string, expected floats"):
        load_profiles(path)


def test_an_empty_cell_is_refused(tmp_path: Path) -> None:
    path = _altered(tmp_path, "temperature_c", [None] + [0.0] * 35_039)
    with pytest.raises(InputError, match="'temperature_c' has 1 empty"):
        load_profiles(path)


def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "noise.parquet"
    path.write_bytes(b"no parquet")
    with pytest.raises(InputError, match=r"noise\.parquet"):
        load_profiles(path)
    with pytest.raises(InputError, match=r"absent\.parquet"):
        load_profiles(tmp_path / "absent.parquet")


def test_a_footer_that_claims_more_rows_than_there_are_takes_no_memory() -> None:
    path = CORPUS / "profiles" / "find_row_group_of_4e12_rows"  # 4.6 kB
    with pytest.raises(
        InputError, match="35040 rows in the footer, 4018975729888 in its row groups"
    ):
        load_profiles(path)


def test_a_column_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "twice.parquet"
    table = pq.read_table(data_path("profiles/synpro_15min.parquet"))
    pq.write_table(table.append_column("temperature_c", table["temperature_c"]), path)
    with pytest.raises(InputError, match="'temperature_c' is there more than once"):
        load_profiles(path)


def test_appliance_cycles_hold_the_published_energy() -> None:
    energy_kwh = {a.name: sum(a.cycle_kw) * STEP_H for a in load_appliances()}
    assert energy_kwh == pytest.approx(
        {"washing_machine": 0.8875, "dishwasher": 1.1925, "tumble_dryer": 2.46}
    )


def test_every_parameter_group_names_its_source() -> None:
    with data_path("appliances.toml").open("rb") as file:
        groups = tomllib.load(file)
    appliances = groups.pop("appliance")
    assert all(group["source"] for group in (*groups.values(), *appliances.values()))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[appliance.kettle]\nownership = 1\n", "kettle"),
        ("[appliance.kettle\n", "not a readable TOML"),
        (
            "[appliance.kettle]\ncycle_w=[2000]\nownership=2\ncycles_per_year=1\n"
            "window_h=[1,2]\ndelay_cost_eur_per_h=0\nsource='x'\n",
            "ownership in 0..1",
        ),
    ],
)
def test_a_faulty_appliance_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "appliances.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        load_appliances(path)


def test_the_default_tariff_is_the_winter_shape_at_retail_level() -> None:
    default = load_tariff_shape("default")
    price = np.array(default.price_eur_per_kwh)
    assert price.mean() == pytest.approx(0.24, abs=1e-5)
    assert np.ptp(price) == pytest.approx(0.20, abs=1e-5)
    winter = np.array(load_tariff_shape("winter").price_eur_per_kwh)
    rescaled = 0.24 + 0.20 * (winter - winter.mean()) / np.ptp(winter)
    np.testing.assert_allclose(price, rescaled, atol=1e-5)


def test_winter_peaks_in_the_evening_and_summer_dips_at_two() -> None:
    assert np.argmax(load_tariff_shape("winter").price_eur_per_kwh) == 18
    assert np.argmin(load_tariff_shape("summer").price_eur_per_kwh) == 14


@pytest.mark.parametrize("prices", ["[0.1, 0.2]", "'cheap'", "[" + "nan," * 24 + "]"])
def test_a_tariff_without_24_prices_is_refused(tmp_path: Path, prices: str) -> None:
    path = tmp_path / "odd.toml"
    path.write_text(f"source = 'x'\nprice_eur_per_kwh = {prices}\n", encoding="utf-8")
    with pytest.raises(InputError, match="24"):
        load_tariff_shape("odd", tmp_path)


def test_an_unknown_tariff_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match="default, summer, winter"):
        load_tariff_shape("autumn")
