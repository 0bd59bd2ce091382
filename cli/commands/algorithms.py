"""`ss algorithms`: who learns from what."""

from typing import Any

import click

from cli.app import debug_option

REFERENCES = {
    "ss": "Jin, Wei and Montana (2025)",
    "independent": "Schulman et al. (2017), by every agent for itself",
    "centralised": "Schulman et al. (2017), on the sum of rewards",
    "vps": "Zhang et al. (2018)",
    "vs": "Du et al. (2022)",
    "ps": "Zhang and Zavlanos (2019)",
    "imr": "Tennant et al. (2023)",
}


@click.command("algorithms")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
@debug_option
def algorithms(as_json: bool) -> None:
    """List the algorithms that `ss train` and `ss bench` know, and what crosses between agents."""
    from cli.render import print_records
    from ss_core.algorithms import ALGORITHMS

    records = [_described(name) for name in ALGORITHMS]
    print_records("ss.algorithms/1", "algorithms", records, as_json=as_json)


def _described(name: Any) -> dict[str, str | None]:
    from ss_core.algorithms import ALGORITHMS, DESCRIPTIONS

    what, _, crosses = DESCRIPTIONS[name].partition(": ")
    return {
        "algorithm": name,
        "what_it_is": what,
        "between_agents": crosses,
        "reference": REFERENCES.get(name),
        "code": ALGORITHMS[name].__module__.replace(".", "/") + ".py",
    }
