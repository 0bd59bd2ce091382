"""F12, F15, F17, F21, F24: solvers, neighbours, clocks, limits and packages against a run."""

import ast
import os
import re
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from gridsim.network.feeder import load_compiled
from gridsim.powerflow.solve import solve_power_flow
from ss_core.exchange.channel import Channel, ExchangeConfig
from ss_core.exchange.neighbourhood import all_to_all
from ss_core.record.manifest import read_manifest
from ss_core.resources import data_path
from ss_core.scenario import request as run_request
from tests.support.fault_counts import counted, times

ROOT = Path(__file__).parents[2]
PACKAGES = ("ss_core", "gridsim", "trafficsim", "paper_envs", "cli")


@pytest.mark.parametrize("name", ["kerber_dorfnetz", "kerber_146"])
def test_a_load_that_no_feeder_carries_is_no_solution_and_no_error(name: str) -> None:
    feeder = load_compiled(data_path("feeders") / f"{name}.npz")
    for number in range(times(10, 250)):
        p_mw = np.full((2, feeder.load_count), 0.001)
        p_mw[1] *= 10.0 ** (2 + number % 8)
        flow = solve_power_flow(feeder, p_mw, 0.3 * p_mw)
        assert flow.converged.tolist() == [True, False]
        assert np.isfinite(flow.vm_pu[0]).all()
        assert np.isnan(flow.vm_pu[1]).all()
        counted("F12")


@examples(max_examples=times(300, 5000))
@given(st.integers(0, 2**32 - 1), st.floats(0.0, 1.0))
def test_receivers_take_distributions_and_nothing_else(seed: int, spoilt: float) -> None:
    agents, actions, rows = 3, 4, 5
    rng = np.random.default_rng(seed)
    where, channel = all_to_all(agents), Channel(ExchangeConfig(), agents, 0)
    legal = torch.ones((rows, agents, actions), dtype=torch.bool)
    legal[..., -1] = torch.from_numpy(rng.random((rows, agents)) < 0.5)
    sound = np.log(rng.dirichlet(np.ones(actions), (rows, agents, agents - 1)))
    sound = np.where(legal.unsqueeze(2).numpy(), sound, -1e9)
    sound -= np.log(np.exp(sound).sum(axis=-1, keepdims=True))
    bad = rng.random((rows, agents, agents - 1)) < spoilt
    values = np.array([np.nan, np.inf, 3.0, -1e9, 0.0])
    drawn = values[rng.integers(len(values), size=(*bad.shape, actions))]
    drawn[..., :2] = rng.choice([np.nan, 1.0, np.inf], size=(*bad.shape, 1))
    said = torch.from_numpy(np.where(bad[..., None], drawn, sound)).float()
    taken = torch.ones(bad.shape, dtype=torch.bool)
    kept = channel.refuse_malformed(said, taken, legal, where, update=0)
    assert np.array_equal(kept.numpy(), ~bad)
    refused = sum(one.num_messages for one in channel.ledger.take_refusals())
    assert refused == int(bad.sum())
    counted("F15")


def test_a_clock_that_goes_back_or_stands_still_gives_every_run_a_name_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noon = datetime(2026, 10, 25, 0, 59, 59, tzinfo=UTC)  # an hour that comes twice in Europe
    moments = [noon, noon, noon - timedelta(hours=1), noon, noon + timedelta(hours=1), noon]

    class Clock(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return moments[0].astimezone(tz)  # type: ignore[arg-type]

    monkeypatch.setattr(run_request, "datetime", Clock)
    names = []
    while moments:
        monkeypatch.setenv("TZ", ("Europe/Berlin", "Asia/Kathmandu")[len(moments) % 2])
        time.tzset()
        with run_request.open_run(
            tmp_path, "never", task="t", size="n1", seed=0, config={"a": 1}
        ) as run:
            names.append(run.path.name)
            run.finish("complete")
        assert read_manifest(tmp_path / names[-1])["ss"]["status"] == "complete"
        moments.pop(0)
        counted("F17")
    assert len(set(names)) == len(names)
    assert all(re.match(r"2026102\dT\d{6}Z", name) for name in names)


LIMITED = """
import resource, sys
from cli.app import run
from cli.commands.grid import cli
import torch, gridsim.scenario, gridsim.stage
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize() + int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_AS, (size, size))
sys.exit(run(cli, "ssgrid", sys.argv[2:]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits as Linux sets them")
@pytest.mark.slow
@pytest.mark.parametrize("megabytes", [3, 60, 200])
def test_too_little_memory_ends_in_one_line(tmp_path: Path, megabytes: int) -> None:
    command = ["run", "--households", "300", "--days", "64", "--budget", "2", "--quiet"]
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(megabytes * 2**20), *command, "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        timeout=300,
    )
    assert done.returncode in (4, 6), (done.returncode, done.stderr[-2000:])
    assert "Traceback" not in done.stderr
    counted("F21")


FORBIDDEN_NAMES = {"eval", "exec", "compile", "__import__"}
FORBIDDEN_MODULES = {"pickle", "dill", "cloudpickle", "shelve", "marshal", "joblib", "yaml"}
FORBIDDEN_CALLS = {"torch.load", "np.load", "numpy.load", "os.system", "os.popen"}


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_hold_nothing_that_runs_what_it_reads(package: str) -> None:
    found = []
    for path in sorted((ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            place = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [each.name for each in node.names]
                modules = [getattr(node, "module", None) or "", *names]
                found += [place for m in modules if m.split(".")[0] in FORBIDDEN_MODULES]
            elif isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                shell = any(each.arg == "shell" for each in node.keywords)
                allowed = called.endswith("np.load") and "allow_pickle=False" in ast.unparse(node)
                if (called in FORBIDDEN_NAMES | FORBIDDEN_CALLS and not allowed) or shell:
                    found.append(f"{place} {called}")
    assert found == []
    counted("F24")


OFFLINE = """
import socket, sys
real = socket.socket.connect
def connect(self, address):
    if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1"):
        sys.stderr.write(f"NETWORK {address}\\n")
        raise OSError("no network here")
    return real(self, address)
socket.socket.connect = connect
def resolve(*arguments, **named):
    sys.stderr.write(f"NETWORK {arguments}\\n")
    raise OSError("no network here")
socket.getaddrinfo = resolve
from cli.app import run
from cli.commands.grid import cli
sys.exit(run(cli, "ssgrid", sys.argv[1:]))
"""


def test_tests_themselves_have_no_network() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as far,
        pytest.raises(OSError, match="tests have no network"),
    ):
        far.connect(("192.0.2.1", 80))  # an address that nobody has (RFC 5737)
    with (
        socket.create_server(("127.0.0.1", 0)) as here,
        socket.create_connection(here.getsockname()) as near,
    ):
        assert near.getpeername() == here.getsockname()


@pytest.mark.slow
def test_a_run_asks_for_no_network(tmp_path: Path) -> None:
    command = ["run", "--households", "4", "--days", "2", "--budget", "2", "--quiet"]
    command += ["--set", "learner.num_envs=4"]
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE, *command, "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "NETWORK" not in done.stderr
    counted("F24")
