"""All instruments on drawn days: nothing is gained or lost on the way."""

import numpy as np
import pytest

from gridsim.config import GridConfig, resolve
from gridsim.game.tariff import Tariff
from gridsim.households.households import JobKind
from gridsim.instruments.dimming import controllable
from gridsim.instruments.names import INSTRUMENTS
from gridsim.instruments.network_charge import Network
from gridsim.instruments.outcome import Outcome, demanded_kwh, settled_eur, supply_eur
from gridsim.instruments.rows import Setting, outcomes
from gridsim.references.references import herd, pigou
from gridsim.results.scoring import Grid
from gridsim.scenario import check
from gridsim.stage import set_stage

CONFIG = GridConfig(households=12, days=3, seed=1)
LIMIT_KW = 20.0


def network_of(grid: Grid) -> Network:
    return Network(
        feeder=grid.feeder,
        attachment=grid.attachment,
        reactive_share=grid.reactive_share,
        others=grid.others,
    )


@pytest.fixture(scope="module")
def setting() -> Setting:
    stage = set_stage(CONFIG)
    return Setting(
        days=stage.held_out,
        tariff=stage.world.tariff,
        limit_kw=np.full((CONFIG.days, 96), LIMIT_KW),
        controllable=controllable(stage.world.population, stage.held_out.battery),
        network=network_of(check(CONFIG)),
        pv_kwp=stage.world.population.pv_kwp,
        rules=CONFIG.instrument_rules,
        search=CONFIG.search,
    )


@pytest.fixture(scope="module")
def found(setting: Setting) -> dict[str, Outcome]:
    return dict(outcomes([*INSTRUMENTS], setting))


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_energy_is_delivered_within_windows_or_counted_as_lost(
    name: str, setting: Setting, found: dict[str, Outcome]
) -> None:
    jobs, job_kw, outcome = setting.days.jobs, found[name].schedule.job_kw, found[name]
    steps = np.arange(96)
    outside = (steps < jobs.arrival_step[:, None]) | (steps >= jobs.end_step[:, None])
    assert job_kw[outside].max() == 0.0
    delivered = 0.25 * job_kw.sum()
    assert delivered + outcome.undelivered_kwh.sum() == pytest.approx(
        demanded_kwh(setting.days).sum()
    )
    assert np.allclose(outcome.comfort_lost_eur, outcome.undelivered_kwh)  # at 1 EUR/kWh


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_what_households_bear_is_what_supply_and_discomfort_cost(
    name: str, setting: Setting, found: dict[str, Outcome]
) -> None:
    outcome = found[name]
    costs = outcome.schedule.costs(setting.tariff)
    borne = settled_eur(outcome.paid_eur, costs)
    assert np.allclose(borne.sum(axis=1), costs.social_cost_eur)


def test_hourly_prices_alone_are_the_herd_and_ideal_prices_are_pigous(
    setting: Setting, found: dict[str, Outcome]
) -> None:
    days, tariff = setting.days, setting.tariff
    costs = {name: found[name].schedule.costs(tariff).social_cost_eur for name in found}
    assert np.allclose(costs["spot"], herd(days, tariff).costs(tariff).social_cost_eur)
    same = pigou(days, tariff, setting.search)
    assert np.array_equal(found["pigou"].schedule.job_kw, same.job_kw)


def test_an_admitted_load_keeps_the_limit_where_base_load_does(
    setting: Setting, found: dict[str, Outcome]
) -> None:
    load = found["first_come"].schedule.load_kw.sum(axis=1)
    base = setting.days.base_kw.sum(axis=1)
    wet = np.isin(setting.days.jobs.kind, [JobKind.EV, JobKind.HEAT_PUMP], invert=True)
    assert wet.any()
    over = load > LIMIT_KW + 1e-6
    # cycles that have begun run on when base load rises: rare, and never by a car
    assert over.mean() < 0.02
    assert (base[over] > 0.0).all()


def test_ideal_prices_are_paid_beyond_the_price_of_energy(
    setting: Setting, found: dict[str, Outcome]
) -> None:
    tariff: Tariff = setting.tariff
    costs = found["pigou"].schedule.costs(tariff)
    beyond = found["pigou"].paid_eur - supply_eur(costs) + costs.charge_eur[:, None]
    assert np.allclose(found["pigou"].instrument_eur, beyond)
    assert (found["pigou"].instrument_eur >= 0.0).all()


@pytest.fixture(scope="module")
def noon() -> Setting:
    size = {"households": 12, "days": 2, "seed": 1, "case": "summer-noon"}
    config = resolve("tuned", size)
    stage = set_stage(config)
    return Setting(
        days=stage.held_out,
        tariff=stage.world.tariff,
        limit_kw=np.full((2, 96), LIMIT_KW),
        controllable=controllable(stage.world.population, stage.held_out.battery),
        network=network_of(check(config)),
        pv_kwp=stage.world.population.pv_kwp,
        rules=config.instrument_rules,
        search=config.search,
    )


@pytest.fixture(scope="module")
def found_at_noon(noon: Setting) -> dict[str, Outcome]:
    return dict(outcomes([*INSTRUMENTS], noon))


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_batteries_are_never_overfull_or_below_empty_and_cars_get_what_is_not_lost(
    name: str, noon: Setting, found_at_noon: dict[str, Outcome]
) -> None:
    jobs, outcome = noon.days.jobs, found_at_noon[name]
    stores = jobs.battery_kwh > 0.0
    assert stores.any()
    assert noon.days.base_kw.min() < 0.0
    stored = noon.days.battery.kept_kwh(outcome.schedule.job_kw[stores]).cumsum(axis=1)
    assert stored.min() >= -1e-6
    assert (stored <= jobs.battery_kwh[stores, None] + 1e-6).all()
    delivered = 0.25 * outcome.schedule.job_kw[~stores].sum()
    demanded = demanded_kwh(noon.days)
    assert demanded[stores].max() == 0.0
    assert delivered + outcome.undelivered_kwh.sum() == pytest.approx(demanded.sum())


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_what_households_with_roofs_bear_is_what_supply_and_discomfort_cost(
    name: str, noon: Setting, found_at_noon: dict[str, Outcome]
) -> None:
    outcome = found_at_noon[name]
    costs = outcome.schedule.costs(noon.tariff)
    borne = settled_eur(outcome.paid_eur, costs)
    assert np.allclose(borne.sum(axis=1), costs.social_cost_eur)


def test_batteries_that_cover_their_own_need_draw_nothing_from_the_grid(
    noon: Setting, found_at_noon: dict[str, Outcome]
) -> None:
    jobs = noon.days.jobs
    for name in ("dimming", "first_come"):
        schedule = found_at_noon[name].schedule
        stores = np.flatnonzero(jobs.battery_kwh > 0.0)
        net = schedule.load_kw[jobs.day[stores], jobs.household[stores]]
        charges = schedule.job_kw[stores] > 1e-9
        assert charges.any()
        assert net[charges].max() <= 1e-6


def test_ideal_prices_pay_whoever_draws_where_reverse_flow_is_dear(
    noon: Setting, found_at_noon: dict[str, Outcome]
) -> None:
    # toll of a step: β l + 2 γ (excess, below 0 in reverse flow), the same for all households
    tariff, outcome = noon.tariff, found_at_noon["pigou"]
    load = outcome.schedule.load_kw
    mean = load.mean(axis=1)
    excess = np.maximum(mean - tariff.kappa, 0.0) - np.maximum(-mean - tariff.kappa_feed_in, 0.0)
    toll = tariff.beta * mean + 2 * tariff.gamma * excess
    assert np.allclose(outcome.instrument_eur, 0.25 * (toll[:, None] * load).sum(axis=-1))
    assert outcome.instrument_eur.mean() > 0.0
