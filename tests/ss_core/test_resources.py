"""Shipped data is found, and what is missing is named by a command that installs it here."""

import sys
from pathlib import Path

import pytest

from ss_core.resources import data_path, install_command


def test_shipped_data_is_found_and_other_data_is_not() -> None:
    assert data_path("nets/two_route.net.xml").is_file()
    with pytest.raises(FileNotFoundError, match=r"nets/none\.xml"):
        data_path("nets/none.xml")


def test_an_extra_is_installed_beside_this_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/elsewhere/bin/python")
    assert (
        install_command("analysis") == '/elsewhere/bin/pip install "suggestion-sharing[analysis]"'
    )
    monkeypatch.setattr(sys, "executable", str(Path.cwd() / ".venv" / "bin" / "python"))
    assert install_command("ray") == '.venv/bin/pip install "suggestion-sharing[ray]"'
