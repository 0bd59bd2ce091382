import json
from pathlib import Path

import numpy as np

from tests.golden.compare import (
    NAMES,
    NEW,
    differences,
    numbers_of_run,
    translated,
    without_new,
)
from tests.golden.runs import GOLDEN


def test_equal_numbers_differ_nowhere_and_a_last_bit_is_seen() -> None:
    base = {"ss/metrics/value": np.array([1.0, np.nan]), "result/rows/0/cost": np.asarray(2)}
    moved = base | {"ss/metrics/value": np.array([np.nextafter(1.0, 2.0), np.nan])}
    assert differences(base, dict(base)) == []
    assert differences(base, moved) == ["ss/metrics/value: 1.0 → 1.0000000000000002"]


def test_missing_new_and_misshapen_numbers_are_named() -> None:
    base = {"a": np.zeros(2), "b": np.zeros(2)}
    head = {"b": np.zeros(3), "c": np.zeros(2)}
    assert differences(base, head) == ["a: missing", "c: new", "b: shape (2,) → (3,)"]


def test_names_translate_whole_paths_parts_of_paths_and_texts() -> None:
    names = {"told": "sent", "result/old": "result/new"}
    base = {"x/told": np.array(["told", "kept"], dtype=object), "result/old": np.asarray(1)}
    found = translated(base, names)
    assert found.keys() == {"x/sent", "result/new"}
    assert [*found["x/sent"]] == ["sent", "kept"]


def test_the_table_of_names_is_a_flat_table_of_texts() -> None:
    names = json.loads(NAMES.read_text())
    assert all(isinstance(part, str) for pair in names.items() for part in pair)


def test_numbers_that_are_new_by_intent_are_left_out_and_others_are_named() -> None:
    empty, filled = np.array([None, None]), np.array([1.0, 2.0])
    base = {"a": filled, "b": empty}
    head = {"a": -filled, "b": filled, "c": filled, "d": filled}
    assert differences(*without_new(base, head, ["a", "b", "c"])) == ["d: new", "a: 1.0 → -1.0"]


def test_new_numbers_are_listed_by_golden_run() -> None:
    added = json.loads(NEW.read_text())
    assert added.keys() <= GOLDEN.keys()
    assert all(isinstance(path, str) for paths in added.values() for path in paths)


def test_numbers_of_a_run_are_those_of_its_result_tables_and_checkpoints(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(
        json.dumps({"rows": [{"cost": 1.5, "name": "a", "done": True}], "none": None})
    )
    found = numbers_of_run(tmp_path)
    assert found == {"result/rows/0/cost": np.asarray(1.5)}
