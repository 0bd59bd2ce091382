"""Parquet files that anybody may have written: one error instead of Arrow's many."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ss_core.errors import CorruptError, ResourceError, SuggestionSharingError, is_want_of_room

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet

MAX_CELLS = 2**28  # rows times columns read of one file, about 2 GB once read


@contextmanager
def reading(
    path: Path, remedy: str, refusal: type[SuggestionSharingError] = CorruptError
) -> Iterator[None]:
    """Around whatever reads `path` with pyarrow.

    Raises:
        refusal: it is no Parquet file, damaged, or not of the columns asked for.
        ResourceError: there is no memory to read it.
    """
    try:
        yield
    except SuggestionSharingError:
        raise
    except Exception as error:  # Arrow's, the system's, and ValueErrors such as names in no UTF-8
        if is_want_of_room(error):
            raise ResourceError(f"{path}: no memory to read it ({error})") from error
        why = " ".join(str(error).split())[:300]
        raise refusal(f"{path}: not a readable Parquet file ({why}); {remedy}") from error


def check_claims(
    metadata: "pyarrow.parquet.FileMetaData", columns: Sequence[str] | None = None
) -> None:
    """Refuse a footer whose numbers of rows would have Arrow take memory for what is not there.

    `columns`: those that will be read; None: all.

    Raises:
        ValueError: row groups do not add up, or claim too much; call it within `reading`.
    """
    rows = metadata.num_rows
    width = metadata.num_columns if columns is None else len(columns)
    groups = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    if min(groups, default=0) < 0 or sum(groups) != rows:
        raise ValueError(f"{rows} rows in the footer, {sum(groups)} in its row groups")
    if rows * width > MAX_CELLS:
        raise ValueError(f"{rows} rows of {width} columns, more than {MAX_CELLS} cells")


def read_checked(path: Path, remedy: str, **options: Any) -> "pa.Table":
    """What `pyarrow.parquet.read_table` gives, every text of it in UTF-8.

    Raises:
        CorruptError, ResourceError: see `reading`.
    """
    import pyarrow.parquet as pq

    with reading(path, remedy):
        check_claims(pq.read_metadata(path), options.get("columns"))
        table = pq.read_table(path, **options)
        table.validate(full=True)
        return table
