"""Learning curves: what each update tells, and the curve of a whole run from its metric trace."""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ss_core.errors import CorruptError
from ss_core.learning.learner import LastRound
from ss_core.learning.rollout import Rollout
from ss_core.record.layout import table_parts
from ss_core.record.parquet import read_checked, reading

RATES = ("rate_all", "rate_mixed", "rate_none")
OPTIONAL = (*RATES, "suggestion_mse", "suggested_cooperation")


def curve_point(rollout: Rollout, sent: LastRound | None) -> dict[str, float]:
    """What one update contributes to the curve, by column."""
    point = {"averaged_return": float(rollout.rewards.double().mean())}
    if rollout.cooperative is not None:
        point |= joint_action_rates(rollout.cooperative)
        if sent is not None and rollout.log_probs.shape[-1] == 2:
            point |= suggested_cooperation(rollout, sent)
    return point


def joint_action_rates(cooperative: Bool[Tensor, "T E N"]) -> dict[str, float]:
    """Shares of the steps in which all cooperate, some do, nobody does."""
    everybody = float(cooperative.all(dim=-1).double().mean())
    nobody = float((~cooperative).all(dim=-1).double().mean())
    return dict(zip(RATES, (everybody, 1.0 - everybody - nobody, nobody), strict=True))


def suggested_cooperation(rollout: Rollout, sent: LastRound) -> dict[str, float]:
    """Mean probability that suggestions give to the receiver's cooperative one of two actions.

    An action taken was the cooperative one where `cooperative` says so; else it is the other one.
    """
    assert rollout.cooperative is not None
    if not bool(sent.valid.any()):
        return {}
    taken = rollout.actions.flatten(0, 1)
    cooperative = taken.where(rollout.cooperative.flatten(0, 1), 1 - taken)
    at_peers = sent.rows[:, sent.receivers.reshape(-1)].unflatten(1, tuple(sent.receivers.shape))
    action = cooperative[at_peers, sent.receivers]
    given = sent.suggestions.gather(-1, action.unsqueeze(-1)).squeeze(-1).exp()
    return {"suggested_cooperation": float(given[sent.valid].double().mean())}


def curve_ends(num_updates: int, points: int) -> Int[np.ndarray, " point"]:
    """After which updates a curve has its points; the last one ends the run."""
    count = min(points, num_updates)
    return np.arange(1, count + 1) * num_updates // count


def read_curve(
    folder: Path, num_updates: int, num_envs: int, points: int, *, done: int | None = None
) -> dict[str, list[float | None]]:
    """The curve of a run of so many updates from the metric trace in its folder.

    A value is the mean over the updates since the point before, of those that have one. Of a run
    with only `done` updates it has the points up to there.

    Raises:
        CorruptError: the trace has not one return per update.
    """
    length = num_updates if done is None else done
    values = _read_metrics(folder, length)
    if np.isnan(values["averaged_return"]).any():
        raise CorruptError(
            f"{folder / 'metrics'}: not one averaged_return for each of {length} updates; "
            "delete the run's folder and run the benchmark again to repeat it"
        )
    ends = curve_ends(num_updates, points)
    ends = ends[ends <= length]
    curve: dict[str, list[float | None]] = {
        "update": [float(end) for end in ends],
        "episode": [float(end * num_envs) for end in ends],
    }
    return curve | {name: window_means(column, ends) for name, column in values.items()}


def window_means(
    values: Float[np.ndarray, " update"], ends: Int[np.ndarray, " point"]
) -> list[float | None]:
    """Means over the updates up to each end, from the one before; None where there is no value."""
    means: list[float | None] = []
    for start, end in pairwise([0, *ends]):
        present = values[start:end][~np.isnan(values[start:end])]
        means.append(float(present.mean()) if len(present) else None)
    return means


def _read_metrics(folder: Path, num_updates: int) -> Mapping[str, Float[np.ndarray, " update"]]:
    """Columns of the curve by name, NaN where an update has no such value."""
    import pyarrow as pa

    parts = table_parts(folder, "metric")
    wanted = ("averaged_return", *OPTIONAL)
    remedy = f"delete {folder} and run the benchmark again"
    rows, needed = [], ["update", "name", "value"]
    for part in parts:
        with reading(part, remedy):
            table = read_checked(part, remedy, columns=needed, filters=[("name", "in", wanted)])
            rows.append(table.select(needed))
    if not rows:
        return {"averaged_return": np.full(num_updates, np.nan)}
    table = pa.concat_tables(rows)
    updates, numbers = table["update"].to_numpy(), table["value"].to_numpy()
    names = np.asarray(table["name"].to_pylist())
    counted = updates < num_updates  # a kill may leave rows that the checkpoint does not know yet
    columns: dict[str, Float[np.ndarray, " update"]] = {}
    for name in wanted:
        chosen = (names == name) & counted
        if chosen.any() or name == "averaged_return":
            columns[name] = np.full(num_updates, np.nan)
            columns[name][updates[chosen]] = numbers[chosen]
    return columns
