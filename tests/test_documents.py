"""Documents say what is so: links lead somewhere, generated ones are current, notebooks run."""

import re
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.support import api_reference, cli_reference

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "data" / "README.md"]
)
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link and not link.startswith("mailto:")]
    missing = [link for link in local if not (path.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize(
    ("name", "reference"),
    [("api", api_reference.reference), ("cli", cli_reference.reference)],
)
def test_a_generated_reference_is_current(name: str, reference: Callable[[], str]) -> None:
    hint = f"run `python -m tests.support.{name}_reference`"
    assert (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") == reference(), hint


@pytest.mark.slow
@pytest.mark.sumo
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("ignore")  # of the notebook's machinery, in other people's code
def test_a_notebook_runs_from_top_to_bottom(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(ROOT)}})
    client.execute()
    outputs = [one for cell in notebook.cells for one in cell.get("outputs", ())]
    assert len(outputs) >= 5
    assert not [one for one in outputs if one.output_type == "error"]


def test_notebooks_hold_what_they_showed() -> None:
    assert len(NOTEBOOKS) == 2
    for path in NOTEBOOKS:
        cells = [one for one in nbformat.read(path, as_version=4).cells if one.cell_type == "code"]
        assert all(cell.execution_count for cell in cells), path.name
        assert any("image/png" in str(cell.outputs) for cell in cells), path.name
