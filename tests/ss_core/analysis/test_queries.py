"""SQL reads a run's tables, and nothing else in the world."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ss_core.analysis.export import export_view
from ss_core.analysis.queries import list_views, query
from ss_core.analysis.run_data import RunData
from ss_core.errors import CorruptError, InputError
from tests.ss_core.analysis.test_export import written_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written_run(tmp_path_factory.mktemp("runs") / "one")


def test_every_table_is_a_view(run: Path) -> None:
    views = {one.name: one.rows for one in list_views(run)}
    assert views["household_step"] == 2
    assert query(run, "select sum(bill_eur) as eur from household_step").to_pydict() == {
        "eur": [33.75]
    }
    for reading in ("from agent", "describe agent", "summarize metric", "explain select 1"):
        assert query(run, reading).num_rows


@pytest.mark.parametrize(
    "statement",
    [
        "select * from '/etc/passwd'",
        "select * from read_csv('/etc/passwd')",
        "select * from read_text('/etc/passwd')",
        "select * from glob('/*')",
        "select * from 'https://example.org/a.parquet'",
        "copy agent to '/tmp/stolen.csv'",
        "attach '/tmp/other.db'",
        "install httpfs",
        "load httpfs",
        "set enable_external_access=true",
        "reset enable_external_access",
        "create table mine as select 1",
        "drop view agent",
        "insert into agent select * from agent",
        "pragma database_list",
        "export database '/tmp/all'",
        "call pragma_version()",
        "select 1; select 2",
        "",
    ],
)
def test_nothing_but_reading(run: Path, statement: str) -> None:
    with pytest.raises(InputError):
        query(run, statement)


def test_a_wrong_table_is_named_with_the_nearest(run: Path) -> None:
    with pytest.raises(InputError, match="did you mean metric"):
        query(run, "select * from metrics")


def test_a_wrong_column_is_one_line(run: Path) -> None:
    with pytest.raises(InputError) as caught:
        query(run, "select bil_eur from household_step")
    assert "bil_eur" in str(caught.value)
    assert "\n" not in str(caught.value)


READERS = (
    lambda run: query(run, "from agent"),
    lambda run: export_view(run, "full"),
    lambda run: RunData(run).table("agent"),
)


@pytest.mark.parametrize("read", [list_views, *READERS])
def test_a_damaged_part_is_named(tmp_path: Path, read: Callable[[Path], object]) -> None:
    run = written_run(tmp_path / "one")
    (part,) = (run / "traces" / "agent").glob("*.parquet")
    part.write_bytes(part.read_bytes()[:-50])
    with pytest.raises(CorruptError, match=r"agent/part-000000\.parquet: not a readable"):
        read(run)


@pytest.mark.parametrize("read", READERS)
def test_text_that_is_no_utf8_is_refused(tmp_path: Path, read: Callable[[Path], object]) -> None:
    run = written_run(tmp_path / "one")
    (part,) = (run / "traces" / "agent").glob("*.parquet")
    table = pq.read_table(part)
    wrong = pa.array([b"house\xff"] * len(table)).view(pa.string())
    names = [*table.schema.names]
    columns = [wrong if name == "agent_id" else table[name] for name in names]
    pq.write_table(pa.table(columns, names=names), part)
    with pytest.raises(CorruptError, match="UTF8"):
        read(run)
