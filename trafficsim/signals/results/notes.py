"""What a signals run says beside its table: comparisons, exchange, demand, licences."""

from pathlib import Path
from typing import Any

from ss_core.scenario.protocol import Evaluation
from trafficsim.nets.catalogue import origin_notes
from trafficsim.signals.config import SignalsConfig
from trafficsim.signals.request import located_scene
from trafficsim.signals.results.scoring import SignalScores


def announce(config: SignalsConfig, lights: tuple[str, ...]) -> str:
    """What will happen, and on whose net."""
    words = [f"{len(lights)} traffic lights, {config.scene.seconds} s per episode"]
    return "; ".join(words + demand_notes(config) + licence_notes(config))


def title(evaluation: Evaluation) -> str:
    """Title of the table."""
    lights, episodes = evaluation.scores.num_agents, evaluation.num_days
    return f"{lights} traffic lights, means over {episodes} held-out episodes"


def notes(evaluation: Evaluation) -> list[str]:
    """Sentences beside the table."""
    config: SignalsConfig = evaluation.config
    scores: SignalScores = evaluation.scores.detail
    kinds = evaluation.scores.bytes_by_kind[evaluation.algorithm]
    sent = ", ".join(f"{kind} {count / 1e6:.2f} MB" for kind, count in sorted(kinds.items()))
    return [
        *(
            f"{evaluation.algorithm} against {name}: {i.estimate:+.1f} s of travel time per trip "
            f"[{i.low:+.1f}, {i.high:+.1f}], same episodes, 95 % interval"
            for name, i in scores.compared.items()
        ),
        "travel time: arrival less planned departure; of trips under way, up to the cut",
        f"exchanged between lights while training: {sent or 'nothing'}",
        *demand_notes(config),
        *licence_notes(config),
    ]


def facts(evaluation: Evaluation) -> dict[str, Any]:
    """What `result.json` holds beside tables: every episode, comparisons, what learners did."""
    scores: SignalScores = evaluation.scores.detail
    by_kind = evaluation.scores.bytes_by_kind
    return {
        "episodes": {
            name: {figure: values.tolist() for figure, values in row.items()}
            for name, row in evaluation.scores.figures.items()
        },
        "compared": {name: [i.estimate, i.low, i.high] for name, i in scores.compared.items()},
        "bytes_by_kind": {name: dict(kinds) for name, kinds in by_kind.items()},
        "num_updates": dict(evaluation.scores.num_updates),
    }


def demand_notes(config: SignalsConfig) -> list[str]:
    """How demand was drawn, if it was."""
    if located_scene(config.scenario, config.scene).routes:
        return []
    return [f"demand drawn: a departure every {config.headway_s:g} s (--set headway_s=…)"]


def licence_notes(config: SignalsConfig) -> list[str]:
    """Where the net comes from, if it is not the user's."""
    located = located_scene(config.scenario, config.scene)
    return origin_notes(config.scenario or config.scene.net, Path(located.net))
