"""Price series as exchanges publish them, and the curve of the days asked for."""

import datetime
from pathlib import Path

import numpy as np
import pytest

from gridsim.own_data.prices import dated_curve, read_prices, season_curve
from ss_core.errors import InputError
from tests.support.own_files import BERLIN, times, write_prices

WINTER = (12, 1, 2)
HOURS = times("2025-01-06T12:00", 24, local=True)


def day(time: str) -> str:
    return f"{time[8:10]}/{time[5:7]}/{time[:4]} {time[11:19]}"


SMARD = "\n".join(
    [
        "\ufeffDatum von;Datum bis;Deutschland/Luxemburg [€/MWh] Originalauflösungen;"
        "∅ Anrainer DE/LU [€/MWh] Originalauflösungen",
        *(f"{day(t)[:16].replace('/', '.')};06.01.2025 13:00;87,00;-" for t in HOURS),
    ]
)
ENERGY_CHARTS = "\n".join(
    [
        '"Datum (MEZ)","Day Ahead Auktion (DE-LU)","CO2 Emissionszertifikate, Auktion DE"',
        ',"Preis (EUR/MWh, EUR/tCO2)","Preis (EUR/MWh, EUR/tCO2)"',
        *(f"{t[:16]}+01:00,87.00," for t in HOURS),
    ]
)
ENTSO_E = "\n".join(
    [
        '"MTU (CET/CEST)","Area","Sequence","Day-ahead Price (EUR/MWh)",'
        '"Intraday Period (CET/CEST)","Intraday Price (EUR/MWh)"',
        *(
            f'"{day(t)} - {day(t)}","BZN|DE-LU","Sequence {k}","{89 - 2 * k}","",""'
            for t in HOURS
            for k in (1, 2)
        ),
    ]
)
FORMER_ENTSO_E = "\n".join(
    [
        '"MTU (CET/CEST)","Day-ahead Price [EUR/MWh]","Currency","BZN|DE-LU"',
        *(f'"{day(t)[:16]} - {day(t)[:16]}","87","EUR",""' for t in HOURS),
    ]
)


@pytest.mark.parametrize(
    ("text", "zone", "column"),
    [
        (SMARD, BERLIN, "Deutschland"),
        (ENERGY_CHARTS, None, None),
        (ENTSO_E, None, None),
        (FORMER_ENTSO_E, None, None),
    ],
    ids=["SMARD", "energy-charts", "ENTSO-E", "ENTSO-E until 2024"],
)
def test_files_as_they_are_published_are_read(
    tmp_path: Path, text: str, zone: str | None, column: str | None
) -> None:
    path = tmp_path / "prices.csv"
    path.write_text(text, encoding="utf-8")
    prices = read_prices(path, zone, column)
    assert ("24 rows of other sequences left out" in prices.note) == (text == ENTSO_E)
    assert prices.date.astype("datetime64[D]").astype(str).tolist() == ["2025-01-06"]
    np.testing.assert_allclose(prices.eur_per_kwh, 0.087)


@pytest.mark.parametrize(
    ("header", "factor"),
    [("price (EUR/MWh)", 1e-3), ("EUR/kWh", 1.0), ("price_eur_per_mwh", 1e-3), ("x [€/MWh]", 1e-3)],
)
def test_the_unit_is_that_of_the_header(tmp_path: Path, header: str, factor: float) -> None:
    path = write_prices(tmp_path / "p.csv", header=header)
    if factor == 1.0:
        path.write_text(path.read_text().replace(",100", ",0.1").replace(",50", ",0.05"))
    curve = read_prices(path, None).eur_per_kwh[0]
    assert curve[0] == pytest.approx(0.1)
    assert curve[12 * 4] == pytest.approx(0.05)  # midnight


def test_the_curve_of_a_season_is_the_mean_of_its_days(tmp_path: Path) -> None:
    path = write_prices(tmp_path / "p.csv", first="2025-02-20T12:00", days=12)
    text = path.read_text()
    path.write_text(text.replace("-03-01T13:00:00+01:00,100", "-03-01T13:00:00+01:00,9000"))
    curve, note = season_curve(read_prices(path, None), WINTER, "winter")
    assert "the mean of the 9 days of winter, 0.0500 to 0.1000 EUR/kWh" in note
    np.testing.assert_allclose(curve[:48], 0.1)
    np.testing.assert_allclose(curve[48:72], 0.05)


def test_the_curve_of_dates_is_the_mean_of_these_days(tmp_path: Path) -> None:
    path = write_prices(tmp_path / "p.csv", days=4)
    text = path.read_text().replace(
        "2025-01-07T15:00:00+01:00,100", "2025-01-07T15:00:00+01:00,300"
    )
    path.write_text(text)
    prices = read_prices(path, None)
    curve, _ = dated_curve(prices, datetime.date(2025, 1, 7), 2)
    np.testing.assert_allclose(curve[11:17], [0.1, 0.2, 0.2, 0.2, 0.2, 0.1])
    with pytest.raises(
        InputError, match=r"1 of 2 days from 2025-01-09.*first is 2025-01-10.*--date"
    ):
        dated_curve(prices, datetime.date(2025, 1, 9), 2)
    assert dated_curve(prices, datetime.date(2025, 1, 9), 1)[0].shape == (96,)


def test_a_season_that_is_not_covered_is_refused_with_what_is(tmp_path: Path) -> None:
    prices = read_prices(write_prices(tmp_path / "p.csv", days=8), None)
    summer = r"0 days of summer, fewer than 7; it has from 2025-01-06 to 2025-01-13, months 1"
    with pytest.raises(InputError, match=summer + ".*population.season=winter"):
        season_curve(prices, (6, 7, 8), "summer")
    assert season_curve(prices, WINTER, "winter")[0].shape == (96,)
    few = read_prices(write_prices(tmp_path / "p.csv", days=6), None)
    with pytest.raises(InputError, match="6 days of winter, fewer than 7"):
        season_curve(few, WINTER, "winter")


def test_prices_may_be_negative_and_change_from_hours_to_quarters(tmp_path: Path) -> None:
    hours, quarters = times("2025-09-29T12:00", 36), times("2025-10-01T00:00", 36, minutes=15)
    rows = [*(f"{t},-20" for t in hours), *(f"{t},40" for t in quarters)]
    path = tmp_path / "p.csv"
    path.write_text("\n".join(["timestamp,EUR/MWh", *rows]))
    prices = read_prices(path, None)
    assert len(prices.date) == 3
    np.testing.assert_allclose(prices.eur_per_kwh[1], [-0.02] * 48 + [0.04] * 48)
    assert "'EUR/MWh' of 15 and 60 minutes" in prices.note


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ("timestamp,price", "no column of prices; it has 'timestamp', 'price': name the unit"),
        ("timestamp,price (USD/MWh)", "no column of prices"),
        ("when,price (EUR/MWh)", "no column for the time"),
    ],
)
def test_headers_without_a_unit_or_a_time_are_refused(
    tmp_path: Path, header: str, why: str
) -> None:
    path = write_prices(tmp_path / "p.csv")
    path.write_text(path.read_text().replace("timestamp,price (EUR/MWh)", header))
    with pytest.raises(InputError, match=why):
        read_prices(path, None)


def test_prices_of_several_zones_differing_rows_and_wrong_units_are_refused(tmp_path: Path) -> None:
    path = write_prices(tmp_path / "p.csv", days=2)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0] + ",AT (EUR/MWh)", *(line + ",1" for line in lines[1:])]))
    with pytest.raises(InputError, match=r"all hold prices; name one .*--price-column 'price"):
        read_prices(path, None)
    with pytest.raises(InputError, match=r"and --price-column 'eur'; name one"):
        read_prices(path, None, "eur")
    assert read_prices(path, None, "AT (EUR").eur_per_kwh.max() == pytest.approx(0.001)
    assert read_prices(path, None, "price").eur_per_kwh.max() == pytest.approx(0.1)
    path.write_text("\n".join([*lines, lines[1].replace(",100", ",7")]))
    with pytest.raises(InputError, match=r"row 50.*'7' differs from row 2, of the same time; keep"):
        read_prices(path, None)
    path.write_text("\n".join(lines).replace("EUR/MWh", "EUR/kWh"))
    with pytest.raises(InputError, match=r"row 2.*beyond 10 EUR/kWh; correct it, or the unit"):
        read_prices(path, None)
    path.write_text("\n".join(lines[:20]))
    with pytest.raises(InputError, match="no whole day of prices"):
        read_prices(path, None)
