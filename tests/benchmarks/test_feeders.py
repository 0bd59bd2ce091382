"""The program that runs people's nets one after the other, on two of them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.feeders import OWN, Row, connections, line_of, row_of
from tests.support.simbench_nets import simbench_like, with_profiles, written

ROOT = Path(__file__).parents[2]
SMALL = ("most_turns=64", "trial_days=2", "policy_samples=1", "search.num_random_starts=1")


@pytest.mark.slow
def test_every_net_gets_a_line_and_a_bad_one_its_exit_code(tmp_path: Path) -> None:
    good = written(with_profiles(simbench_like()), tmp_path / "good.json")
    (tmp_path / "bad.json").write_text("{}")
    command = [sys.executable, str(ROOT / "benchmarks" / "feeders.py"), "--out", str(tmp_path)]
    size = ["--households", "4", "--days", "2", "--budget", "1"]
    size += [part for setting in SMALL for part in ("--set", setting)]
    ran = subprocess.run(
        [*command, *size, str(good), str(tmp_path / "bad.json")],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 1, ran.stderr
    *_, good_line, bad_line = ran.stdout.splitlines()
    assert good_line.startswith("| good | 0 | 4 | ")
    assert "3 house connections of" in good_line
    assert bad_line.startswith("| bad | 3 | ")
    kept = json.loads((tmp_path / "feeders.json").read_text())
    assert [row["net"] for row in kept] == ["good", "bad"]
    assert kept[0]["max_dv_pu"] < 1e-8


def test_a_run_without_a_dilemma_says_so_in_its_line() -> None:
    table = [
        {"policy": "Nash equilibrium", "transformer %": 10.0, "line %": 5.0, "min vm_pu": 1.0},
        {"policy": "SS (suggestions only)", "gap closed %": "71 [60, 80]"},
    ]
    audit = {"nash": {"max_dv_pu": 1e-9}, "ss": {"max_dv_pu": 2e-9}}
    notes = ["5 storages are idle: nobody lives there", f"{OWN}: 2 roofs of 9 kWp; --set devices"]
    result = {"tables": {"": table}, "audit": audit, "notes": notes}
    assert row_of("one", result).gap_closed == "71 [60, 80]"
    result["notes"] = ["no dilemma in this scenario: Nash costs less", notes[1]]
    row = row_of("one", result)
    assert (row.gap_closed, row.max_dv_pu, row.is_right) == ("no dilemma", 2e-9, True)
    assert (
        line_of(row)
        == "| one | 0 |  | no dilemma |  | 10.0 | 5.0 | 1.0 | 2e-09 | 2 roofs of 9 kWp |"
    )
    assert not Row("two", 3).is_right


def test_every_house_connection_has_a_household(tmp_path: Path) -> None:
    assert connections(str(written(simbench_like(), tmp_path / "net.json"))) == "3"
    assert connections("ieee_european_lv_asymmetric") == "55"
    (tmp_path / "bad.json").write_text("{}")
    assert connections(str(tmp_path / "bad.json")) == "1"


def test_the_recommended_row_is_named() -> None:
    rows = [{"policy": name, "transformer %": 1, "line %": 1, "min vm_pu": 1} for name in ("Nash",)]
    rows += [{"policy": "SS (suggestions only)", "recommended": "yes"}]
    result = {"tables": {"": rows}, "audit": {"nash": {"max_dv_pu": 0.0}}, "notes": []}
    assert row_of("one", result).recommended == "SS (suggestions only)"
