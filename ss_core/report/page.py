"""From a `Page` to one self-contained HTML file that loads nothing and runs no script but its own.

The content policy names the page's two scripts by their SHA-256 and forbids everything else but
inline style, which plotly needs. Every word that comes from a run is escaped, in HTML by Jinja2 and
in data blocks by escaping `<`.
"""

import base64
import hashlib
import json
import math
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from ss_core.errors import InputError
from ss_core.report.page_model import Cell, Page, Table

MAX_BYTES = 6_000_000
ROW_LIMIT = 400  # of a table on the page
INTERVAL = re.compile(r"\S{1,24} (?:% |EUR |kW |s )?\[[^\]]{1,40}\]")
NO_BREAK = "\N{NO-BREAK SPACE}"
MINUS = re.compile(r"(?<![\w-])-(?=\.?\d)")


def html_page(page: Page) -> bytes:
    """The page as a file.

    Raises:
        InputError: plotly is not installed.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined)
    environment.filters |= {
        "cell": cell,
        "prose": prose,
        "json_block": lambda value: Markup(json_block(value)),
        "kind": lambda item: type(item).__name__,
        "column_is_number": column_is_number,
    }
    plotly, script = plotly_script(), _own("page.js")
    template = environment.from_string(_own("page.html.j2"))
    text = template.render(
        page=page,
        sections=page.sections,
        policy=_policy(plotly, script),
        style=_own("page.css"),
        plotly=plotly,
        script=script,
        row_limit=ROW_LIMIT,
    )
    return (text + "\n").encode()


@cache
def plotly_script() -> str:
    """plotly.js as the installed plotly package brings it.

    Raises:
        InputError: that package is not installed.
    """
    try:
        return files("plotly").joinpath("package_data", "plotly.min.js").read_text("utf-8")
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise InputError("the report's pictures need plotly: pip install plotly") from error


def _policy(*scripts: str) -> str:
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _own(name: str) -> str:
    return files("ss_core.report").joinpath(name).read_text(encoding="utf-8")


def json_block(value: Mapping[str, Any]) -> str:
    """JSON that may stand inside a script element: it holds no `<`."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def column_is_number(table: Table, column: int) -> bool:
    """Whether all that stands in the column are numbers."""
    present = [row[column] for row in table.rows if row[column] is not None]
    return bool(present) and all(isinstance(one, int | float) for one in present)


def cell(value: Cell) -> str:
    """A number to four figures, text as it is (it may be a name), – for nothing."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if isinstance(value, int) or abs(value) >= 10_000:
        return f"{value:,.0f}".replace("-", "−") if abs(value) >= 10_000 else _signed(str(value))
    return _signed(f"{value:.4g}")


def _signed(number: str) -> str:
    return MINUS.sub("−", number)


def prose(text: str) -> str:
    """A sentence with true minus signs, and estimate and interval on one line."""
    return MINUS.sub("−", INTERVAL.sub(lambda found: found[0].replace(" ", NO_BREAK), text))
