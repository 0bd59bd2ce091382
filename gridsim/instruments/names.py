"""The instruments by name: their titles, what households know, who is paid. Nothing is computed."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """One instrument in words."""

    title: str  # of its row
    knows: str  # what a household knows when it decides, and who else knows what
    money: str  # who pays whom
    payment: str  # the same in three words


_OWN_DAY = "own day"
_ON_ARRIVAL = "own job on arrival"
INSTRUMENTS = {
    "time_of_use": Instrument(
        title="time-of-use tariff",
        knows=f"{_OWN_DAY}, three price bands",
        money="households pay the supplier the price of the band",
        payment="to supplier",
    ),
    "spot": Instrument(
        title="hourly prices (spot)",
        knows=f"{_OWN_DAY}, hourly prices",
        money="households pay the supplier the price of the hour",
        payment="to supplier",
    ),
    "capacity_daily": Instrument(
        title="capacity tariff, daily peak",
        knows=f"{_OWN_DAY}, hourly prices, EUR/kW",
        money="households pay the network operator for the peak of the day",
        payment="to network operator",
    ),
    "capacity_monthly": Instrument(
        title="capacity tariff, monthly peak",
        knows=f"{_OWN_DAY}, hourly prices, EUR/kW, peak so far",
        money="households pay the network operator for what a day adds to the peak of the month",
        payment="to network operator",
    ),
    "segmented": Instrument(
        title="segmented tariff",
        knows=f"{_OWN_DAY}, hourly prices, price above a power",
        money="households pay the network operator for energy above a power",
        payment="to network operator",
    ),
    "dimming": Instrument(
        title="§ 14a dimming, at once",
        knows=f"{_ON_ARRIVAL}; operator: load now",
        money="the network operator pays owners of a wallbox or large battery a flat reduction",
        payment="from network operator",
    ),
    "dimming_spot": Instrument(
        title="§ 14a dimming, hourly prices",
        knows=f"{_ON_ARRIVAL}, prices; operator: load now",
        money="as § 14a; households pay the supplier the price of the hour",
        payment="to supplier, from operator",
    ),
    "first_come": Instrument(
        title="first-come connection limit",
        knows=f"{_ON_ARRIVAL}; operator: jobs, load now",
        money="nobody pays for it",
        payment="none",
    ),
    "network_charge": Instrument(
        title="charge that follows the network",
        knows=f"{_OWN_DAY}, prices, charge at its bus; operator: plans",
        money="households pay the network operator what a kW costs it at their bus, or are paid",
        payment="to network operator",
    ),
    "export_limit": Instrument(
        title="export limit, at once",
        knows=f"{_ON_ARRIVAL}; inverter: feed-in now",
        money="owners of roofs bear what is not generated; nobody is paid",
        payment="none",
    ),
    "export_limit_spot": Instrument(
        title="export limit, hourly prices",
        knows=f"{_OWN_DAY}, hourly prices, own limit",
        money="households pay the supplier the price of the hour, what is not generated earns "
        "nothing",
        payment="to supplier",
    ),
    "valley_filling": Instrument(
        title="valley filling, decentralised",
        knows="the whole day beforehand, load of all",
        money="nobody pays for it: the signal is not billed",
        payment="none",
    ),
    "pigou": Instrument(
        title="ideal prices (Pigou)",
        knows="the whole day beforehand",
        money="households pay the network operator what their load costs others",
        payment="to network operator",
    ),
}
ALL = "all"
OF_ROOFS = ("export_limit", "export_limit_spot")  # left out where nobody has photovoltaics
OWN_ROWS = tuple(name for name in INSTRUMENTS if name != "pigou")  # Pigou is a row of every run


def named(given: object) -> object:
    """What somebody asked for, as names: `all`, one name, or several with commas or in a list.

    What is none of these is returned as it is, to be refused where settings are checked.
    """
    if isinstance(given, str):
        given = [part for part in given.split(",") if part.strip()]
    if not isinstance(given, list | tuple) or not all(isinstance(one, str) for one in given):
        return given
    names = [one.strip().replace("-", "_") for one in given]
    return tuple(INSTRUMENTS) if ALL in names else tuple(dict.fromkeys(names))


def problem_of(names: tuple[str, ...]) -> str:
    """What is wrong with names; nothing if they are known."""
    unknown = [name for name in names if name not in INSTRUMENTS]
    if not unknown:
        return ""
    return f"instruments={', '.join(unknown)}: choose {ALL}, or some of {', '.join(INSTRUMENTS)}"
