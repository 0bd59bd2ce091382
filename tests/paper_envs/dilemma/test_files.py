"""Pictures and tables on disk."""

import io
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from paper_envs.dilemma.figure import drawn
from paper_envs.dilemma.files import write
from paper_envs.dilemma.measure import TaskDiagram, measure
from ss_core.errors import ConfigError


def silent(*_: Any) -> None:
    """No progress."""


@pytest.fixture(scope="module")
def small() -> list[TaskDiagram]:
    names = ("cleanup-small", "harvest-small")
    return [measure(name, episodes=8, progress=silent) for name in names]


def test_a_picture_has_a_panel_per_task_with_its_three_answers(small: list[TaskDiagram]) -> None:
    _, svg = drawn(small)
    words = " ".join(ET.fromstring(svg).itertext())
    assert "Cleanup, small, 3 agents" in words
    assert "Harvest, small, 3 agents" in words
    assert words.count("number of others who cooperate") == 2
    assert words.count("efficiency: yes") == 2
    for line in ("one who cooperates", "one who defects", "mean of all, if the one defects"):
        assert words.count(line) == 1


@pytest.mark.parametrize("panels", [1, 2])
def test_nothing_is_cut_off_at_the_edges(small: list[TaskDiagram], panels: int) -> None:
    png, _ = drawn(small[:panels])
    with Image.open(io.BytesIO(png)) as picture:
        pixels = np.asarray(picture.convert("L"))
    for edge in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]):
        assert (edge == 255).all()


def test_equal_diagrams_are_equal_bytes(small: list[TaskDiagram]) -> None:
    assert drawn(small[:1]) == drawn(small[:1])


def test_small_variants_and_the_papers_tasks_never_share_a_picture(
    small: list[TaskDiagram],
) -> None:
    paper = measure("predation", num_agents=2, episodes=2, progress=silent)
    with pytest.raises(ValueError, match="never of both"):
        drawn([small[0], paper])


def test_the_ending_says_what_is_written(small: list[TaskDiagram], tmp_path: Path) -> None:
    for ending in ("png", "svg", "csv"):
        write(tmp_path / f"x.{ending}", small)
    with Image.open(tmp_path / "x.png") as picture:
        assert picture.width > 900
    assert ET.parse(tmp_path / "x.svg").getroot().tag.endswith("svg")
    lines = (tmp_path / "x.csv").read_text().splitlines()
    assert [line.split(",")[:4] for line in lines] == [
        ["env", "agents", "episodes", "others_cooperating"],
        *(["cleanup-small", "3", "8", str(k)] for k in range(3)),
        *(["harvest-small", "3", "8", str(k)] for k in range(3)),
    ]
    with pytest.raises(ConfigError, match=r"end it in \.png or \.svg"):
        write(tmp_path / "x.jpg", small)
