"""`ss bench strength` on a game of one's own, smallest size, in this process."""

import json
from pathlib import Path

import pytest

from cli import ss
from cli.app import run
from tests.cli.commands.bench.test_trust import run_here

GAME = "tests.support.own_games:PublicGoods"


def test_levels_are_trained_and_what_is_done_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ss_core.scenario.short_runs.run_pool", run_here)
    out = tmp_path / "bench"
    words = ["bench", "strength", GAME, "--levels", "1", "--seeds", "2", "--updates", "25"]

    def measured() -> dict[str, object]:
        assert run(ss.cli, "ss", [*words, "--json", "--quiet", "--out", str(out)]) == 0
        return json.loads(capsys.readouterr().out)

    first = measured()
    (rows,) = first["tables"].values()  # type: ignore[attr-defined]
    assert [row["handed_over_percent"] for row in rows] == [0.0, 80.0]  # of five agents
    selfish, equal = (float(row["return_per_agent"].split()[0]) for row in rows)
    assert selfish < equal
    assert first["strength"] == 0.8
    done = {path: path.stat().st_mtime_ns for path in out.rglob("trial.json")}
    assert len(done) == 4
    assert measured()["tables"] == first["tables"]
    assert {path: path.stat().st_mtime_ns for path in out.rglob("trial.json")} == done


def test_a_game_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(ss.cli, "ss", ["bench", "strength", "no_such_game:make"]) == 3
    assert "no_such_game" in capsys.readouterr().err
