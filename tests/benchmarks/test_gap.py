"""The command behind the headline number of the grid, at its smallest; Holm's verdict by hand."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.gap import VARIANTS, configured, harm

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_is_a_configuration_of_the_size_asked_for(variant: str) -> None:
    config = configured(variant, 7, 9, {"days": 3, "learner.num_updates": 2})
    assert (config.seed, config.households, config.days) == (7, 9, 3)
    assert config.learner.num_updates == 2
    asked = configured(variant, 7, 9, {})
    assert asked.days == 32
    assert asked.learner.algorithm == VARIANTS[variant].get("algorithm", "ss")


def test_the_gap_of_the_smallest_world_is_measured_printed_and_kept(tmp_path: Path) -> None:
    out = tmp_path / "gap.json"
    size = ("--households", "4", "--set", "days=2", "--set", "learner.num_updates=3")
    once = ("--seeds", "1", "--first-seed", "100", "--workers", "1", "--variants", "ss")
    command = [sys.executable, str(ROOT / "benchmarks" / "gap.py"), *size, *once]
    run = subprocess.run(
        [*command, "--out", str(out)], capture_output=True, text=True, timeout=300, check=False
    )
    assert run.returncode == 0, run.stderr
    printed = run.stdout.splitlines()[0]
    assert printed.startswith("ss N=4 days=2")
    for name in ("independent", "selfish_by_rule", "planner_by_rule", "recommended", "dilemma"):
        assert name in printed
    (row,) = json.loads(out.read_text())
    assert (row["seed"], row["households"], row["days"], row["updates"]) == (100, 4, 2, 3)
    assert all(math.isfinite(gap) and gap <= 1.0 + 1e-6 for gap in row["gap_closed"].values())
    assert row["recommended"] in ("ss", "independent", "selfish_by_rule")
    assert row["dilemma"] > 0.0
    assert row["kb_per_household"] > 0.0


def rows(households: int, extra: list[float]) -> list[dict[str, Any]]:
    one = {"variant": "ss", "households": households, "recommended": "ss"}
    return [one | {"extra_eur_per_household": value} for value in extra]


def test_a_row_that_costs_more_on_every_seed_is_called_worse_and_one_by_chance_is_not() -> None:
    surely, by_chance = rows(5, [0.10, 0.11, 0.09, 0.10, 0.10]), rows(10, [0.1, -0.1, 0.2, -0.2, 0])
    same = rows(20, [0.0] * 5)
    verdicts = harm([surely, by_chance, same])
    assert "N=5: recommended row WORSE" in verdicts[0]
    assert all("not worse" in one for one in verdicts[1:])
    assert "p = 1.000" in verdicts[-1]
