"""The command behind the headline number of the grid, at its smallest."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.gap import VARIANTS, configured

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_is_a_configuration_of_the_size_asked_for(variant: str) -> None:
    config = configured(variant, 7, households=9, days=3, updates=2)
    assert (config.seed, config.households, config.days) == (7, 9, 3)
    assert config.learner.num_updates == 2
    asked = configured(variant, 7, households=9, days=None, updates=None)
    assert (asked.days, asked.learner.num_updates) == (32, 200)
    assert asked.learner.algorithm == VARIANTS[variant].get("algorithm", "ss")


def test_the_gap_of_the_smallest_world_is_measured_printed_and_kept(tmp_path: Path) -> None:
    out = tmp_path / "gap.json"
    size = ("--households", "4", "--days", "2", "--updates", "3")
    once = ("--seeds", "1", "--first-seed", "100", "--workers", "1", "--variants", "ss,independent")
    command = [sys.executable, str(ROOT / "benchmarks" / "gap.py"), *size, *once]
    run = subprocess.run(
        [*command, "--out", str(out)], capture_output=True, text=True, timeout=300, check=False
    )
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["ss", "independent"]
    assert all("% of the gap" in line for line in lines)
    rows = json.loads(out.read_text())
    assert [row["variant"] for row in rows] == ["ss", "independent"]
    for row in rows:
        assert (row["seed"], row["households"], row["days"], row["updates"]) == (100, 4, 2, 3)
        assert [update for update, _ in row["curve"]] == [1, 2, 3]
        assert math.isfinite(row["gap_closed"])
        assert row["gap_closed"] <= 1.0 + 1e-6
        assert row["dilemma"] > 0.0
    assert rows[0]["kb_per_household"] > rows[1]["kb_per_household"] == 0.0
