"""Where tables lie below a run."""

from pathlib import Path

from ss_core.record.layout import table_parts


def test_parts_of_the_run_and_of_its_tasks_are_found_in_order(tmp_path: Path) -> None:
    names = (
        *("metrics/part-000001.parquet", "metrics/part-000000.parquet"),
        *("tasks/b/metrics/part-000000.parquet", "tasks/a/metrics/part-000000.parquet"),
        *("tasks/a/traces/agent/part-000000.parquet", "traces/agent/other.txt"),
    )
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert table_parts(tmp_path, "metric") == [
        tmp_path / "metrics" / "part-000000.parquet",
        tmp_path / "metrics" / "part-000001.parquet",
        tmp_path / "tasks" / "a" / "metrics" / "part-000000.parquet",
        tmp_path / "tasks" / "b" / "metrics" / "part-000000.parquet",
    ]
    (part,) = table_parts(tmp_path, "agent")
    assert part.parts[-5:-1] == ("tasks", "a", "traces", "agent")
    assert table_parts(tmp_path, "kpi") == []
