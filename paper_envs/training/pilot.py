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
    """Why there is nothing for a pilot to choose, in words; empty where there is.

    `given` holds what somebody set by hand, a regime included.
    """
    by_hand = ", ".join(_settling(given))
    for holds, why in (
        (not own_game, "the regime of a named task is known; a pilot is for a game of your own"),
        (preset != "tuned", f"preset {preset!r} has a regime of its own; use --preset tuned"),
        (
            learner.algorithm != "ss",
            f"{learner.algorithm} makes no suggestions; use --algorithm ss",
        ),
        (agents < 2, "an agent alone has nobody to make suggestions for"),
        (bool(by_hand), f"{by_hand} settles the regime; leave out one of the two"),
        (learner.suggestions == "best", "learner.suggestions='best' allows one regime alone"),
        (learner.exchange.noise > 0.0, "each trial would spend as much privacy as the training"),
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
