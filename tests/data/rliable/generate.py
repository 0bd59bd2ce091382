"""Writes oracle.json with rliable 1.2.0: aggregate IQM, probability of improvement, bootstrap.

In an environment of its own, away from the pinned packages of the project:

    pip install numpy scipy absl-py "arch<8" "pandas<3" && pip install --no-deps rliable==1.2.0
    python generate.py > oracle.json
"""

import json

import numpy as np
from rliable import library, metrics  # pyright: ignore[reportAttributeAccessIssue]

SHAPES = {
    "five_seeds_four_tasks": (5, 4),
    "five_seeds_one_task": (5, 1),
    "ten_seeds_three_tasks": (10, 3),
}
RESAMPLES = 4000  # every one calls the Mann-Whitney test once a task


def compared(first: np.ndarray, second: np.ndarray) -> dict[str, object]:
    """What rliable says of two score matrices, runs by tasks."""

    def difference(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.array([metrics.aggregate_iqm(x) - metrics.aggregate_iqm(y)])

    def improvement(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.array([metrics.probability_of_improvement(x, y)])

    def iqm(x: np.ndarray) -> np.ndarray:
        return np.array([metrics.aggregate_iqm(x)])

    answer: dict[str, object] = {"first": first.tolist(), "second": second.tolist()}
    for name, scores, function in (
        ("iqm", first, iqm),
        ("difference", [first, second], difference),
        ("improvement", [first, second], improvement),
    ):
        points, intervals = library.get_interval_estimates({"it": scores}, function, reps=RESAMPLES)
        low, high = intervals["it"][:, 0]
        answer[name] = [float(points["it"][0]), float(low), float(high)]
    return answer


def main() -> None:
    """Every shape with scores from one generator; the second overlap the first and tie once."""
    np.random.seed(0)  # noqa: NPY002 - rliable draws from the global generator
    rng = np.random.default_rng(1)
    cases = {}
    for name, shape in SHAPES.items():
        first, second = rng.normal(0.6, 0.3, shape).round(3), rng.normal(0.4, 0.3, shape).round(3)
        second[0, 0] = first[1, 0]
        cases[name] = compared(first, second)
    print(json.dumps(cases, indent=1))  # noqa: T201


if __name__ == "__main__":
    main()
