"""Which regimes a pilot tries in somebody's own game, and when there is one."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ss_core.learning.learner import LearnerConfig
from ss_core.learning.presets import in_regime

OBEDIENCE = 4.0  # ρ' under `norm`: what is suggested is done
SETTLED_BY = ("learner.objective", "learner.kappa", "learner.scale_rho_follow")


def regimes_to_try(learner: LearnerConfig) -> dict[str, LearnerConfig]:
    """The learner as it is, and under `norm`, for games whose collective gradient deceives."""
    obeying = in_regime(learner, "norm")
    weights = replace(obeying.objective, rho_follow=OBEDIENCE)
    return {"gradient": learner, "norm": replace(obeying, objective=weights)}


def no_pilot(
    learner: LearnerConfig, given: Mapping[str, Any], *, own_game: bool, preset: str, agents: int
) -> str:
    """Why there is nothing for a pilot to choose, and what to do; empty where there is.

    `given` holds what somebody set by hand, a regime included.
    """
    by_hand = ", ".join(_settling(given))
    for holds, why in (
        (not own_game, "the regime of a named task is known; leave out the pilot"),
        (preset != "tuned", f"preset {preset!r} has a regime of its own; use --preset tuned"),
        (
            learner.algorithm != "ss",
            f"regimes are of suggestion sharing, not of {learner.algorithm}; use --algorithm ss",
        ),
        (agents < 2, "an agent alone has nobody to make suggestions for; leave out the pilot"),
        (bool(by_hand), f"{by_hand} set by hand decides the regime; leave out that or the pilot"),
        (
            learner.suggestions == "best",
            "learner.suggestions='best' allows one regime alone; leave out that or the pilot",
        ),
        (
            learner.exchange.noise > 0.0,
            "under learner.exchange.noise each trial would spend as much privacy as the training; "
            "leave out that or the pilot",
        ),
    ):
        if holds:
            return why
    return ""


def _settling(given: Mapping[str, Any]) -> Iterator[str]:
    for key in given:
        above = key == "regime" or any(
            key == name or key.startswith(f"{name}.") or name.startswith(f"{key}.")
            for name in SETTLED_BY
        )
        if above:
            yield key
