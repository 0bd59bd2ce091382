"""Footers of Parquet files are not believed: what they claim is checked before memory is taken."""

from types import SimpleNamespace

import pytest

from ss_core.errors import CorruptError
from ss_core.record.parquet import MAX_CELLS, check_claims, read_checked
from tests.fuzz.test_corpus import CORPUS


def footer(rows: int, columns: int, groups: tuple[int, ...]) -> SimpleNamespace:
    return SimpleNamespace(
        num_rows=rows,
        num_columns=columns,
        num_row_groups=len(groups),
        row_group=lambda i: SimpleNamespace(num_rows=groups[i]),
    )


def test_row_groups_add_up_to_what_can_be_held() -> None:
    check_claims(footer(5, 2, (2, 3)))
    check_claims(footer(MAX_CELLS // 2, 2, (MAX_CELLS // 2,)))
    check_claims(footer(MAX_CELLS, 2, (MAX_CELLS,)), ["a"])  # one column of them is read
    for wrong in (footer(5, 2, (2, 4)), footer(1, 2, (-1, 2)), footer(MAX_CELLS, 2, (MAX_CELLS,))):
        with pytest.raises(ValueError, match="rows"):
            check_claims(wrong)


def test_a_file_that_claims_rows_that_are_not_there_is_refused() -> None:
    path = CORPUS / "profiles" / "find_row_group_of_4e12_rows"
    with pytest.raises(CorruptError, match="35040 rows in the footer, 4018975729888 in its row"):
        read_checked(path, "restore it")
