"""Every command that a document prints runs, at its smallest size, or is read to the last flag.

`SMALLEST` says what makes a command small; what starts with none of its prefixes, and is neither
of `READ` nor of `ELSEWHERE`, fails: a new command needs an entry.
"""

import argparse
import glob
import importlib.util
import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pandapower
import pandas
import polars
import pytest

from cli import ss
from cli.app import run as run_cli
from cli.commands import grid as ssgrid
from cli.commands import traffic as sstraffic
from ss_core.config import parse_assignment
from tests.support.external_tools import tool
from tests.support.grid_runs import QUICK as SMALL_GRID
from tests.support.grid_runs import run_here
from tests.support.own_files import write_meters, write_prices
from tests.support.printed_commands import (
    DOCUMENTS,
    ROOT,
    Printed,
    longest,
    made_small,
    plain,
    printed_commands,
    python_blocks,
)
from tests.support.simbench_nets import simbench_like, written
from tests.support.small_nets import TWO_ROUTE, trips, write_net
from tests.support.small_studies import write_results
from tests.support.traffic_runs import QUICK as SMALL_TRAFFIC
from trafficsim.demand.trips import demand_file
from trafficsim.references import reference_tasks

BIN = Path(sys.executable).parent
CLIS: dict[str, click.Command] = {"ss": ss.cli, "ssgrid": ssgrid.cli, "sstraffic": sstraffic.cli}
SMALL_SETTINGS = [parse_assignment(text) for text in SMALL_GRID if "=" in text]
SMALL_TRAINING = (
    *("--updates", "2", "--episodes-per-update", "2", "--set", "evaluation_episodes=4"),
    *("--set", "learner.hidden=[8]", "--set", "learner.critic_hidden=[8]", "--agents", "4"),
)
LEAST_TRAFFIC = (  # of nets that take SUMO long
    *("--drivers", "4", "--days", "1", "--budget", "1", "--workers", "1"),
    *("--set", "sumo.longest_s=60", "--set", "learner.num_envs=1", "--set", "evaluations=1"),
    *("--set", "evaluation_days=1", "--set", "search.optimum_simulations=2"),
    *("--set", "trial_days=2", "--set", "modelled.first_days=1"),
    *("--set", "search.max_sweeps=1"),
    *("--set", "search.days=2", "--set", "search.deviations=2", "--set", "search.draws=2"),
    *("--set", "search.model_days=400", "--set", "search.candidates=2"),
)
SMALL_LIGHTS = (
    *("--seconds", "60", "--budget", "1", "--episodes", "1"),
    *("--set", "learner.num_envs=1", "--set", "evaluations=1", "--workers", "1"),
    *("--set", "evaluation_episodes=1", "--set", "compare_selfish=false"),
)
AS_PRINTED = (
    *(
        "ssgrid feeders",
        "ssgrid template",
        "sstraffic net",
        "sstraffic nets",
        "ss sql",
        "ss export",
        "ss report",
    ),
    *("ss compare", "ss figure", "ss runs", "ss verify", "ss doctor", "ss envs", "ss algorithms"),
    *("ss config", "ss completion", "python -c", "sumo", "duckdb"),
)
SMALLEST: dict[str, tuple[str, ...]] = {  # the longest prefix counts; its flags go before printed
    **dict.fromkeys(AS_PRINTED, ()),
    "ssgrid run": (*SMALL_GRID, "--households", "8", "--days", "1", "--budget", "1"),
    "ssgrid run --feeder my_feeder.json --households-file": (
        *(*SMALL_GRID, "--days", "1", "--budget", "1", "--set", "compare_selfish=false"),
    ),
    "sstraffic run": SMALL_TRAFFIC,
    "sstraffic run --net data/nets/grid.net.xml": (*LEAST_TRAFFIC[2:], "--share", "0.1"),
    "sstraffic run --net data/nets/grid_3x3.net.xml": LEAST_TRAFFIC,
    "sstraffic run --net ingolstadt21": LEAST_TRAFFIC,
    "sstraffic signals": SMALL_LIGHTS,
    "ss train": SMALL_TRAINING,
    "ss train mpe2": (*SMALL_TRAINING[:-2],),
    "ss train tests": (*SMALL_TRAINING[:-2],),
    "ss train benchmarks": (*SMALL_TRAINING[:-2],),
    "ss bench paper --profile smoke": (
        *("--env", "navigation", "--algorithm", "ss", "--preset", "tuned", "--seeds", "1"),
        *("--workers", "1", "--out", "bench"),
    ),
    **dict.fromkeys(
        (f"ss bench paper --profile {name}" for name in ("quick", "full", "literal")),
        ("--dry-run",),
    ),
    "ss watch": ("--out", "watched.png"),
    "python -m cli": ("--help",),
    "python -m pytest": ("--collect-only", "-p", "no:cacheprovider"),
    "pre-commit": ("--help",),
}
ELSEWHERE = (  # outside this installation
    *("python3 -m venv", "python3.11 -m venv", "pip install", "echo", "pip-audit"),
)
NO_COMMANDS = {"ss literal"}  # the name of a row
KINDS = {"ss watch": "trained", "sumo": "driven", "python -c": "driven"}  # which `runs/<run>`
SMALLER_BLOCKS = {  # updates, seeds, households
    "160": "1",
    "205": "201",
    "households=50": f"households=8, days=1, budget=1, **{dict(SMALL_SETTINGS)!r}",
}
DOCUMENT_IDS = [str(path.relative_to(ROOT)) for path in DOCUMENTS]
WITH_BLOCKS = [path for path in DOCUMENTS if python_blocks(path)]
Capsys = pytest.CaptureFixture[str]


class Parsed(Exception):  # noqa: N818 - no error: the end of a rehearsal
    """The arguments of a program are in order."""


# reading: what needs too much time or another machine, and names in sentences


def parse_command(words: list[str]) -> None:
    """The subcommand exists, and so does every flag; operands may be missing."""
    command, rest = CLIS[words[0]], words[1:]
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        found = command.get_command(click.Context(command), rest.pop(0))
        assert found is not None, "no such command"
        command = found
    command.make_parser(click.Context(command)).parse_args(rest)


def parse_program(words: list[str]) -> None:
    """A program of `benchmarks/` takes these arguments; tests/benchmarks runs it."""

    def parsed(parser: argparse.ArgumentParser) -> None:
        parse_args(parser)
        raise Parsed

    parse_args = argparse.ArgumentParser.parse_args
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(argparse.ArgumentParser, "parse_args", parsed)
        patch.setattr(sys, "argv", words[1:])
        patch.setattr(sys, "path", [*sys.path])
        patch.setattr(os, "environ", os.environ.copy())
        with pytest.raises(Parsed):
            runpy.run_path(str(ROOT / words[1]), run_name="__main__")


def find_module(words: list[str]) -> None:
    """A module that renews documents or needs what fuzzing kept; tests of these run its parts."""
    assert importlib.util.find_spec(words[2]) is not None


def rehearse_make(words: list[str]) -> None:
    """The targets exist; what their recipes would run is printed."""
    subprocess.run([tool("make"), "-n", *words[1:]], cwd=ROOT, check=True, capture_output=True)


def find_program(words: list[str]) -> None:
    assert (BIN / words[0]).exists()


READ: dict[str, Callable[[list[str]], None]] = {
    "make": rehearse_make,
    "python benchmarks/": parse_program,
    "python -m ss_core.": find_module,
    "python -m tests.fuzz.keep": find_module,
    "ss bench strength": parse_command,  # tests/cli/commands/bench/test_strength.py runs it
    "ss bench trust": parse_command,  # tests/cli/commands/bench/test_trust.py runs it
    "ss bench privacy": parse_command,
    "ss study": parse_command,  # tests/cli/commands/studies runs it
    # a run with selfish learners beside others: tests/paper_envs/dilemma/test_learned.py runs it
    **dict.fromkeys(("ss envs --diagram runs", "ss envs --diagram goods"), parse_command),
}


def is_python(command: Printed) -> bool:
    return command.text.startswith(("pandas.", "polars.", "pp."))


def reader(command: Printed) -> Callable[[list[str]], None] | None:
    """How a command is read that is not run."""
    words = plain(command)
    found = longest(" ".join(words), READ)
    named = command.inline and (command.text[0] not in ".e" or len(words) <= 2)
    if found is None and named:
        return parse_command if words[0] in CLIS else find_program
    return found


def is_known(command: Printed) -> bool:
    """There is a way to try it."""
    text = " ".join(plain(command))
    return (
        is_python(command)
        or command.text in NO_COMMANDS
        or text.startswith(ELSEWHERE)
        or reader(command) is not None
        or longest(text, SMALLEST) is not None
    )


@pytest.mark.parametrize(
    "words", [["ss", "train", "--updatess", "1"], ["ss", "trainn"], ["make", "no-such-target"]]
)
def test_a_command_that_there_is_not_is_found(words: list[str]) -> None:
    with pytest.raises((AssertionError, click.UsageError, subprocess.CalledProcessError)):
        (rehearse_make if words[0] == "make" else parse_command)(words)


# running


def filled(command: Printed, words: Sequence[str]) -> list[str]:
    """The words with runs in place of placeholders and files in place of patterns."""
    kind = longest(" ".join(plain(command)), KINDS) or "households"
    runs = {"<run>": kind, "<one>": "households", "<other>": "others", "<old>": "old"}
    named = []
    for word in words:
        for placeholder, run in runs.items():
            word = word.replace(placeholder, run)
        named += [word] if " " in word else sorted(glob.glob(word)) or [word]
    return named


def call(words: Sequence[str], capsys: Capsys) -> None:
    """Run it here if it is ours, else as a program; it must end well and complain of nothing."""
    capsys.readouterr()
    if words[0] in CLIS:
        code, said = run_cli(CLIS[words[0]], words[0], words[1:]), capsys.readouterr().err
    elif words[:2] == ["python", "-c"]:
        exec(compile(words[2], "printed", "exec"), {})
        code, said = 0, ""
    else:
        at = ROOT if words[0] == "python" else Path()
        done = subprocess.run([BIN / words[0], *words[1:]], cwd=at, capture_output=True, text=True)
        code, said = done.returncode, done.stderr
    assert code == 0, said
    assert "error" not in said.lower(), said


def evaluate(text: str) -> None:
    """One line of Python on tables, or on a net."""
    net = pandapower.from_json("my_feeder.json")
    names: dict[str, Any] = {"pandas": pandas, "polars": polars, "pp": pandapower, "net": net}
    exec(compile(f"found = {text}", "printed", "exec"), names)
    if isinstance(found := names["found"], polars.LazyFrame):
        found = found.collect()
    assert found is None or len(found) > 0


def attempt(command: Printed, capsys: Capsys, done: set[tuple[str, ...]]) -> None:
    """Try one command, unless the same was done before."""
    words = plain(command)
    read = reader(command)
    if command.text in NO_COMMANDS or " ".join(words).startswith(ELSEWHERE):
        return
    if is_python(command):
        evaluate(filled(command, [command.text + " "])[0].strip())
    elif read is not None:
        read(words)
    else:
        words = filled(command, made_small(words, longest(" ".join(words), SMALLEST) or ()))
        if tuple(words) not in done:
            call(words, capsys)
        done.add(tuple(words))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[set[tuple[str, ...]]]:
    """A folder with all that documents take for granted; yields which commands were run in it."""
    folder = tmp_path_factory.mktemp("desk")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("SS_")]:
            patch.delenv(name)
        patch.setattr("ss_core.processes.child_tasks.run_tasks", run_here)
        patch.setattr(reference_tasks, "DUA", replace(reference_tasks.DUA, iterations=3))
        patch.chdir(folder)
        (folder / "data").symlink_to(ROOT / "data")
        shutil.copy(ROOT / "data" / "feeders" / "kerber_dorfnetz.json", "my_feeder.json")
        written(simbench_like(), Path("1-LV-rural2--1-sw.json"))
        write_meters(Path("meter.csv"), [str(number) for number in range(60)], kw=0.01)
        write_prices(Path("prices.csv"))
        write_net(folder, TWO_ROUTE, "my.net.xml")
        Path("my.trips.xml").write_text(demand_file(trips(12)))
        Path("osm.sumocfg").write_text(
            '<configuration><input><net-file value="my.net.xml"/>'
            '<route-files value="my.trips.xml"/></input></configuration>'
        )
        write_results(Path("studies/ev-share"))
        for kind, made in {
            "households": ("ssgrid", "run", *SMALLEST["ssgrid run"]),
            "others": ("ssgrid", "run", *SMALLEST["ssgrid run"], "--seed", "1"),
            "driven": ("sstraffic", "run", "--net", "my.net.xml", *SMALL_TRAFFIC),
            "trained": ("ss", "train", "predation", *SMALL_TRAINING),
        }.items():
            assert run_cli(CLIS[made[0]], made[0], [*made[1:], "--out", kind, "--quiet"]) == 0
            (run,) = Path(kind).iterdir()
            shutil.move(run, Path("runs") / kind)
        shutil.copytree(Path("runs") / "others", Path("runs") / "old")
        yield set()


@pytest.mark.parametrize("path", DOCUMENTS, ids=DOCUMENT_IDS)
def test_every_printed_command_is_one_that_is_tried(path: Path) -> None:
    unknown = [command for command in printed_commands(path) if not is_known(command)]
    assert unknown == [], "give it its smallest flags in SMALLEST"


@pytest.mark.slow
@pytest.mark.sumo
@pytest.mark.parametrize("path", DOCUMENTS, ids=DOCUMENT_IDS)
def test_the_commands_of_a_document_run(
    path: Path, desk: set[tuple[str, ...]], capsys: Capsys
) -> None:
    failed = []
    for command in printed_commands(path):
        try:
            attempt(command, capsys, desk)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - all are shown
            failed.append(f"{command.document}:{command.line}: {command.text}\n{error!r}")
    assert not failed, "\n".join(failed)


@pytest.mark.slow
@pytest.mark.sumo
@pytest.mark.parametrize("path", WITH_BLOCKS, ids=lambda path: path.stem)
def test_the_python_of_a_document_runs(path: Path, desk: set[tuple[str, ...]]) -> None:
    for block in python_blocks(path):
        for large, small in SMALLER_BLOCKS.items():
            block = block.replace(large, small)
        exec(compile(block.replace("<run>", "households"), path.name, "exec"), {})
