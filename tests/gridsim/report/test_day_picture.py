"""Pictures of the hardest day: both themes, the same bytes each time, what there is to read."""

import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest

from cli.app import run as run_cli
from cli.ss import cli as ss
from gridsim.report.day_picture import THEMES, day_pictures
from ss_core.analysis.run_data import open_run_data

RUN = Path(__file__).parents[2] / "data" / "runs_0_1" / "grid"
DRIVERS = RUN.with_name("traffic")


def test_a_picture_of_each_theme_has_both_rows_and_the_transformer() -> None:
    pictures = day_pictures(open_run_data(RUN))
    assert set(pictures) == {"hardest-day-light.svg", "hardest-day-dark.svg"}
    for name, theme in THEMES.items():
        picture = pictures[f"hardest-day-{name}.svg"].decode()
        ElementTree.fromstring(picture)
        assert {theme.before, theme.after, theme.limit} <= set(re.findall(r"#[0-9a-f]{6}", picture))
        words = re.findall(r"<!-- (.*?) -->", picture)  # matplotlib notes what its shapes say
        assert any(word.startswith("each for itself (Nash): peak") for word in words)
        assert any(word.startswith("transformer") for word in words)
    assert day_pictures(open_run_data(RUN)) == pictures


def test_the_command_writes_them_and_refuses_other_worlds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_cli(ss, "ss", ["figure", str(RUN), "--out", str(tmp_path / "new")]) == 0
    assert len(list((tmp_path / "new").iterdir())) == 2
    assert run_cli(ss, "ss", ["figure", str(DRIVERS), "--out", str(tmp_path)]) == 3
    assert "runs of grid" in capsys.readouterr().err


def test_a_run_without_traces_says_how_to_get_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = shutil.copytree(RUN, tmp_path / "copy")
    shutil.rmtree(copy / "traces" / "feeder_step")
    assert run_cli(ss, "ss", ["figure", str(copy), "--out", str(tmp_path)]) == 3
    assert "--trace agent" in capsys.readouterr().err
