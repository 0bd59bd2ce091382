"""People's nets through `ssgrid run`, one after the other: does each run, and is its physics right?

    .venv/bin/python benchmarks/feeders.py --out OUT NET.json ... [--households 20 --budget 60]

One line per net: house connections, what else is on it, gap closed by the learned row (or "no
dilemma"), highest transformer loading and lowest voltage under Nash, largest difference from
pandapower in voltages. A net that does not run is named with its exit code; the program then ends
with 1, as it does where a difference exceeds 1e-6.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
MOST_DV_PU = 1e-6
WORDS = (  # of notes on who is connected
    "house connections of",
    ": not households",
    "generators of",
    "generator of",
    " idle:",
)


@dataclass(frozen=True, slots=True)
class Row:
    """What one net came to."""

    net: str
    exit_code: int
    gap_closed: str = ""
    transformer_percent: str = ""
    line_percent: str = ""
    vm_min_pu: str = ""
    max_dv_pu: float = float("nan")
    connected: str = ""

    @property
    def is_right(self) -> bool:
        """Whether it ran and pandapower agrees."""
        return self.exit_code == 0 and self.max_dv_pu <= MOST_DV_PU


def run_net(net: Path, out: Path, options: Sequence[str]) -> Row:
    """One run, in a process of its own, and what it left."""
    folder = out / net.stem
    command = [str(Path(sys.executable).parent / "ssgrid"), "run", "--feeder", str(net)]
    given = ["--out", str(folder), "--quiet", "--no-report", *options]
    ended = subprocess.run([*command, *given], cwd=ROOT, check=False, capture_output=True)
    results = sorted(folder.glob("*/result.json"))
    if ended.returncode or not results:
        return Row(net.stem, ended.returncode or 1)
    return row_of(net.stem, json.loads(results[-1].read_text(encoding="utf-8")))


def row_of(net: str, result: Mapping[str, Any]) -> Row:
    """The line of a net from the `result.json` of its run."""
    notes: Sequence[str] = result["notes"]
    ((_, table),) = result["tables"].items()
    nash = next(row for row in table if row["policy"].startswith("Nash"))
    learned = next(row for row in table if row["policy"].startswith("SS"))
    flat = any(note.startswith("no dilemma") for note in notes)
    connected = [note for note in notes if any(word in note for word in WORDS)]
    return Row(
        net=net,
        exit_code=0,
        gap_closed="no dilemma" if flat else str(learned.get("gap closed %", "")),
        transformer_percent=str(nash["transformer %"]),
        line_percent=str(nash["line %"]),
        vm_min_pu=str(nash["min vm_pu"]),
        max_dv_pu=max(audit["max_dv_pu"] for audit in result["audit"].values()),
        connected="; ".join(note.split(":")[0].rstrip(".") for note in connected),
    )


def line_of(row: Row) -> str:
    """A row of a Markdown table."""
    cells = [row.net, str(row.exit_code), row.gap_closed, row.transformer_percent]
    cells += [row.line_percent, row.vm_min_pu, f"{row.max_dv_pu:.0e}", row.connected]
    return f"| {' | '.join(cells)} |"


def main() -> int:
    """Run every net; 1 where one does not run or differs from pandapower."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("nets", nargs="+", type=Path, metavar="NET.json")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--households", default="20")
    parser.add_argument("--days", default="4")
    parser.add_argument("--budget", default="60")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    given = parser.parse_args()
    options = ["--households", given.households, "--days", given.days, "--budget", given.budget]
    options += [part for one in given.set for part in ("--set", one)]
    print("| net | exit | gap closed % | transformer % | line % | min vm_pu | max dV pu | on it |")
    print("|---|---|---|---|---|---|---|---|")
    rows = []
    for net in given.nets:
        rows.append(run_net(net.resolve(), given.out, options))
        print(line_of(rows[-1]), flush=True)
    text = json.dumps([asdict(row) for row in rows], indent=2)
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "feeders.json").write_text(text + "\n", encoding="utf-8")
    return 0 if all(row.is_right for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
