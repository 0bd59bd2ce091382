"""Writes epsilon.json: what dp-accounting says of composed Gaussian mechanisms.

Needs `pip install --no-deps dp-accounting==0.6.0` (its pins of attrs and dm-tree conflict with
other packages; the accountant used here needs neither).
"""

import json
from pathlib import Path

import dp_accounting
from dp_accounting import pld  # pyright: ignore[reportAttributeAccessIssue]

CASES = [
    (releases, multiplier, delta)
    for delta in (1e-5, 1e-8)
    for releases, multiplier in (
        (1, 0.3), (1, 1.0), (1, 4.0), (10, 1.0), (10, 5.0), (100, 3.0), (100, 30.0), (1000, 10.0),
        (1000, 100.0), (10_000, 50.0), (100_000, 300.0),
    )
]  # fmt: skip


def main() -> None:
    """Ask the accountant for privacy loss distributions."""
    rows = []
    for releases, multiplier, delta in CASES:
        accountant = pld.PLDAccountant()
        accountant.compose(dp_accounting.GaussianDpEvent(multiplier), releases)  # pyright: ignore[reportAttributeAccessIssue]
        epsilon = accountant.get_epsilon(delta)
        rows.append({"releases": releases, "multiplier": multiplier, "delta": delta,
                     "epsilon": epsilon})  # fmt: skip
    path = Path(__file__).with_name("epsilon.json")
    path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
