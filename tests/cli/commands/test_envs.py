"""`ss envs --diagram` as its users meet it; the list itself is tested with `ss train`."""

import json
from pathlib import Path

import pytest

from cli.app import run
from cli.ss import cli as ss


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


FEW = ("--episodes", "10", "--quiet")


def test_a_diagram_is_a_table_three_answers_and_a_picture(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(ss, "ss", ["envs", "--diagram", "predation", "--agents", "3", *FEW]) == 0
    streams = capsys.readouterr()
    lines = streams.out.splitlines()
    assert lines[0].startswith("Cooperative Predation, 3 agents: return per episode")
    assert lines[1].split() == [
        *("others_cooperating", "one_cooperates", "one_defects"),
        *("defecting_gains", "mean_of_all"),
    ]
    assert lines[4].split() == ["2", "-30.0", "0.0", "30.0", "-120.0"]
    assert "fear: does defecting pay if nobody else cooperates? yes, by 30.0" in lines
    assert "predation: a social dilemma" in streams.out
    assert lines[-1] == "schelling-predation.png"
    assert Path("schelling-predation.png").stat().st_size > 5000
    assert streams.err == ""


def test_json_holds_the_numbers_the_tests_and_what_is_left_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["--diagram", "--out", "paper.csv", "--agents", "3", "--json", *FEW]
    assert run(ss, "ss", ["envs", *arguments]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["schema"], found["file"]) == ("ss.schelling/1", "paper.csv")
    assert [one["env"] for one in found["diagrams"]] == ["cleanup", "harvest", "predation"]
    assert list(found["left_out"]) == ["navigation"]
    last = found["diagrams"][-1]
    assert (last["agents"], last["episodes"], last["dilemma"]) == (3, 10, True)
    assert last["rows"][2]["one_cooperates"] == -30.0
    assert last["tests"]["efficiency"]["answer"] == "yes"
    assert len(Path("paper.csv").read_text().splitlines()) == 1 + 3 * 3


def test_small_variants_have_a_picture_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(ss, "ss", ["envs", "--diagram", "small", "--out", "small.svg", *FEW]) == 0
    words = capsys.readouterr().out
    assert "Cleanup, small" in words
    assert "Harvest, small" in words
    assert "11×18" not in Path("small.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (["--diagram", "navigation"], 3, "no action of it costs oneself"),
        (["--diagram", "clenup"], 3, "did you mean 'cleanup'"),
        (["--diagram", "cleanup", "--out", "x.jpg"], 3, "end it in .png or .svg"),
        (["--diagram", "cleanup", "--agents", "45"], 3, "it takes 1 to 44"),
        (["--diagram", "cleanup", "--agents", "1"], 2, "--agents"),
        (["--diagram", "smal"], 3, "did you mean 'small'"),
        (["--diagram", "nowhere"], 3, "harvest-small, predation, or paper or small"),
        (["--diagram", "cleanup", "--episodes", "9"], 2, "--episodes"),
        (["--out", "x.png"], 2, "--out needs --diagram [TASK]: add it"),
        (["--seed", "0"], 2, "--seed needs --diagram [TASK]: add it"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_a_remedy(
    arguments: list[str],
    exit_code: int,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(ss, "ss", ["envs", *arguments, "--quiet"]) == exit_code
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
