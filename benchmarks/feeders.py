"""People's nets through `ssgrid run`, one after the other: does each run, and is its physics right?

    .venv/bin/python benchmarks/feeders.py --out OUT NET.json ... [--households 20 --budget 60]

A net is a file, or a name of pandapower's such as ieee_european_lv_asymmetric. One line per net:
households (by default one at each house connection), gap closed by the learned row (or "no
dilemma"), the recommended row, highest transformer loading and lowest voltage under Nash, largest
difference from pandapower in voltages, what else is on it. A net that does not run is named with
its exit code; the program then ends with 1, as it does where a difference exceeds 1e-6.

Files of SimBench's nets, where its package is installed, one after the other:

    for code in simbench.collect_all_simbench_codes(mv_level=None, lv_level="1"): ...
        pandapower.to_json(simbench.get_simbench_net(code), f"{code}.json")
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from gridsim.network.connections import connections_of  # noqa: E402
from gridsim.network.pandapower_io import load_feeder  # noqa: E402
from ss_core.errors import InputError  # noqa: E402

MOST_DV_PU = 1e-6
COLUMNS = (
    *("net", "exit", "households", "gap closed %", "recommended", "transformer %", "line %"),
    *("min vm_pu", "max dV pu", "on it"),
)
OWN = "households have what the net has at their bus"
WORDS = (  # of notes on who is connected
    "house connections of",
    ": not households",
    "generators of",
    "generator of",
    " idle:",
    OWN,
)


@dataclass(frozen=True, slots=True)
class Row:
    """What one net came to."""

    net: str
    exit_code: int
    households: str = ""
    gap_closed: str = ""
    recommended: str = ""
    transformer_percent: str = ""
    line_percent: str = ""
    vm_min_pu: str = ""
    max_dv_pu: float = float("nan")
    connected: str = ""

    @property
    def is_right(self) -> bool:
        """Whether it ran and pandapower agrees."""
        return self.exit_code == 0 and self.max_dv_pu <= MOST_DV_PU


def connections(net: str) -> str:
    """How many house connections it has; one where it cannot be read: the run will say why."""
    try:
        feeder = load_feeder(net, households=1, kva_per_household=None)
    except InputError:
        return "1"
    return str(len(connections_of(feeder).home_load))


def run_net(net: str, out: Path, households: str, options: Sequence[str]) -> Row:
    """One run, in a process of its own, and what it left."""
    name = Path(net).stem
    size = connections(net) if households == "all" else households
    command = [str(Path(sys.executable).parent / "ssgrid"), "run", "--feeder", net]
    given = ["--out", str(out / name), "--households", size, "--quiet", "--no-report", *options]
    ended = subprocess.run([*command, *given], cwd=ROOT, check=False, capture_output=True)
    results = sorted((out / name).glob("*/result.json"))
    if ended.returncode or not results:
        return Row(name, ended.returncode or 1)
    result = json.loads(results[-1].read_text(encoding="utf-8"))
    return replace(row_of(name, result), households=size)


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
        recommended=next((row["policy"] for row in table if row.get("recommended")), ""),
        gap_closed="no dilemma" if flat else str(learned.get("gap closed %", "")),
        transformer_percent=str(nash["transformer %"]),
        line_percent=str(nash["line %"]),
        vm_min_pu=str(nash["min vm_pu"]),
        max_dv_pu=max(audit["max_dv_pu"] for audit in result["audit"].values()),
        connected="; ".join(map(_in_short, connected)),
    )


def _in_short(note: str) -> str:
    """A note on who is connected, without what follows from it."""
    start, _, rest = note.partition(": ")
    return rest.split("; ")[0] if start == OWN else note.split(":")[0].rstrip(".")


def line_of(row: Row) -> str:
    """A row of a Markdown table."""
    cells = [row.net, str(row.exit_code), row.households, row.gap_closed, row.recommended]
    cells += [row.transformer_percent, row.line_percent, row.vm_min_pu]
    cells += [f"{row.max_dv_pu:.0e}", row.connected]
    return f"| {' | '.join(cells)} |"


def main() -> int:
    """Run every net; 1 where one does not run or differs from pandapower."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("nets", nargs="+", metavar="NET")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--households", default="all")
    parser.add_argument("--days", default="4")
    parser.add_argument("--budget", default="60")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    given = parser.parse_args()
    options = ["--days", given.days, "--budget", given.budget]
    options += [part for one in given.set for part in ("--set", one)]
    print(f"| {' | '.join(COLUMNS)} |")
    print(f"|{'---|' * len(COLUMNS)}")
    rows = []
    for net in given.nets:
        place = str(Path(net).resolve()) if Path(net).exists() else net
        rows.append(run_net(place, given.out, given.households, options))
        print(line_of(rows[-1]), flush=True)
    text = json.dumps([asdict(row) for row in rows], indent=2)
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "feeders.json").write_text(text + "\n", encoding="utf-8")
    return 0 if all(row.is_right for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
