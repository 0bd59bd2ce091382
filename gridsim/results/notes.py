"""What a grid run says beside its table: references, exchange, audit, the feeder, this scenario."""

from collections.abc import Iterator, Mapping
from typing import Any

from gridsim.config import GridConfig
from gridsim.game.turns import decide_at_once, turns_of
from gridsim.households.households import Days
from gridsim.instruments.names import OF_ROOFS
from gridsim.powerflow.audit import audit_note, nothing_confirmed
from gridsim.references.same_information import PLANNER_BY_RULE, SELFISH_BY_RULE
from gridsim.results.labels import LABELS
from gridsim.results.phases import phase_audit_note
from gridsim.results.scoring import Grid, GridScores
from gridsim.results.trace import traced_bytes
from ss_core.report.labels import title_of
from ss_core.scenario.key_figures import Summary, mean_of
from ss_core.scenario.protocol import Evaluation
from ss_core.statistics import SMALLEST_GAP

UNLOADED_PERCENT = 80.0  # a transformer below it constrains nobody
FEW_HOUSEHOLDS = 15  # below it one job weighs too much to be foreseen


def announce(config: GridConfig, grid: Grid) -> str:
    """What will happen, and how much it will write."""
    size = traced_bytes(config, grid) / 1e6
    most = "at most" if config.budget_seconds is None else "about"  # updates are not known yet
    kva = f"{grid.feeder.transformer_sn_mva * 1000:.0f} kVA"
    transformer = f"transformer {kva}" if grid.feeder.has_transformer else "no transformer"
    return (
        f"{config.households} households on {grid.feeder.name}, {transformer}; trace {most} "
        f"{size:.1f} MB"
    )


def title(evaluation: Evaluation) -> str:
    """Title of the table."""
    config: GridConfig = evaluation.config
    return f"{config.households} households, means over {config.days} held-out days"


def facts(evaluation: Evaluation) -> dict[str, Any]:
    """What `result.json` holds beside tables: certificate, audit, and whether it failed."""
    scores: GridScores = evaluation.scores.detail
    audits = {name: {k: getattr(a, k) for k in a.__slots__} for name, a in scores.audits.items()}
    found: dict[str, Any] = {"certificate": scores.certificate, "audit": audits}
    if not any(one.steps_checked for one in scores.audits.values()):
        why = nothing_confirmed(sum(one.steps_disputed for one in scores.audits.values()))
        found["failed_check"] = (
            f"{why}; voltages and loadings of this run are not checked: look for impedances near "
            "0 and for overloads in the net"
        )
    if scores.phase_audits:
        phases = scores.phase_audits.items()
        found["phase_audit"] = {k: {f: getattr(a, f) for f in a.__slots__} for k, a in phases}
        if not any(one.steps_checked for one in scores.phase_audits.values()):
            why = phase_audit_note(scores.phase_audits.values())
            found.setdefault(
                "failed_check",
                f"{why}; figures of phases are not checked: leave --phases at balanced",
            )
    return found


def notes(evaluation: Evaluation) -> list[str]:
    """Sentences beside the table."""
    config: GridConfig = evaluation.config
    grid: Grid = evaluation.prepared.world
    scores: GridScores = evaluation.scores.detail
    figures, certificate = evaluation.summaries, scores.certificate
    unsolved = {
        title_of(LABELS, name): round(mean_of(s, "unsolved_steps") * config.days)
        for name, s in figures.items()
        if mean_of(s, "unsolved_steps") > 0
    }
    listed = ", ".join(f"{count} of {name}" for name, count in unsolved.items())
    where = f" ({listed}; their days are left out of grid figures)" if listed else ""
    kinds = evaluation.scores.bytes_by_kind[evaluation.algorithm]
    crossed = ", ".join(f"{kind} {count / 1e6:.2f} MB" for kind, count in sorted(kinds.items()))
    solved = f"{sum(unsolved.values())} steps without a solution{where}"
    said = [
        "gap closed = (C_Nash - C) / (C_Nash - C_optimum), 95 % interval over days and plays",
        f"{_optimum(certificate)}; "
        f"Nash to {certificate['epsilon_ct']:.2f} ct per household and day",
        *_same_information(figures, evaluation.algorithm),
        f"others' cooperation helps whatever one does: {100 * certificate['premise_share']:.1f} % "
        f"of {certificate['premise_cases']:.0f} cases; tempted to defect from the optimum: "
        f"{100 * certificate['tempted_share']:.0f} % of households",
        f"exchanged between households: {crossed or 'nothing'}",
        f"{audit_note(scores.audits.values())}; {solved}",
        grid.attachment.sentence,
        *grid.net_notes,
        *scores.stage.notes,
        _transformer(config, grid),
        *_phases(evaluation, grid, figures),
        *_turns(config, scores.stage.held_out),
        "columns are means over held-out days of each day's peak, highest loading, hours over and "
        "lowest voltage; losers: share of household-days that cost more than under Nash",
        *_instruments(config, grid),
        *_scenario_notes(evaluation, config, grid, figures),
    ]
    if evaluation.scores.no_dilemma:
        said.insert(0, "no dilemma in this scenario: Nash costs less than 3 % above the optimum")
    return said


def _optimum(certificate: Mapping[str, float]) -> str:
    """How well the optimum is known."""
    optimum, bound = certificate["optimum_cost_eur"], certificate.get("lower_bound_eur")
    if bound is None:
        return "optimum: the best that was found (no bound is known where there are batteries)"
    return f"optimum certified to {100 * (optimum - bound) / bound:.2f} %"


def _same_information(
    figures: Mapping[str, Mapping[str, Summary]], algorithm: str
) -> Iterator[str]:
    """The way from selfish play to a planner, none of which knows more than the learners."""
    if not {SELFISH_BY_RULE, PLANNER_BY_RULE} <= figures.keys():
        return
    selfish, planner, cost = (
        mean_of(figures[name], "cost_eur_per_household")
        for name in (SELFISH_BY_RULE, PLANNER_BY_RULE, algorithm)
    )
    if selfish / planner - 1.0 < SMALLEST_GAP:
        return
    yield (
        f"of the way from '{title_of(LABELS, SELFISH_BY_RULE)}' to "
        f"'{title_of(LABELS, PLANNER_BY_RULE)}', which know what learners know, "
        f"{title_of(LABELS, algorithm)} goes {100 * (selfish - cost) / (selfish - planner):.0f} %"
    )


def _instruments(config: GridConfig, grid: Grid) -> list[str]:
    """By which rules instruments were played."""
    if not config.instruments:
        return []
    rules, held = config.instrument_rules, "the load at which the feeder charge begins"
    if grid.feeder.has_transformer:
        held = f"the transformer's rating less {100 * rules.reserve:g} %"
    return [
        f"instruments: households answer the instrument alone; operators hold {held}; what is not "
        f"delivered by its deadline costs {rules.undelivered_eur_per_kwh:g} EUR/kWh of comfort; "
        "their losers and Gini count what households bear once surpluses of supplier and operator "
        "are returned, and losses collected, in equal shares (settings: instrument_rules)",
        *_export_limits(config, grid),
    ]


def _export_limits(config: GridConfig, grid: Grid) -> list[str]:
    """What roofs may feed in, or that there are none."""
    asked = [name for name in config.instruments if name in OF_ROOFS]
    if not asked:
        return []
    if grid.pv_kw is None:
        return [f"{', '.join(asked)}: left out, nobody has photovoltaics"]
    share = 100 * config.instrument_rules.export_share
    return [
        f"export limits: a household feeds in at most {share:g} % of its roof's rated power "
        "(instrument_rules.export_share), and own use comes first"
    ]


def _phases(
    evaluation: Evaluation, grid: Grid, figures: Mapping[str, Mapping[str, Summary]]
) -> Iterator[str]:
    """Who is on which phase, the worst of them, and what pandapower says of it."""
    if grid.phases is None:
        return
    scores: GridScores = evaluation.scores.detail
    yield from grid.phases.notes
    found = [
        f"{title_of(LABELS, name)} {mean_of(figures[name], 'vm_min_phase_pu'):.3f} to "
        f"{mean_of(figures[name], 'vm_max_phase_pu'):.3f} p.u., unbalance "
        f"{mean_of(figures[name], 'unbalance_percent'):.1f} %, neutral "
        f"{mean_of(figures[name], 'neutral_a'):.0f} A"
        for name in ("asap", "nash", "optimum", evaluation.algorithm)
        if name in figures
    ]
    days = evaluation.config.days
    unsolved = sum(mean_of(one, "unsolved_phase_steps") for one in figures.values()) * days
    yield (
        "worst phase of a mean day (the table's columns are balanced): "
        f"{'; '.join(found)}; {phase_audit_note(scores.phase_audits.values())}; "
        f"{unsolved:.0f} steps without a solution in three phases"
    )


def _turns(config: GridConfig, days: Days) -> list[str]:
    """How many households decide at once, where there are more decisions than turns."""
    if config.variant != "in_turn":
        return []
    several = decide_at_once(days, turns_of(days, config.revise_after, config.most_turns))
    if several <= 1:
        return []
    return [
        f"households decide in turn, about {several:.0f} at once: a day has more decisions than "
        f"the {config.most_turns} turns it is given (most_turns)"
    ]


def _transformer(config: GridConfig, grid: Grid) -> str:
    if not grid.feeder.has_transformer:
        return (
            "no transformer in this feeder: what limits it are its lines and voltages (columns "
            "'line %' and 'min vm_pu')"
        )
    kva = 1000.0 * grid.feeder.transformer_sn_mva
    if config.rating_kva is None:
        return f"transformer: {kva:.0f} kVA, the feeder's own; --kva-per-household sizes it"
    sized = (
        f"transformer: sized to {kva:.0f} kVA, {config.rating_kva:.3g} per household "
        "(--kva-per-household)"
    )
    if grid.others is None:
        sized += "; the feeder's own loads only say where households are connected"
    if config.kva_per_household == "auto":
        return (
            f"{sized}; auto: {config.households} households coincide more than many, so that the "
            f"charge, too, begins at {config.tariff.kappa:.3g} kW per household (tariff.kappa)"
        )
    return sized


def _roofs(evaluation: Evaluation, figures: Mapping[str, Mapping[str, Summary]]) -> Iterator[str]:
    """Who has photovoltaics and batteries, and what flows back."""
    scores: GridScores = evaluation.scores.detail
    population = scores.stage.world.population
    if not population.has_pv and not population.battery_kwh.any():
        return
    back = ", ".join(
        f"{title_of(LABELS, name)} {mean_of(figures[name], 'feed_in_peak_kw'):.0f} kW"
        for name in ("asap", "nash", evaluation.algorithm)
        if name in figures
    )
    yield (
        f"photovoltaics: {population.pv_kwp.sum():.0f} kWp on "
        f"{int((population.pv_kwp > 0).sum())} roofs; batteries: "
        f"{population.battery_kwh.sum():.0f} kWh in {int((population.battery_kwh > 0).sum())} "
        f"households; highest reverse flow of a mean day: {back}"
    )


def _scenario_notes(
    evaluation: Evaluation,
    config: GridConfig,
    grid: Grid,
    figures: Mapping[str, Mapping[str, Summary]],
) -> list[str]:
    """What a reader of the table should know about this scenario in particular."""
    found = [*_roofs(evaluation, figures)]
    loading = mean_of(figures["nash"], "trafo_loading_percent")
    if grid.feeder.has_transformer and loading < UNLOADED_PERCENT:
        found.append(
            f"the transformer is no constraint here (Nash loads it to {loading:.0f} % at the peak "
            "of a mean day): what is closed is a gap of the tariff, which is the same for any "
            "transformer"
        )
    if config.households < FEW_HOUSEHOLDS:
        found.append(
            f"with {config.households} households one job moves the whole feeder: what Nash and "
            "optimum know of the day beforehand counts for much; compare with the rows that know "
            "what learners know (column 'knows')"
        )
    return found
