"""`ss doctor`: is this installation able to work?"""

import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, NamedTuple

import click

from cli.app import SHOWN_PACKAGES, debug_option, example, shown_version
from ss_core.errors import CheckFailedError
from ss_core.resources import DISTRIBUTION, data_path, install_command

DISK_FREE_MIN_GB = 1.0
VOLTAGE_TOLERANCE_PU = 1e-6
SUMO_LIMIT_S = 60
SUMO_RUN = """
import sys, libsumo
libsumo.start(["sumo", "-n", sys.argv[1], "--no-step-log", "true", "--xml-validation", "never"])
for _ in range(10):
    libsumo.simulationStep()
print(libsumo.simulation.getTime())
libsumo.close()
"""
TWO_BUS_NET = {"vn_kv": 0.4, "r_ohm": 0.02, "x_ohm": 0.008, "p_mw": 0.01}  # one line, one load


class Finding(NamedTuple):
    """One line of the report."""

    check: str
    status: Literal["ok", "note", "bad"]
    detail: str


@click.command("doctor", epilog=example("ss doctor"))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
@debug_option
def doctor(as_json: bool) -> None:
    """Check versions, disk, permissions, PATH, one small power flow and ten seconds of SUMO."""
    from cli.render import print_records

    findings = [check() for check in CHECKS]
    records = [finding._asdict() for finding in findings]
    print_records("ss.doctor/1", "findings", records, as_json=as_json)
    bad = [finding.check for finding in findings if finding.status == "bad"]
    if bad:
        raise CheckFailedError(
            f"not in order: {', '.join(bad)}; `make setup` installs the pinned packages"
        )
    if not as_json:
        click.echo("in order; a first run, a minute or two: ssgrid run --households 5")


def _versions() -> Finding:
    packages = ", ".join(
        f"{name} {shown_version(name)}" for name in (DISTRIBUTION, *SHOWN_PACKAGES)
    )
    return Finding("versions", "ok", f"python {platform.python_version()}, {packages}")


def _torch() -> Finding:
    if find_spec("torch") is None:
        return Finding("torch", "bad", "not installed")
    import torch

    device = "CUDA" if torch.cuda.is_available() else "CPU only"
    return Finding(
        "torch", "ok", f"{torch.__version__}, {device}, {torch.get_num_threads()} threads"
    )


def _disk() -> Finding:
    free_gb = shutil.disk_usage(Path.cwd()).free / 1e9
    return Finding(
        "disk", "ok" if free_gb >= DISK_FREE_MIN_GB else "bad", f"{free_gb:.1f} GB free here"
    )


def _writable() -> Finding:
    try:
        with tempfile.TemporaryFile(dir=Path.cwd()):
            return Finding("write permission", "ok", str(Path.cwd()))
    except OSError as error:
        return Finding("write permission", "bad", f"{Path.cwd()}: {error.strerror}")


def _first_on_path() -> Finding:
    found = shutil.which("ss")
    if found is None:
        return Finding("ss on PATH", "note", "none; use .venv/bin/ss or python -m cli ss")
    with Path(found).open("rb") as file:
        is_script = file.read(2) == b"#!"
    if is_script:
        return Finding("ss on PATH", "ok", found)
    return Finding(
        "ss on PATH", "note", f"{found} is another program; use .venv/bin/ss or python -m cli ss"
    )


def _power_flow() -> Finding:
    if find_spec("pandapower") is None:
        return Finding("power flow", "note", "pandapower is not installed; no audit of feeders")
    import pandapower

    net = pandapower.create_empty_network()
    source = pandapower.create_bus(net, vn_kv=TWO_BUS_NET["vn_kv"])
    house = pandapower.create_bus(net, vn_kv=TWO_BUS_NET["vn_kv"])
    pandapower.create_ext_grid(net, source)
    pandapower.create_line_from_parameters(
        net,
        source,
        house,
        length_km=1.0,
        r_ohm_per_km=TWO_BUS_NET["r_ohm"],
        x_ohm_per_km=TWO_BUS_NET["x_ohm"],
        c_nf_per_km=0.0,
        max_i_ka=0.27,
    )
    pandapower.create_load(net, house, p_mw=TWO_BUS_NET["p_mw"])
    pandapower.runpp(net, numba=False)
    vm_pu = float(net.res_bus.vm_pu[house])
    agrees = abs(vm_pu - two_bus_voltage_pu()) < VOLTAGE_TOLERANCE_PU
    return Finding("power flow", "ok" if agrees else "bad", f"two buses, 10 kW: {vm_pu:.6f} pu")


def two_bus_voltage_pu() -> float:
    """|V₂| of `TWO_BUS_NET`: |V₂|⁴ + (2RP - 1)|V₂|² + |Z|²P² = 0, per unit of 1 MVA."""
    base_ohm = TWO_BUS_NET["vn_kv"] ** 2
    r, x = TWO_BUS_NET["r_ohm"] / base_ohm, TWO_BUS_NET["x_ohm"] / base_ohm
    p = TWO_BUS_NET["p_mw"]
    b = 2 * r * p - 1
    return ((-b + (b * b - 4 * (r * r + x * x) * p * p) ** 0.5) / 2) ** 0.5


def _sumo() -> Finding:
    """Ten simulated seconds on a shipped net, in a process of its own, as runs do it."""
    if find_spec("libsumo") is None:
        missing = f"not installed, drivers and lights need it: {install_command('traffic')}"
        return Finding("SUMO", "note", missing)

    net = data_path("nets/two_route.net.xml")
    command = [sys.executable, "-c", SUMO_RUN, str(net)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SUMO_LIMIT_S)
    except subprocess.TimeoutExpired:
        return Finding("SUMO", "bad", f"no answer within {SUMO_LIMIT_S} s")
    words = done.stderr.strip().splitlines()
    if done.returncode or done.stdout.strip().splitlines()[-1:] != ["10.0"]:
        return Finding("SUMO", "bad", words[-1] if words else f"ended with {done.returncode}")
    return Finding("SUMO", "ok", f"{shown_version('libsumo')}, ten seconds on {net.name}")


def _analysis() -> Finding:
    absent = [name for name in ("plotly", "duckdb", "xlsxwriter") if find_spec(name) is None]
    if absent:
        missing = f"not installed: {', '.join(absent)}; {install_command('analysis')}"
        return Finding("analysis", "note", missing)
    return Finding("analysis", "ok", "reports, `ss sql`, workbooks")


CHECKS: tuple[Callable[[], Finding], ...] = (
    _versions, _torch, _disk, _writable, _first_on_path, _power_flow, _sumo, _analysis,
)  # fmt: skip
