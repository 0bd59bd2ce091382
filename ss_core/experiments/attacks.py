"""Guessing secrets from messages: a linear model and a small network, trained on shadow runs.

The attacker runs the system itself with households it made up, learns there how messages go with
what is secret, and applies that to households of runs it only observes. Scores: R² of
numbers (0: no better than their mean), area under the ROC curve of yes-or-no secrets (0.5: no
better than chance).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from scipy.stats import rankdata

from ss_core.random_streams import Stream, numpy_generator, torch_generator
from ss_core.statistics import Interval

COMPONENTS = 32  # principal components kept
RIDGES = 10.0 ** np.arange(-2, 6)
FOLDS = 4
HIDDEN, STEPS, RATE, DECAY = 32, 300, 1e-2, 1e-2
VALIDATION_SHARE = 0.25  # of the shadow households, to stop the network in time

Rows = Float[ndarray, "row F"]
Target = Float[ndarray, " row"]
Victims = Float[ndarray, "victim F"]
Guess = Float[ndarray, " victim"]
Attack = Callable[[Rows, Target, Victims], Guess]  # shadow rows, their secrets, rows to guess for


@dataclass(frozen=True, slots=True)
class Prepared:
    """Features as attacks want them."""

    shadow: Rows
    victims: Victims


def prepare(shadow: Rows, victims: Victims) -> Prepared:
    """Standardise, then keep the principal components of the shadow rows."""
    mean, spread = shadow.mean(axis=0), shadow.std(axis=0)
    kept = spread > 1e-9
    if not kept.any():
        return Prepared(np.zeros((len(shadow), 1)), np.zeros((len(victims), 1)))
    scaled = [(x[:, kept] - mean[kept]) / spread[kept] for x in (shadow, victims)]
    _, sizes, axes = np.linalg.svd(scaled[0], full_matrices=False)
    count = min(COMPONENTS, int((sizes > 1e-6 * sizes[0]).sum()), len(shadow) // 4)
    scale = sizes[:count] / np.sqrt(len(shadow))
    first, second = ((x @ axes[:count].T) / scale for x in scaled)
    return Prepared(first, np.clip(second, -5.0, 5.0))


def linear_attack(shadow: Rows, secret: Target, victims: Victims) -> Guess:
    """Ridge regression, its strength chosen by cross-validation among the shadow rows."""
    fold = numpy_generator(0, Stream.ATTACK_FOLDS).permutation(len(shadow)) % FOLDS
    errors = [
        sum(
            float(((_ridge(shadow[fold != k], secret[fold != k], shadow[fold == k], ridge)
                    - secret[fold == k]) ** 2).sum())
            for k in range(FOLDS)
        )
        for ridge in RIDGES
    ]  # fmt: skip
    return _ridge(shadow, secret, victims, float(RIDGES[int(np.argmin(errors))]))


def _ridge(shadow: Rows, secret: Target, victims: Victims, ridge: float) -> Guess:
    mean, level = shadow.mean(axis=0), secret.mean()
    centred = shadow - mean
    gram = centred.T @ centred + ridge * np.eye(centred.shape[1])
    return level + (victims - mean) @ np.linalg.solve(gram, centred.T @ (secret - level))


def network_attack(shadow: Rows, secret: Target, victims: Victims) -> Guess:
    """One hidden layer, stopped where it guesses shadow rows best that it does not learn from."""
    generator = torch_generator(0, Stream.ATTACK_NETWORK)
    level, spread = secret.mean(), max(float(secret.std()), 1e-9)
    x, y = (torch.from_numpy(np.asarray(v)).float() for v in (shadow, (secret - level) / spread))
    held = torch.rand(len(x), generator=generator) < VALIDATION_SHARE
    layers = [
        (torch.randn((x.shape[1], HIDDEN), generator=generator) / x.shape[1] ** 0.5),
        torch.zeros(HIDDEN),
        (torch.randn((HIDDEN,), generator=generator) / HIDDEN**0.5),
        torch.zeros(()),
    ]
    for w in layers:
        w.requires_grad_()

    def guess(rows: torch.Tensor) -> torch.Tensor:
        return torch.tanh(rows @ layers[0] + layers[1]) @ layers[2] + layers[3]

    optimiser = torch.optim.AdamW(layers, lr=RATE, weight_decay=DECAY)
    best, least = torch.zeros(len(victims)), float(y[held].square().mean())
    unknown = torch.from_numpy(np.asarray(victims)).float()
    for _ in range(STEPS):
        optimiser.zero_grad()
        (guess(x[~held]) - y[~held]).square().mean().backward()
        optimiser.step()
        with torch.no_grad():
            error = float((guess(x[held]) - y[held]).square().mean())
            if error < least:
                least, best = error, guess(unknown)
    return level + spread * best.double().numpy()


ATTACKS: dict[str, Attack] = {"linear": linear_attack, "network": network_attack}


def r_squared(truth: Target, guessed: Target) -> float:
    """1 - Σ (truth - guess)² / Σ (truth - mean)²."""
    total = float(((truth - truth.mean()) ** 2).sum())
    return 1.0 - float(((truth - guessed) ** 2).sum()) / total if total > 0 else 0.0


def area_under_roc(truth: Target, guessed: Target) -> float:
    """Chance that a household with the thing is ranked above one without; ties count half."""
    positive = truth > 0.5
    ones, zeros = int(positive.sum()), int((~positive).sum())
    if not ones or not zeros:
        return 0.5
    ranks = rankdata(guessed)
    return float((ranks[positive].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def score(truth: Target, guessed: Target, *, yes_or_no: bool, resamples: int = 1000) -> Interval:
    """The score with its 95 % bootstrap interval over households."""
    measure = area_under_roc if yes_or_no else r_squared
    rng = numpy_generator(0, Stream.BOOTSTRAP)
    rows = rng.integers(len(truth), size=(resamples, len(truth)))
    drawn = [measure(truth[each], guessed[each]) for each in rows]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(estimate=measure(truth, guessed), low=float(low), high=float(high))
