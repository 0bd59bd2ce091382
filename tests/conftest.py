"""Settings of every test: one thread, deterministic kernels, examples drawn in a fixed order."""

import os

import pytest
import torch
from hypothesis import settings

from tests.fault_counts import table

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # deterministic on a GPU, too
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)

settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=50)
settings.load_profile("repeatable")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How often each fault was tried, where faults were."""
    lines = list(table())
    if lines:
        terminalreporter.section("faults tried")
        for line in lines:
            terminalreporter.write_line(line)
