"""How long a report takes to make and to open: `python benchmarks/report.py RUN`."""

import sys
import time
from pathlib import Path
from statistics import median

from cli.commands.runs.report import write_report
from tests.support.browser import WIDTHS, chromium, visit

REPEATS = 5


def main() -> None:
    """Print medians of making the page, of its load event, and of all charts being drawn."""
    run = Path(sys.argv[1])
    page, made = run / "report.html", []
    for _ in range(REPEATS):
        started = time.perf_counter()
        page = write_report([run])
        made.append(time.perf_counter() - started)
    print(f"made: first {made[0]:.2f} s (imports), median {median(made):.2f} s")
    print(f"size: {page.stat().st_size / 1e6:.2f} MB")
    with chromium() as browser:
        for width in WIDTHS:
            opened, drawn = [], []
            for _ in range(REPEATS):
                started = time.perf_counter()
                with visit(browser, page, width) as seen:
                    opened.append(seen.opened_s)
                    seen.draw_all()
                    drawn.append(time.perf_counter() - started)
            print(f"{width}: open {median(opened):.2f} s, all charts {median(drawn):.2f} s")


if __name__ == "__main__":
    main()
