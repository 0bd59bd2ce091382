"""Tables as people write them, and everything that is none."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gridsim.own_data.tables import find_column, listed, numbers, read_table
from ss_core.errors import InputError


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "table.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1.5,x\n-2,y\n",
        "\ufeffa;b\n1,5;x\n-2;y\n",
        '"a"\t"b"\r\n"1,5"\t"x"\r\n"-2"\t"y"\r\n',
        "a,b\n\n1.5,x\n,\n-2.0,y\n\n",
        "a,b,\n1.5,x,\n-2,y,\n",
    ],
    ids=["comma", "semicolon", "tab", "blank lines", "trailing commas"],
)
def test_columns_may_be_parted_in_three_ways(tmp_path: Path, text: str) -> None:
    table = read_table(written(tmp_path, text))
    assert numbers(table, "a")[0].tolist() == [1.5, -2.0]
    assert table.texts("b") == ["x", "y"]


def test_thousands_have_dots_where_decimals_have_commas(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "a;b\n1.234,5;x\n2.000;y\n"))
    assert numbers(table, "a")[0].tolist() == [1234.5, 2000.0]
    english = read_table(written(tmp_path, "a;b\n1,234.50;x\n87.00;y\n"))
    assert numbers(english, "a")[0].tolist() == [1234.5, 87.0]


def test_what_is_not_there_is_empty_and_not_zero(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "a,b\n,x\nNaN,x\n-,x\nn/e,x\n0,x\n"))
    values, empty = numbers(table, "a")
    assert empty.tolist() == [True] * 4 + [False]
    assert np.isnan(values[:4]).all()


@pytest.mark.parametrize("cell", ["abc", "inf", "1,5 kW", "--1", "1_0"])
def test_a_cell_that_is_no_number_is_named_with_its_row(tmp_path: Path, cell: str) -> None:
    table = read_table(written(tmp_path, f'a,b\n1,x\n\n"{cell}",x\n'))
    with pytest.raises(InputError, match=r"table.csv: row 4, column 'a': .*correct it, or leave"):
        numbers(table, "a")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "the file is empty"),
        (b"  \n \n", "the file is empty"),
        (bytes(range(256)) * 40, "neither Parquet nor text in UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), "neither Parquet nor text in UTF-8"),
        ("a,b\n1,\xe4\n".encode("latin-1"), "not a CSV file"),
        ("\xe4,b\n1,2\n".encode("latin-1"), "neither Parquet nor text in UTF-8"),
        (b"a|b\n1|2\n", "row 1 is 'a|b', one column"),
        (b"a,b\n1,2\n1,2,3\n", "not a CSV file"),
        (b"a,b\n1,2,3\n1,2,3\n", "not a CSV file"),
        (b'a,b\n"1,2\n', "not a CSV file"),
        (b"a,b\n", "a header and no rows"),
        (b"a,a\n1,2\n", "more than once"),
        (b"PAR1 and then nothing of the kind", "not a readable Parquet file"),
    ],
)
def test_a_file_that_is_no_table_is_refused_in_words(tmp_path: Path, text: bytes, why: str) -> None:
    with pytest.raises(InputError) as refusal:
        read_table(written(tmp_path, text))
    assert why in str(refusal.value)
    assert "table.csv" in str(refusal.value)
    assert ";" in str(refusal.value)  # what comes after it is the remedy


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(InputError, match="cannot be read"):
            read_table(path)


def test_short_rows_end_with_empty_cells(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "a,b\n1\n2,x\n"))
    assert table.texts("b") == ["", "x"]


def test_columns_are_found_by_any_of_their_names(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "A,b,P_kW\n1,2,3\n"))
    assert find_column(table, ("kW", "p_kw"), "power") == "P_kW"
    with pytest.raises(InputError, match=r"no column for time; it has 'A', 'b', 'P_kW': name it"):
        find_column(table, ("time",), "time")
    with pytest.raises(InputError, match=r"'A', 'b' all hold x; keep one"):
        find_column(table, ("a", "b"), "x")


def test_parquet_numbers_and_texts_are_read_alike(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    pd.DataFrame({"a": [1.5, None], "n": [1, 2], "b": ["x", None]}).to_parquet(path)
    table = read_table(path)
    assert numbers(table, "a")[1].tolist() == [False, True]
    assert numbers(table, "n")[0].tolist() == [1.0, 2.0]
    assert table.texts("b") == ["x", ""]
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match="not a readable Parquet file"):
        read_table(path)


def test_many_names_are_cut() -> None:
    assert listed("abc") == "'a', 'b', 'c'"
    assert listed(str(n) for n in range(20)).endswith("and 8 more")
