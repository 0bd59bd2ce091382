"""`ss algorithms`: who learns from what."""

import click

from cli.app import debug_option, example


@click.command("algorithms", epilog=example("ss algorithms"))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
@debug_option
def algorithms(as_json: bool) -> None:
    """List the algorithms, what crosses between agents, and whether the paper compares them."""
    from cli.render import print_records
    from ss_core.algorithms.names import ALGORITHM_FACTS

    records = [
        {
            "algorithm": name,
            "what_it_is": facts.description,
            "between_agents": facts.crosses,
            "in_paper": facts.in_paper,
            "reference": facts.reference or None,
            "code": f"ss_core/algorithms/{name}.py",
        }
        for name, facts in ALGORITHM_FACTS.items()
    ]
    print_records("ss.algorithms/1", "algorithms", records, as_json=as_json)
