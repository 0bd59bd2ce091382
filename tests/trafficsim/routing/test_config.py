"""Settings of traffic before any file is read: what would have no effect is refused."""

from typing import Any

import pytest

from cli.app import run
from cli.commands import traffic as sstraffic
from ss_core.errors import ConfigError
from trafficsim.routing.config import resolve

IDLE = "learner.exchange.num_neighbours"
ONCE = (
    r"^learner\.exchange\.num_neighbours: has no effect under learner\.exchange\.protocol='{}'; "
    r"give --neighbours \(the setting neighbours\)"
)


@pytest.mark.parametrize("more", [{}, {"signals": True}, {"en_route": True}], ids=str)
def test_a_number_of_neighbours_that_no_driver_would_use_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=ONCE.format("graph")):
        resolve("tuned", {IDLE: 4, **more})
    with pytest.raises(ConfigError, match=ONCE.format("graph")):
        resolve("tuned", {IDLE: 8, **more})  # the default, but somebody asked for it
    per_update = "every_pass" if more else "once"
    whole = {"protocol": "graph", "num_neighbours": 4, "per_update": per_update}
    with pytest.raises(ConfigError, match=ONCE.format("graph")):
        resolve("tuned", {"learner.exchange": whole, **more})
    assert resolve("tuned", {"neighbours": 4, **more}).neighbours == 4


def test_under_the_papers_protocol_too_it_is_refused() -> None:
    with pytest.raises(ConfigError, match=ONCE.format("all")):
        resolve("paper", {IDLE: 4})


def test_it_counts_where_neighbours_are_drawn() -> None:
    config = resolve("tuned", {IDLE: 4, "learner.exchange.protocol": "random"})
    assert config.learner.exchange.num_neighbours == 4


@pytest.mark.parametrize(
    "words",
    [("run",), ("run", "--drivers-and-signals"), ("signals",)],
    ids=" ".join,
)
def test_the_refusal_is_one_line_before_a_run_folder_is_made(
    words: tuple[str, ...],
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    args = [*words, "--net", "grid_3x3.net.xml", "--quiet", "--set", f"{IDLE}=4"]
    assert run(sstraffic.cli, "sstraffic", args) == ConfigError.exit_code
    err = capsys.readouterr().err
    assert err.startswith(f"SS-E300: {IDLE}: has no effect")
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
