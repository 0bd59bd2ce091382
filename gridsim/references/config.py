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

    def __post_init__(self) -> None:
        for name in ("max_sweeps", "relaxation_sweeps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: at least 1")
        for name in ("seed", "num_random_starts", "num_perturbations", "perturbation_jobs"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}={getattr(self, name)}: not negative")
        if not 0.0 < self.relative_gap < 1.0:
            raise ValueError(f"relative_gap={self.relative_gap}: between 0 and 1")
