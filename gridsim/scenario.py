"""The grid as a world: households on a feeder, from a configuration to scores and tables."""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from gridsim.config import SHORTHANDS, GridConfig, resolve
from gridsim.game.in_turn import InTurnEnv
from gridsim.game.joint_schedules import Schedule
from gridsim.households.households import STEPS_PER_DAY, Days
from gridsim.households.other_power import OtherPower, other_power
from gridsim.households.outlook import Outlook
from gridsim.instruments.names import OF_ROOFS
from gridsim.instruments.outcome import Outcome
from gridsim.network.connections import connection_notes, profile_names
from gridsim.network.feeder import Feeder, save_feeder, with_transformer_rating
from gridsim.network.net_devices import NetDevices
from gridsim.network.net_profiles import NetProfiles, read_net_profiles
from gridsim.network.pandapower_io import feeder_names
from gridsim.network.sequences import compile_sequences
from gridsim.references.same_information import (
    PAST_BATCHES,
    PLANNER_BY_RULE,
    RANDOM,
    SELFISH_BY_RULE,
    outlook_of_past_days,
    random_schedule,
    schedule_by_rule,
)
from gridsim.results.instrument_figures import instrument_tables, tensors_of
from gridsim.results.labels import LABELS, ROWS, UNCOORDINATED, knows
from gridsim.results.notes import announce, facts, notes, title
from gridsim.results.phases import Phases, set_phases
from gridsim.results.scoring import INSTRUMENTS, SAME_INFORMATION, Grid, score
from gridsim.results.tables import UNITS
from gridsim.results.trace import record
from gridsim.stage import (
    COMPILED_NET,
    Stage,
    attach,
    build_training,
    copy_of,
    daily_welfare,
    in_turn_env,
    own_net,
    past_days,
    play,
    read_given_households,
    set_stage,
    trial_costs,
    trial_days,
    with_copies,
)
from ss_core.errors import ConfigError
from ss_core.exchange.channel import Channel
from ss_core.learning.learner import LearnerConfig
from ss_core.processes.child_tasks import Report, Stop
from ss_core.random_streams import Stream, drawn_seed, numpy_generator
from ss_core.record.atomic import atomic_write
from ss_core.scenario.protocol import Column, Place, Prepared, Reference, Saved, Scenario, Setting
from ss_core.scenario.tasks import TRIAL_COST
from ss_core.training.loop import Training


def check(config: GridConfig) -> Grid:
    """The feeder with its households: bad nets and bad tables fail here, in seconds.

    Raises:
        InputError: a file cannot be used; every problem of a net is named.
        ConfigError: a file of households has more or fewer than the run.
    """
    feeder, net_notes = own_net(config)
    if config.rating_kva is not None:
        feeder = with_transformer_rating(feeder, config.households * config.rating_kva / 1000.0)
    reactive_share = float(np.tan(np.arccos(config.power_factor)))
    stage = set_stage(config)  # reads the user's files
    _refuse_roofs(config, stage)
    attachment = attach(config, feeder)
    others = _others(config, feeder, stage)
    return Grid(
        feeder,
        attachment,
        reactive_share,
        (*net_notes, *_connected(feeder, stage.devices), *(others.notes if others else ())),
        others,
        stage.held_out.pv_kw,
        config.population.first_hour,
        _phases(config, feeder, stage),
    )


def _phases(config: GridConfig, feeder: Feeder, stage: Stage) -> Phases | None:
    """Who is on which phase; None: power flow is balanced."""
    if config.phases == "balanced":
        return None
    given = None if config.households_file is None else read_given_households(config).phase
    return set_phases(
        compile_sequences(config.feeder_name, feeder),
        stage.held_out,
        stage.world.population,
        given,
        numpy_generator(config.seed, Stream.PHASES),
    )


def _refuse_roofs(config: GridConfig, stage: Stage) -> None:
    """Refuse what does not know photovoltaics and batteries where somebody has them."""
    population = stage.world.population
    has_any = population.has_pv or bool(population.battery_kwh.any())
    if has_any and config.variant != "in_turn":
        raise ConfigError(
            f"variant={config.variant!r}: knows no photovoltaics and no batteries; leave it out, "
            + (
                "or set population.pv_ownership=0"
                if stage.devices is None
                else "or set devices=drawn"
            )
        )


def _connected(feeder: Feeder, devices: NetDevices | None) -> list[str]:
    """What households have from the net, and who is connected beside them."""
    if devices is None:
        return connection_notes(feeder)
    roofs, storages = devices.roof_sgen.tolist(), devices.storage.tolist()
    by_net = bool(feeder.load_profile)
    return [devices.sentence, *connection_notes(feeder, roofs, storages, by_net=by_net)]


def _others(config: GridConfig, feeder: Feeder, stage: Stage) -> OtherPower | None:
    """Power of whoever is on the feeder beside households, on the held-out days."""
    loads, generators = profile_names(feeder)
    if not loads and not generators:
        return None
    known = NetProfiles()
    if config.feeder_name not in feeder_names():
        known = read_net_profiles(Path(config.feeder_name), loads, generators)
    roofs = () if stage.devices is None else stage.devices.roof_sgen.tolist()
    profiles, days = stage.world.profiles, stage.held_out
    return other_power(feeder, known, profiles, days, config.day_0, roofs)


def prepare(config: GridConfig, grid: Grid, inputs: Path, tell: Callable[[str], None]) -> Prepared:
    """Keep a copy of the user's files: a run is not continued on other ones.

    Raises:
        ConfigError: a file has changed since the run began.
    """
    del tell
    if config.feeder_name not in feeder_names():
        _keep(config.feeder_name, inputs / "feeder.json", "net")
        _keep_compiled(config, inputs / COMPILED_NET)
    for name, path in config.own_files.items():
        _keep(path, copy_of(name, path, inputs), "file")
    return Prepared(sentence=announce(config, grid), world=grid, meanwhile=_import_audit)


def _keep(path: str, kept: Path, what: str) -> None:
    data = Path(path).read_bytes()
    if not kept.exists():
        atomic_write(kept, data)
    elif kept.read_bytes() != data:
        raise ConfigError(
            f"{path}: differs from the {what} this run began with ({kept}); "
            "put that one back, or start anew with --resume never"
        )


def _keep_compiled(config: GridConfig, kept: Path) -> None:
    if not kept.exists():
        packed = io.BytesIO()
        save_feeder(own_net(config)[0], packed)
        atomic_write(kept, packed.getvalue())


def _import_audit() -> None:
    # pandapower takes seconds to import
    with suppress(
        Exception
    ):  # what fails here fails again where it is needed, and is reported there
        import gridsim.powerflow.audit  # noqa: F401


@contextmanager
def open_setting(config: GridConfig, inputs: Path, processes: int) -> Iterator[Setting]:
    """Population and held-out days; nothing outside this process is started."""
    del processes
    stage = set_stage(with_copies(config, inputs))

    def evaluate(training: Training) -> dict[str, float]:
        schedule = play(training, stage, config, sample=0).schedule
        cost = schedule.costs(stage.world.tariff).social_cost_eur / config.households
        return {"held_out_cost_eur_per_household": float(cost.mean())}

    def training(learner: LearnerConfig) -> nullcontext[Training]:
        return nullcontext(build_training(config, learner, stage))

    yield Setting(
        training=training,
        evaluate=evaluate,
        play=lambda trained: _play_held_out(trained, stage, config),
        trial=lambda trained: trial_costs(trained, stage, config),
        welfare=lambda trained: daily_welfare(trained, stage, config),
    )


def _play_held_out(training: Training, stage: Stage, config: GridConfig) -> Saved:
    plays = [play(training, stage, config, sample=s) for s in range(config.policy_samples)]
    tensors = {
        "job_kw": torch.from_numpy(np.stack([p.schedule.job_kw for p in plays])).float(),
        "delay_eur": torch.from_numpy(np.stack([p.schedule.delay_eur for p in plays])),
    }
    for name in plays[0].decisions:
        tensors[name] = torch.from_numpy(np.stack([p.decisions[name] for p in plays]))
    return Saved(tensors)


def refer(config: GridConfig, place: Place, report: Report, stop: Stop) -> Saved | None:
    """Every reference of the held-out days, with the certificate of the dilemma."""
    from gridsim.game.joint_schedules import chosen_schedule
    from gridsim.households.schedules import candidate_schedules
    from gridsim.references.certificate import certify_dilemma
    from gridsim.references.references import compute_references, load_to_come, nash, optimum

    stage = set_stage(with_copies(config, place.inputs))
    tariff, days = stage.world.tariff, stage.held_out
    report(0, 4, "what past days tell")
    past = past_days(config, stage)
    to_come = load_to_come(optimum(past, tariff, config.search)[0], past)
    if stop():
        return None
    report(1, 4, "equilibrium, optimum, lower bound")
    found = compute_references(days, tariff, to_come_kw=to_come, config=config.search)
    schedules = [*found.schedules]
    if config.variant != "in_turn":  # whose plans depend on what others announced
        report(2, 4, "equilibrium among the candidate schedules")
        plans = candidate_schedules(days, config.num_actions)
        restricted = nash(days, tariff, replace(config.search, num_random_starts=0), plans)[0]
        rng = numpy_generator(config.seed, Stream.RANDOM_PLANS)
        pick = rng.random(plans.legal.shape) * plans.legal
        schedules += [
            replace(restricted, name="nash_among_candidates"),
            chosen_schedule(RANDOM, days, plans, pick.argmax(axis=1)),
        ]
    report(3, 4, "certificate")
    certificate = certify_dilemma(days, tariff, found, config=config.search)
    tensors = _tensors_of(schedules)
    tensors["lower_bound_eur"] = torch.from_numpy(found.lower_bound_eur)
    known = {name: getattr(certificate, name) for name in certificate.__slots__}
    state: Mapping[str, Any] = {
        "certificate": {name: float(value) for name, value in known.items() if np.isfinite(value)},
        "no_dilemma": bool(certificate.no_dilemma),
        "gap": float(certificate.gap),
    }
    report(4, 4, "")
    return Saved(tensors, state)


def days_and_tariff(config: GridConfig) -> GridConfig:
    """What references of the held-out days depend on: not on learners, nor on the feeder."""
    if config.variant != "in_turn":  # a form of the decisions may ask for a learner of its kind
        return config
    default = GridConfig()
    others = ("feeder", "kva_per_household", "phases", "power_factor", "audit_steps", "learner")
    of_runs = ("trial_days", "policy_samples", "evaluations", "commit_every", "trace", "device")
    rows = ("instruments", "instrument_rules", "compare", "compare_selfish", "budget_seconds")
    turns = ("revise_after", "most_turns")
    same = {name: getattr(default, name) for name in (*others, *of_runs, *rows, *turns)}
    return replace(config, **same)


def _tensors_of(schedules: Iterable[Schedule]) -> dict[str, torch.Tensor]:
    tensors = {f"{s.name}/job_kw": torch.from_numpy(s.job_kw).float() for s in schedules}
    for s in schedules:
        tensors[f"{s.name}/delay_eur"] = torch.from_numpy(s.delay_eur)
        if s.curtailed_kw is not None:
            tensors[f"{s.name}/curtailed_kw"] = torch.from_numpy(s.curtailed_kw).float()
    return tensors


def refer_same_information(
    config: GridConfig, place: Place, report: Report, stop: Stop
) -> Saved | None:
    """Rows that know what learners know and learned nothing: by public rule, and at random."""
    stage = set_stage(with_copies(config, place.inputs))
    days, tried = stage.held_out, trial_days(config, stage)

    def build(given: Days | None, outlook: Outlook | None) -> InTurnEnv:
        fresh = config.learner.num_envs if given is None else 0
        return in_turn_env(config, stage.world, fresh, given, outlook)

    seeds = [drawn_seed(config.seed, Stream.PAST_DAYS, batch) for batch in range(PAST_BATCHES)]
    schedules, costs, outlook = [], {}, Outlook.empty()
    rows = (PLANNER_BY_RULE, SELFISH_BY_RULE)
    for done, row in enumerate(rows):
        report(done, len(rows), f"{LABELS[row].title}: what past days tell")
        if stop():
            return None
        outlook = outlook_of_past_days(row, build, seeds)
        schedules.append(schedule_by_rule(row, days, outlook, build))
        costs[row] = schedule_by_rule(row, tried, outlook, build).costs(stage.world.tariff)
    schedules.append(random_schedule(days, outlook, build, config.seed))
    report(len(rows), len(rows), "")
    channel = Channel(config.learner.exchange, config.households, config.seed)
    private = torch.from_numpy(costs[SELFISH_BY_RULE].cost_eur.T.copy())
    total = channel.total("cost_total", private, 0)
    tensors = _tensors_of(schedules) | {f"{TRIAL_COST}/{SELFISH_BY_RULE}": total}
    return Saved(tensors, {"bytes_by_kind": channel.ledger.bytes_by_kind()})


def refer_instruments(config: GridConfig, place: Place, report: Report, stop: Stop) -> Saved | None:
    """What households do under the instruments asked for, and what is paid."""
    del place
    tensors: dict[str, torch.Tensor] = {}
    for done, (name, outcome) in enumerate(played_instruments(config, set_stage(config)), 1):
        tensors |= tensors_of(name, outcome)
        if name != "pigou":  # whose schedule is a reference of every run
            tensors |= _tensors_of([outcome.schedule])
        report(done, len(config.instruments), LABELS[name].title)
        if stop():
            return None
    return Saved(tensors)


def played_instruments(config: GridConfig, stage: Stage) -> Iterator[tuple[str, Outcome]]:
    """The instruments asked for, one after the other, on the held-out days."""
    from gridsim.instruments.dimming import controllable
    from gridsim.instruments.network_charge import Network
    from gridsim.instruments.rows import Setting as Played
    from gridsim.instruments.rows import outcomes

    grid = check(config)
    played = Played(
        days=stage.held_out,
        tariff=stage.world.tariff,
        limit_kw=limit_kw(config, grid),
        network=Network(
            feeder=grid.feeder,
            attachment=grid.attachment,
            reactive_share=grid.reactive_share,
            others=grid.others,
        ),
        controllable=controllable(stage.world.population, stage.held_out.battery),
        pv_kwp=stage.world.population.pv_kwp,
        rules=config.instrument_rules,
        search=config.search,
    )
    has_pv = stage.world.population.has_pv
    asked = [name for name in config.instruments if has_pv or name not in OF_ROOFS]
    yield from outcomes(asked, played)


def limit_kw(config: GridConfig, grid: Grid) -> Float[np.ndarray, "day step"]:
    """What an operator lets households draw together: the transformer's rating less a reserve.

    What others on the feeder draw is taken off, what they give is added. Without a transformer the
    limit is the load at which the tariff's feeder charge begins.
    """
    shape = (config.days, STEPS_PER_DAY)
    if not grid.feeder.has_transformer:
        return np.full(shape, config.households * config.tariff.kappa)
    rated_kw = 1000.0 * grid.feeder.transformer_sn_mva * config.power_factor
    limit = np.full(shape, (1.0 - config.instrument_rules.reserve) * rated_kw)
    if grid.others is None:
        return limit
    return limit + (grid.others.generation_kw - grid.others.load_kw).reshape(shape)


def references(config: GridConfig) -> list[Reference]:
    """Sub-tasks that compute reference rows."""
    found = [Reference(name="references", compute=refer, depends_on=days_and_tariff)]
    if config.variant == "in_turn":
        found.append(Reference(name=SAME_INFORMATION, compute=refer_same_information))
    if config.instruments:
        found.append(Reference(name=INSTRUMENTS, compute=refer_instruments))
    return found


SCENARIO = Scenario(
    name="grid",
    target="gridsim.scenario:SCENARIO",
    config=GridConfig,
    shorthands=SHORTHANDS,
    implied={
        "households_file": lambda _: ("households",),
        "prices": lambda _: ("tariff.spread",),
    },
    resolve=resolve,
    check=check,
    identity=lambda config, _: ("grid", f"h{config.households}"),
    prepare=prepare,
    open=open_setting,
    references=references,
    score=score,
    rows=ROWS,
    labels=LABELS,
    baseline="nash",
    best="optimum",
    uncoordinated=UNCOORDINATED,
    cost_unit="EUR",
    knows=knows,
    agent="household",
    title=title,
    columns=(
        Column(title="cost EUR/household", figure="cost_eur_per_household", digits=3),
        Column(title="peak kW", figure="peak_kw"),
        Column(title="transformer %", figure="trafo_loading_percent", digits=0, absent="n/a"),
        Column(title="h over 100 %", figure="trafo_overload_h", digits=2, absent="n/a"),
        Column(title="line %", figure="line_loading_percent", digits=0),
        Column(title="min vm_pu", figure="vm_min_pu", digits=3),
        Column(title="losers %", figure="share_of_losers", digits=0, scale=100.0),
    ),
    units=UNITS,
    notes=notes,
    tables=instrument_tables,
    facts=facts,
    record=record,
    calibration_updates=6,
)
