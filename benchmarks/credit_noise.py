"""How much of what a driver learns from one day of the link model is noise.

    .venv/bin/python benchmarks/credit_noise.py NET --routes settled.rou.xml --share 0.4

Some drivers take each of their routes while all others choose at random, once on each of some days
of the uncalibrated model. What a route is worth is the mean over days, less the mean over one's own
routes; noise is how far a day is from it. Own time, times of all who share roads, and of some of
them, drawn for each day and scaled to all: what neighbours who suggest are worth. `settled.rou.xml`
is what `benchmarks/urb.py` leaves in its folder of a seed.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Bool, Float


def shares_of(
    pairs: "Bool[np.ndarray, 'N N']", most: int, rng: np.random.Generator
) -> "Float[np.ndarray, 'N N']":
    """Weights of (sender, receiver): everybody counts for `most` drawn of those it shares with."""
    weights = np.zeros(pairs.shape)
    for sender, row in enumerate(pairs):
        known = np.flatnonzero(row)
        drawn = rng.permutation(known)[:most]
        weights[sender, drawn] = len(known) / max(len(drawn), 1)
    return weights


def signal_and_noise(
    values: "Float[np.ndarray, 'day mover K']", legal: "Bool[np.ndarray, 'mover K']"
) -> tuple[float, float]:
    """Standard deviations of what a route is worth, and of one day's value around it."""
    mean_s = (values * legal).sum(-1, keepdims=True) / legal.sum(-1, keepdims=True)
    worth = np.where(legal, values - mean_s, 0.0)
    noise = worth.var(axis=0, ddof=1)[legal].mean()
    signal = (worth.mean(axis=0) ** 2)[legal].mean() - noise / len(values)
    return float(np.sqrt(max(signal, 0.0))), float(np.sqrt(noise))


def main() -> None:
    """Print a line for each kind of credit."""
    from ss_core.random_streams import Stream, numpy_generator
    from trafficsim.link_model.model import LinkModel
    from trafficsim.routing.config import resolve
    from trafficsim.routing.inputs import checked_net, drawn_demand, game_of, given_demand

    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    parser.add_argument("net", type=Path)
    parser.add_argument("--routes", default="", help="demand; none: the trips beside the net")
    parser.add_argument("--share", type=float, default=0.4)
    parser.add_argument("--movers", type=int, default=60)
    parser.add_argument("--days", type=int, default=8)
    parser.add_argument("--neighbours", default="64,8", help="numbers of those who suggest")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    asked = {"net": str(args.net), "routes": args.routes, "share": args.share, "seed": args.seed}
    config = resolve("tuned", asked)
    net = checked_net(config)
    demand = given_demand(config, net) or drawn_demand(config, net, lambda _: None)
    game = game_of(config, net, demand)
    rng = numpy_generator(args.seed, Stream.MODEL_MOVERS)
    pairs, model = game.shares(), LinkModel.of(game.scene)
    movers = np.sort(rng.permutation(game.num_drivers)[: args.movers])
    affected = np.tile(game.drivers, (len(movers), 1))
    own, theirs = [], []
    for day in range(args.days):
        chance = rng.random(game.legal.shape) * game.legal
        routes = game.routes_of(chance.argmax(axis=1))
        noise = model.noise(1, args.seed, day, 2)
        options = game.driver_options[movers]
        found = model.alternatives(routes, game.drivers[movers], options, affected, noise)
        own.append(found.own_s)
        theirs.append(found.theirs_s)
    legal = game.legal[movers]
    kinds = {"own time": np.stack(own)}
    counts = [game.num_drivers, *(int(each) for each in args.neighbours.split(","))]
    for count in counts:
        weights = [shares_of(pairs, count, rng)[:, movers].T for _ in range(args.days)]
        summed = [(w[:, :, None] * t).sum(axis=1) for w, t in zip(weights, theirs, strict=True)]
        name = "all who share" if count == game.num_drivers else f"{count} of them, scaled"
        kinds[name] = np.stack(summed)
    sharers = np.median(pairs.sum(axis=1))
    print(f"{game.num_drivers} drivers decide; the median shares roads with {sharers:.0f}")
    for name, values in kinds.items():
        signal_s, noise_s = signal_and_noise(values, legal)
        print(f"{name:24s} signal {signal_s:7.1f} s   noise of a day {noise_s:7.1f} s")


if __name__ == "__main__":
    main()
