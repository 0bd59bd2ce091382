"""Whatever a file holds, reading it ends in a table or in one error that names the file."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gridsim.own_data.households_file import read_households_file
from gridsim.own_data.meters import read_meters
from gridsim.own_data.prices import read_prices
from ss_core.errors import InputError
from tests.support.fault_counts import counted
from tests.support.own_files import write_meters, write_prices

HOUSEHOLDS = (
    b"household,bus,phase,car,heat_pump,pv_kwp,battery_kwh\na,b1,1,11,yes,0,0\nc,b2,,,no,,\n"
)
PIECES = st.sampled_from(
    [
        b",",
        b";",
        b"\n",
        b'"',
        b"\0",
        b"\xff",
        b"-",
        b"nan",
        b"1e999",
        b"\r",
        b"2025",
        b"+99:99",
        b"",
    ]
)
EDITS = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 30), PIECES | st.binary(max_size=6)), max_size=6
)
Read = Callable[[Path], object]
READERS: dict[str, Read] = {
    "meter": lambda path: read_meters(path, None),
    "meter in a zone": lambda path: read_meters(path, "Europe/Berlin"),
    "prices": lambda path: read_prices(path, None),
    "households": read_households_file,
}


@pytest.mark.parametrize("kind", READERS)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(edits=EDITS)
def test_a_damaged_file_is_read_or_refused(
    tmp_path: Path, kind: str, edits: list[tuple[float, int, bytes]]
) -> None:
    path = tmp_path / "table.csv"
    if kind == "households":
        path.write_bytes(HOUSEHOLDS)
    elif kind == "prices":
        write_prices(path, days=2)
    else:
        write_meters(path, days=2)
    data = path.read_bytes()
    for where, length, piece in edits:
        at = int(where * len(data))
        data = data[:at] + piece + data[at + length :]
    path.write_bytes(data)
    said = "table.csv: read"
    try:
        READERS[kind](path)
    except InputError as error:
        said = str(error)
    assert "table.csv" in said
    assert "\n" not in said
    counted("F9")


@pytest.mark.parametrize("kind", READERS)
@given(data=st.binary(max_size=300))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_bytes_are_refused(tmp_path: Path, kind: str, data: bytes) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"table.csv"):
        READERS[kind](path)
    counted("F9")
