"""Programs that tests need and Python packages do not bring: skipped without, unless required."""

import os
import shutil

import pytest


def tool(name: str) -> str:
    """Path of a program; without it the test is skipped, or fails where SS_REQUIRE_TOOLS=1."""
    found = shutil.which(name)
    if found is None:
        reason = f"{name} is not installed"
        if os.environ.get("SS_REQUIRE_TOOLS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return found
