"""How hard the references search; apart from them, so that a config can be read without numba."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchConfig:
    """How hard the references search; counts, not seconds, so that results repeat."""

    seed: int = 0
    max_sweeps: int = 200  # of best responses
    num_random_starts: int = 4  # further equilibria, for their spread
    num_perturbations: int = 60  # of the local search for the optimum
    perturbation_jobs: int = 6  # jobs reinserted at once
    relaxation_sweeps: int = 150
    relative_gap: float = 5e-4  # of the relaxation
    num_deviation_starts: int = 3  # of a household that revises all its jobs
