"""`make matrix`: what is built installs and works elsewhere, each case in a venv of its own.

Cases are Python versions, extras, and the source archive. Each installs from `dist` into a new venv
below an empty folder, runs its smallest commands there, and is removed. Takes minutes a case, and
some 2 GB while it lasts; `make test` leaves it out.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.render import print_table

ROOT = Path(__file__).resolve().parents[2]
VERSIONS = ("3.11", "3.12", "3.13")
LIMIT_S = 1800
SMALL_RUN = (
    *("ssgrid", "run", "--households", "4", "--days", "1", "--budget", "1", "--quiet"),
    *("--set", "evaluations=1", "--set", "policy_samples=2", "--set", "learner.num_envs=2"),
    *("--set", "audit_steps=3", "--set", "search.num_perturbations=2", "--set", "trial_days=2"),
    *("--set", "search.num_random_starts=1", "--set", "search.relaxation_sweeps=20"),
    *("--set", "most_turns=64", "--out", "made"),
)
SMALL_TRAINING = (
    *("ss", "train", "predation", "--agents", "4", "--updates", "1", "--episodes-per-update", "2"),
    *("--set", "evaluation_episodes=4", "--set", "learner.hidden=[8]", "--quiet"),
    *("--set", "learner.critic_hidden=[8]", "--out", "trained"),
)
SMALL_DRIVE = (
    *("sstraffic", "run", "--net", "{data}/nets/two_route.net.xml", "--drivers", "4", "--quiet"),
    *("--days", "1", "--budget", "1", "--set", "evaluations=1", "--set", "evaluation_days=1"),
    *("--set", "search.optimum_simulations=2", "--set", "trial_days=2"),
    *("--set", "search.max_sweeps=1", "--set", "search.days=2", "--set", "search.draws=2"),
    *("--set", "search.deviations=2", "--set", "search.model_days=400"),
    *("--set", "search.candidates=2", "--set", "modelled.first_days=1"),
)
SMALL_BENCH = (
    *("ss", "bench", "paper", "--profile", "smoke", "--env", "navigation", "--algorithm", "ss"),
    *("--preset", "tuned", "--seeds", "1", "--workers", "1", "--quiet"),
)
IN_PYTHON = ("python", "-c", "import gridsim, ss_core; print(ss_core.open_run('{run}').table)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is installed, and the commands that must end well; `{run}` is a run made before."""

    name: str
    commands: Sequence[Sequence[str]]
    extras: str = ""  # as in pip: "traffic,sumo"
    python: str = VERSIONS[0]
    from_source: bool = False  # the archive instead of the wheel


BASE = (("ss", "doctor"), SMALL_RUN, IN_PYTHON, SMALL_TRAINING)
CASES = (
    *(Case(name=f"Python {version}", python=version, commands=BASE) for version in VERSIONS),
    Case(name="source archive", from_source=True, commands=(("ssgrid", "feeders"),)),
    Case(name="traffic", extras="traffic", commands=(SMALL_DRIVE,)),
    Case(
        name="sumo",
        extras="traffic,sumo",
        commands=(("netconvert", "--version"), (*SMALL_DRIVE, "--cross-check")),
    ),
    Case(
        name="analysis",
        extras="analysis",
        commands=(
            SMALL_RUN,
            ("ss", "sql", "{run}", "select kpi, value from kpi"),
            ("ss", "export", "{run}", "--format", "xlsx", "--out", "tables.xlsx"),
        ),
    ),
    Case(
        name="tensorboard",
        extras="tensorboard",
        commands=(
            SMALL_RUN,
            ("ss", "export", "{run}", "--format", "tensorboard", "--out", "curves"),
        ),
    ),
    Case(name="ray", extras="ray", commands=((*SMALL_BENCH, "--launcher", "ray"),)),
)  # fmt: skip


class Failed(Exception):  # noqa: N818 - of one case, a line of the table
    """A command of a case did not end well."""


def interpreter(version: str) -> str | None:
    """A program of this version of Python; None where none is found, or it does not start."""
    shims = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    installed = map(str, sorted(shims.glob(f"{version}.*/bin/python{version}")))
    for name in (f"python{version}", "python3", sys.executable, *installed):
        program = shutil.which(name)
        if program is None:
            continue
        asked = [program, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        answer = subprocess.run(asked, capture_output=True, text=True, check=False)
        if answer.returncode == 0 and answer.stdout.strip() == version:
            return program
    return None


def build(folder: Path) -> tuple[Path, Path]:
    """The wheel and the source archive."""
    run([sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)], ROOT)
    (wheel,), (archive,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, archive


def run(command: Sequence[str], folder: Path) -> str:
    """Run a command that sees nothing of the checkout; its stdout.

    Raises:
        Failed: it does not end well.
    """
    environment = {key: text for key, text in os.environ.items() if key != "PYTHONPATH"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=LIMIT_S,
            check=False,
        )  # fmt: skip
    except (subprocess.TimeoutExpired, OSError) as error:
        raise Failed(f"{command[0]}: {error}") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Failed(f"{' '.join(command)[:80]}: {said[-1] if said else done.returncode}")
    return done.stdout


def try_case(case: Case, program: str, package: Path, folder: Path) -> int:
    """Install the case and run its commands; MB that the venv takes.

    Raises:
        Failed: a step does not end well.
    """
    run([program, "-m", "venv", str(folder / "venv")], folder)
    places = folder / "venv" / "bin"
    what = f"{package}[{case.extras}]" if case.extras else str(package)
    pins = ["--constraint", str(ROOT / "constraints.txt")]
    run(
        [str(places / "python"), "-m", "pip", "install", "--quiet", "--no-compile", *pins, what],
        folder,
    )
    code = "import ss_core.resources as r; print(r.data_path('nets').parent)"
    data = run([str(places / "python"), "-c", code], folder).strip()
    for command in case.commands:
        made = next(folder.glob("made/*"), folder)
        words = [word.format(run=made, data=data) if "{" in word else word for word in command]
        run([str(places / words[0]), *words[1:]], folder)
    files = (
        path for path in (folder / "venv").rglob("*") if path.is_file() and not path.is_symlink()
    )
    return round(sum(path.stat().st_size for path in files) / 1e6)


def row_of(case: Case, packages: tuple[Path, Path], keep: Path) -> dict[str, object]:
    """Try a case; a line of the table."""
    program = interpreter(case.python)
    row: dict[str, object] = {"case": case.name, "outcome": "ok", "s": None, "MB": None, "why": ""}
    if program is None:
        return row | {"outcome": "skipped", "why": f"no Python {case.python} found"}
    started = time.monotonic()
    with tempfile.TemporaryDirectory(dir=keep) as folder:
        try:
            row["MB"] = try_case(case, program, packages[case.from_source], Path(folder))
        except Failed as failure:
            row |= {"outcome": "failed", "why": str(failure)}
    return row | {"s": round(time.monotonic() - started)}


def main() -> int:
    """Try the cases and print what came of them; 1 if one failed."""
    parser = argparse.ArgumentParser(description="Try the wheel, the archive and every extra.")
    parser.add_argument("--only", action="append", metavar="CASE", choices=[c.name for c in CASES])
    only = parser.parse_args().only
    rows = []
    with tempfile.TemporaryDirectory() as keep:
        packages = build(Path(keep))
        for case in CASES:
            if not only or case.name in only:
                rows.append(row_of(case, packages, Path(keep)))
                print_table(rows[-1:])
                sys.stdout.flush()
    print_table(rows, title="make matrix")
    return int(any(row["outcome"] == "failed" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
