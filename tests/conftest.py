"""Settings of every test: one thread, deterministic kernels, examples drawn in a fixed order."""

import os
import socket
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import settings

from tests.support import fault_counts

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # deterministic on a GPU, too
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)

settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=50)
settings.load_profile("repeatable")

_connect = socket.socket.connect


def _connect_here(self: socket.socket, address: Any) -> None:
    """Tests talk to this machine only; a datagram socket asked for its own address may."""
    far = self.family in (socket.AF_INET, socket.AF_INET6) and self.type != socket.SOCK_DGRAM
    if far and not str(address[0]).startswith(("127.", "::1", "localhost")):
        raise OSError(f"tests have no network: connection to {address} refused")
    _connect(self, address)


@pytest.fixture(scope="session", autouse=True)
def _no_network() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", _connect_here)
        yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How often each fault was tried, where faults were."""
    lines = list(fault_counts.table())
    if lines:
        terminalreporter.section("faults tried")
        for line in lines:
            terminalreporter.write_line(line)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker hands its counts to the process that prints them."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["faults"] = fault_counts.counts()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object | None) -> None:
    """Counts of a worker; one that died has none."""
    fault_counts.add(getattr(node, "workeroutput", {}).get("faults", {}))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with most slow tests first, so that no worker is left with one of them at the end."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])
