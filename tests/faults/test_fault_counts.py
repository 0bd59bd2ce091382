"""The table of faults at the end of a session counts those of all its processes."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support import fault_counts

CONFTEST = str(Path(__file__).parents[1] / "conftest.py")


def test_counts_of_two_workers_add_up(
    pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks = pytestconfig.pluginmanager.get_plugin(CONFTEST)
    assert hooks is not None
    sent = []
    for counts in ({"F1": 2}, {"F1": 1, "F20": 5}):
        monkeypatch.setattr(fault_counts, "_counts", counts)
        worker = SimpleNamespace(workeroutput={})
        hooks.pytest_sessionfinish(SimpleNamespace(config=worker))
        sent.append(worker)
    monkeypatch.setattr(fault_counts, "_counts", {})
    for node in (*sent, SimpleNamespace()):  # the last one died
        hooks.pytest_testnodedown(node, None)
    assert fault_counts.counts() == {"F1": 3, "F20": 5}
    assert [line.split()[:2] for line in fault_counts.table()] == [["F1", "3"], ["F20", "5"]]
