"""Parquet files that anybody may have written: one error instead of Arrow's many."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ss_core.errors import CorruptError, ResourceError, SuggestionSharingError, is_want_of_room

if TYPE_CHECKING:
    import pyarrow as pa


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


def read_checked(path: Path, remedy: str, **options: Any) -> "pa.Table":
    """What `pyarrow.parquet.read_table` gives, every text of it in UTF-8.

    Raises:
        CorruptError, ResourceError: see `reading`.
    """
    import pyarrow.parquet as pq

    with reading(path, remedy):
        table = pq.read_table(path, **options)
        table.validate(full=True)
        return table
