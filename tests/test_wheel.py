"""The wheel works away from the checkout: packages, scripts and data are all in it."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.slow


def run(*arguments: str | Path, cwd: Path, path: Path | None = None) -> str:
    """Stdout of a Python command that sees the folder `path` and not the checkout."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    command = [sys.executable, "-P", *map(str, arguments)]
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run("-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    run(
        "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", folder, wheel,
        cwd=folder,
    )  # fmt: skip
    return folder


def test_the_wheel_holds_packages_and_data_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    assert tops == packages | {"suggestion_sharing_data", "suggestion_sharing-0.2.0.dist-info"}
    assert "suggestion_sharing_data/nets/grid_3x3.net.xml" in names
    assert any(name.startswith("suggestion_sharing_data/feeders/") for name in names)


def test_modules_and_data_come_from_the_wheel(site: Path, tmp_path: Path) -> None:
    code = (
        "import cli.commands.grid, gridsim, trafficsim, ss_core.resources as r; "
        "files = [module.__file__ for module in (cli.commands.grid, gridsim, trafficsim)]; "
        "print(*files, r.data_path('feeders'), sep='\\n')"
    )
    places = run("-c", code, cwd=tmp_path, path=site).split()
    assert len(places) == 4
    assert all(Path(place).is_relative_to(site) for place in places)


def test_commands_work_in_an_empty_folder(site: Path, tmp_path: Path) -> None:
    shown = json.loads(run("-m", "cli.commands.grid", "feeders", "--json", cwd=tmp_path, path=site))
    assert len(shown["feeders"]) >= 2
    assert "Usage: ssgrid" in run("-m", "cli.commands.grid", "--help", cwd=tmp_path, path=site)
    net = site / "suggestion_sharing_data" / "nets" / "grid_3x3.net.xml"
    checked = json.loads(
        run("-m", "cli.commands.traffic", "net", net, "--json", cwd=tmp_path, path=site)
    )
    assert checked["edges"] == 24
    assert list(tmp_path.iterdir()) == []
