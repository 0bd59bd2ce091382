"""Whose choice may reach whom in a town: routes that meet on a road at about the same time.

Sparse: what two drivers have to do with each other is looked up by road and hour, not pair by pair.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.sparse import csr_array

PERIOD_S = 300.0  # drivers meet who would be there in the same or in neighbouring periods


def meetings(
    routes: Sequence[tuple[str, ...]],
    free_flow_s: Float[ndarray, " route"],
    options: Int[ndarray, "N K"],
    depart_s: Float[ndarray, " N"],
) -> Bool[ndarray, "N N"]:
    """(i, j): some but not all routes of j use a road that i may be on then; -1 pads options.

    When somebody is where along a route is taken from the empty road's time, evenly over its edges.
    """
    edges = {edge: at for at, edge in enumerate(sorted({e for route in routes for e in route}))}
    first_s = depart_s.min()
    periods = int((depart_s.max() + free_flow_s.max() - first_s) // PERIOD_S) + 3
    may_be, chooses = list[tuple[int, int]](), list[tuple[int, int]]()
    for driver, row in enumerate(options):
        own = [routes[number] for number in row if number >= 0]
        used = Counter(edge for route in own for edge in set(route))
        for number, route in zip(row, own, strict=False):
            step_s = free_flow_s[number] / len(route)
            for at, edge in enumerate(route):
                period = 1 + int((depart_s[driver] + at * step_s - first_s) // PERIOD_S)
                place = edges[edge] * periods + period
                may_be += [(driver, place + shift) for shift in (-1, 0, 1)]
                if used[edge] < len(own):
                    chooses.append((driver, place))
    shape = (len(options), len(edges) * periods)
    together = _matrix(may_be, shape) @ _matrix(chooses, shape).T
    found = np.asarray(together.toarray() > 0)
    np.fill_diagonal(found, val=False)
    return found


def _matrix(pairs: list[tuple[int, int]], shape: tuple[int, int]) -> csr_array:
    rows, columns = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return csr_array((np.ones(len(rows), dtype=np.float32), (rows, columns)), shape=shape)
