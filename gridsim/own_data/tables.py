"""Tables that people bring, CSV or Parquet: read as they are, with the row of every value at hand.

Columns are parted by comma, semicolon or tab; beside the latter two decimals may have a comma.
Knows nothing of what the columns mean.
"""

import csv
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Int

from ss_core.errors import InputError, ResourceError, is_want_of_room
from ss_core.record.parquet import check_claims, reading

if TYPE_CHECKING:
    import pandas as pd

PARQUET = b"PAR1"
HEAD_BYTES = 1 << 16
DELIMITERS = (",", ";", "\t")
NO_VALUE = ("", "-", "nan", "n/a", "n/e", "na", "null", "none")  # in small letters
MOST_NAMED = 12


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Cells of a file; texts from CSV, typed ones from Parquet."""

    path: Path
    frame: "pd.DataFrame"
    number: Int[np.ndarray, " row"]  # of the row as a spreadsheet shows it: the header is row 1
    decimal_comma: bool

    @property
    def columns(self) -> list[str]:
        """Names as they stand in the header."""
        return [str(name) for name in self.frame.columns]

    @property
    def num_rows(self) -> int:
        """Of cells, the header apart."""
        return len(self.number)

    def cells(self, column: str) -> Any:
        """A column of the frame."""
        return self.frame[column]

    def texts(self, column: str) -> list[str]:
        """A column as texts without blanks around them; "" where nothing stands."""
        cells = self.cells(column)
        given = cells.notna().to_numpy()
        return [
            str(cell).strip() if is_given else ""
            for cell, is_given in zip(cells.tolist(), given, strict=True)
        ]

    def refusal(self, at: int, column: str, why: str) -> InputError:
        """The error of one cell, which names file, row, column and value."""
        value = str(self.cells(column).iloc[at])[:80]
        return InputError(f"{self.path}: row {self.number[at]}, column {column!r}: {value!r} {why}")


def read_table(path: Path) -> Table:
    """All cells of a file; whether it is Parquet is told by its first bytes.

    Raises:
        InputError: it is missing, empty, neither CSV in UTF-8 nor Parquet, or has no rows.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    table = _read_parquet(path) if head.startswith(PARQUET) else _read_csv(path, head)
    if not table.num_rows:
        raise InputError(f"{path}: a header and no rows; write a row for each value")
    return table


def find_column(table: Table, accepted: Sequence[str], what: str) -> str:
    """The column of one of these names, in capital or small letters.

    Raises:
        InputError: there is none, or more than one.
    """
    known = {name.lower() for name in accepted}
    found = [name for name in table.columns if name.strip().lower() in known]
    names = " or ".join(accepted)
    if len(found) > 1:
        raise InputError(f"{table.path}: columns {listed(found)} all hold {what}; keep one of them")
    if not found:
        raise InputError(
            f"{table.path}: no column for {what}; it has {listed(table.columns)}: name it {names}"
        )
    return found[0]


def numbers(
    table: Table, column: str
) -> tuple[Float[np.ndarray, " row"], Bool[np.ndarray, " row"]]:
    """A column as numbers, NaN where nothing stands, and where that is.

    Raises:
        InputError: a cell is no finite number.
    """
    import pandas as pd

    cells = table.cells(column)
    if pd.api.types.is_numeric_dtype(cells.dtype) and not pd.api.types.is_bool_dtype(cells.dtype):
        values = cells.to_numpy(dtype=np.float64, na_value=np.nan)
        empty = np.isnan(values)
    else:
        values, empty = _numbers_of_texts(cells, table.decimal_comma)
    bad = ~empty & ~np.isfinite(values)
    if bad.any():
        why = "is not a finite number; correct it, or leave the cell empty"
        raise table.refusal(int(bad.argmax()), column, why)
    return values, empty


def _numbers_of_texts(
    cells: "pd.Series", decimal_comma: bool
) -> tuple[Float[np.ndarray, " row"], Bool[np.ndarray, " row"]]:
    """Numbers, NaN for other texts, and where nothing stands; most cells are read at once."""
    import pandas as pd

    values = np.array(pd.to_numeric(cells.astype(object), errors="coerce"), np.float64)
    at = np.flatnonzero(np.isnan(values))
    rest = cells.iloc[at].astype("string").fillna("").str.strip()
    empty = np.zeros(len(values), bool)
    empty[at] = rest.str.lower().isin(NO_VALUE).to_numpy(dtype=bool)
    if decimal_comma and rest.str.contains(",", regex=False).any():
        english = bool(rest.str.contains(r",\d{3}\.").any())
        thousands, decimal = (",", ".") if english else (".", ",")
        text = cells.astype("string").str.replace(thousands, "", regex=False)
        plain = text.str.replace(decimal, ".", regex=False).astype(object)
        values = np.array(pd.to_numeric(plain, errors="coerce"), np.float64)
    return np.where(empty, np.nan, values), empty


def listed(names: Iterable[str]) -> str:
    """Names for a sentence, the first of many."""
    all_names = [repr(name) for name in names]
    more = len(all_names) - MOST_NAMED
    shown = ", ".join(all_names[:MOST_NAMED])
    return f"{shown} and {more} more" if more > 0 else shown


def _read_parquet(path: Path) -> Table:
    import pyarrow.parquet

    with reading(path, "write it again", InputError), pyarrow.parquet.ParquetFile(path) as file:
        check_claims(file.metadata)
        table = file.read(use_threads=False)
        table.validate(full=True)
        frame = table.to_pandas(use_threads=False)
    frame = frame.reset_index() if frame.index.name else frame.reset_index(drop=True)
    return Table(path, frame, np.arange(len(frame)) + 2, decimal_comma=False)


def _read_csv(path: Path, head: bytes) -> Table:
    import pandas as pd

    header, delimiter = _header(path, head)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                path,
                sep=delimiter,
                dtype=str,
                header=0,
                names=header,
                index_col=False,
                na_filter=False,
                encoding="utf-8-sig",
                skip_blank_lines=False,
            )
    except Exception as error:  # the parser's, its warnings', the decoder's, the system's
        if is_want_of_room(error):
            raise ResourceError(f"{path}: no memory to read it ({error})") from error
        why = " ".join(str(error).split())[:200]
        if isinstance(error, pd.errors.ParserWarning):
            why = f"rows have more cells than its {len(header)} columns"
        raise InputError(
            f"{path}: not a CSV file of the columns in its header ({why}); save it as CSV in UTF-8"
        ) from error
    frame = frame.fillna("")
    empty = (frame == "").all(axis=1).to_numpy(dtype=bool)
    number = np.arange(len(frame)) + 2
    frame = frame.loc[~empty].reset_index(drop=True)
    return Table(path, frame, number[~empty], decimal_comma=delimiter != ",")


def _header(path: Path, head: bytes) -> tuple[list[str], str]:
    if not head.strip():
        raise InputError(f"{path}: the file is empty; write a header and rows")
    try:
        line = head.split(b"\n", 1)[0].decode("utf-8-sig").strip("\r")
        is_text = b"\0" not in head
    except UnicodeDecodeError:
        line, is_text = "", False
    if not is_text:
        raise InputError(
            f"{path}: neither Parquet nor text in UTF-8; save the table as CSV in UTF-8"
        )
    delimiter = max(DELIMITERS, key=line.count)
    if delimiter not in line:
        raise InputError(
            f"{path}: row 1 is {line[:80]!r}, one column; part columns by comma, semicolon or tab"
        )
    try:
        names = [name.strip() for name in next(csv.reader([line], delimiter=delimiter))]
    except csv.Error as error:
        raise InputError(f"{path}: row 1 is no header ({error}); save it as CSV") from error
    while names and not names[-1] and len(names) > 1:  # a delimiter at the end of each line
        names = [*names[:-1], f"(column {len(names)})"]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{path}: row 1 names {listed(twice)} more than once; rename one")
    return names, delimiter
