"""`ss.trace/1`: every table and column of a trace, with unit, meaning and who may see it.

The one place to add a column: one line here, and the writer, the manifest and the data dictionary
(`python -m ss_core.record.schema`) know it. Adding is compatible; renaming, removing or changing a unit is not.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ss_core.errors import CorruptError

if TYPE_CHECKING:
    import pyarrow as pa

TRACE_SCHEMA = "ss.trace/1"

ColumnType = Literal["string", "int32", "int64", "float32", "float64", "bool", "timestamp"]
Visibility = Literal["public", "exchanged", "private", "operator", "simulator"]
TraceLevel = Literal[
    "off", "kpi", "agent", "full"
]  # each writes what the one before does, and more

LEVELS: tuple[TraceLevel, ...] = ("off", "kpi", "agent", "full")
VISIBILITIES: dict[Visibility, str] = {
    "public": "anyone may know it",
    "exchanged": "went from agent to agent over the channel",
    "private": "never left the agent it is about",
    "operator": "known to the operator of the network only",
    "simulator": "ground truth that nobody inside the system has",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `source` is its name in the tool it comes from, where it has one.

    A timestamp is the calendar time of `day` and of the seconds in the column `clock`.
    """

    name: str
    type: ColumnType
    unit: str  # "" where there is none: names, flags; "1" for pure numbers
    description: str
    visibility: Visibility = "public"
    source: str = ""
    clock: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """One table; `key` identifies a row and is never null. Other columns are null where not applicable."""

    name: str
    grain: str  # what one row is
    level: TraceLevel  # the lowest level that writes it
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        if len(set(names)) < len(names) or not set(self.key) <= set(names):
            raise ValueError(
                f"table {self.name}: column names repeat, or the key {self.key} is not among them"
            )
        seen = {column.name: column.visibility for column in self.columns}
        for column in self.columns:
            if column.clock and (seen.get(column.clock), "day" in seen) != (
                column.visibility,
                True,
            ):
                raise ValueError(f"table {self.name}: {column.name} tells more than its clock")


CALENDAR = "calendar time of `{}`, day 0 being the run's date; null for a run without one"
RUN_ID = Column(
    "run_id", "string", "", "run: task, size, seed and start of the configuration's hash"
)
ALGORITHM = Column(
    "algorithm", "string", "", "ss, a rival algorithm, or a reference such as nash or optimum"
)
PHASE = Column("phase", "string", "", "train, eval or baseline")
SEED = Column("seed", "int32", "1", "seed of the run")
DAY = Column("day", "int32", "1", "day, counted from 0 in the data set of its phase")
STEP = Column("step", "int32", "1", "step of the day, counted from 0")
SIM_TIME = Column(
    "sim_time_s", "float64", "s", "simulation clock at the start of the step; midnight is 0"
)
TIME = Column("time", "timestamp", "", CALENDAR.format("sim_time_s"), clock="sim_time_s")
UPDATE = Column("update", "int32", "1", "learner update, counted from 0")
AGENT_ID = Column("agent_id", "string", "", "the agent the row is about")
SRC = Column("src_agent_id", "string", "", "sender")
DST = Column("dst_agent_id", "string", "", "receiver")

RUN = (RUN_ID, ALGORITHM, SEED)
CLOCK = (RUN_ID, ALGORITHM, PHASE, SEED, DAY, STEP, SIM_TIME, TIME)
RUN_KEY = ("run_id", "algorithm", "seed")
CLOCK_KEY = ("run_id", "algorithm", "phase", "seed", "day", "step")

# ruff: noqa: E501
# fmt: off
_TABLES = (  # one line per column, however long
    Table("run", "a run", "kpi", ("run_id",), (
        RUN_ID,
        Column("task", "string", "", "world and scenario"),
        ALGORITHM,
        SEED,
        Column("n_agent", "int32", "1", "number of agents"),
        Column("n_update", "int32", "1", "learner updates done"),
        Column("config_sha256", "string", "", "hash of the resolved configuration"),
        Column("code_version", "string", "", "version of the package"),
        Column("trace_schema", "string", "", "name and version of this schema"),
    )),
    Table("agent", "an agent", "kpi", ("run_id", "agent_id"), (
        RUN_ID,
        AGENT_ID,
        Column("kind", "string", "", "household, vehicle or junction"),
        Column("group_id", "string", "", "agents of one group share an architecture; of vehicles their zone pair", "operator"),
        Column("bus_id", "string", "", "bus the household is connected to", "operator", "load.bus"),
        Column("annual_base_kwh", "float64", "kWh", "yearly consumption outside flexible jobs", "private"),
        Column("ev_kw", "float32", "kW", "rated power of the charger; null without one", "private"),
        Column("heat_pump_kw", "float32", "kW", "rated power of the heat pump; null without one", "private"),
        Column("pv_kwp", "float32", "kWp", "rated power of the photovoltaics; null without any", "private"),
        Column("battery_kwh", "float32", "kWh", "usable capacity of the battery; null without one", "private"),
    )),
    Table("link", "a directed pair of agents that may talk", "kpi", (*RUN_KEY, "src_agent_id", "dst_agent_id", "valid_from_update"), (
        *RUN,
        SRC,
        DST,
        Column("weight", "float32", "1", "weight of the link in the communication graph"),
        Column("valid_from_update", "int32", "1", "first update at which the link exists"),
    )),
    Table("trust", "what a receiver makes of a sender, where trust is learned", "agent", (*RUN_KEY, "src_agent_id", "dst_agent_id"), (
        *RUN,
        UPDATE,
        SRC,
        DST,
        Column("asked", "float32", "1", "mean total variation between what it suggested and the receiver's own policy", "private"),
        Column("weight", "float32", "1", "weight of its suggestions with the receiver, 0 to 1", "private"),
    )),
    Table("message", "what one agent sent another in one update, by kind", "agent", (*RUN_KEY, "update", "kind", "src_agent_id", "dst_agent_id"), (
        *RUN,
        UPDATE,
        Column("kind", "string", "", "announcement, own_policy, suggestion, reward, observation, advantage, critic_parameters, reward_parameters, policy_parameters, cost_total, return_total or scale_total"),
        SRC,
        DST,
        Column("n_messages", "int32", "1", "messages sent", "exchanged"),
        Column("n_float", "int64", "1", "numbers in them", "exchanged"),
        Column("n_bytes", "int64", "B", "bytes in them", "exchanged"),
    )),
    Table("suggestion", "probability suggested for one action of the receiver", "full", (*CLOCK_KEY, "update", "src_agent_id", "dst_agent_id", "action"), (
        *CLOCK,
        UPDATE,
        SRC,
        DST,
        Column("action", "int32", "1", "action of the receiver, counted from 0; where it makes several choices at once, option, choice after choice"),
        Column("prob", "float32", "1", "probability the sender suggests for it", "exchanged"),
        Column("own_prob", "float32", "1", "probability the receiver itself gives it", "exchanged"),
    )),
    Table("suggestion_normal", "normal distribution suggested for one number of the receiver's action", "full", (*CLOCK_KEY, "update", "src_agent_id", "dst_agent_id", "action"), (
        *CLOCK,
        UPDATE,
        SRC,
        DST,
        Column("action", "int32", "1", "place of the number in the action, counted from 0"),
        Column("mean", "float32", "1", "mean the sender suggests, before it is squashed into the bounds", "exchanged"),
        Column("std", "float32", "1", "standard deviation the sender suggests, likewise", "exchanged"),
        Column("own_mean", "float32", "1", "mean of the receiver itself", "exchanged"),
        Column("own_std", "float32", "1", "standard deviation of the receiver itself", "exchanged"),
    )),
    Table("agent_decision", "a decision of one agent", "agent", (*CLOCK_KEY, "agent_id"), (
        *CLOCK,
        AGENT_ID,
        Column("job_kind", "string", "", "ev, heat_pump or appliance", "private"),
        Column("candidate", "int32", "1", "plan of the last decision about the job, counted from 0 by its rule", "private"),
        Column("n_candidate", "int32", "1", "different plans there were then", "private"),
        Column("own_prob", "float32", "1", "probability the agent's policy gave the choice", "private"),
        Column("delay_h", "float32", "h", "start of the job after the earliest possible start", "private"),
        Column("energy_kwh", "float32", "kWh", "energy of the job", "private"),
    )),
    Table("household_step", "a household in one step", "agent", (*CLOCK_KEY, "agent_id"), (
        *CLOCK,
        AGENT_ID,
        Column("load_kw", "float32", "kW", "mean active power drawn from the grid; below 0 it feeds in", "private", "load.p_mw"),
        Column("base_kw", "float32", "kW", "consumption that cannot be shifted", "private"),
        Column("battery_kw", "float32", "kW", "part of it that charges the battery; below 0 the battery gives", "private"),
        Column("pv_kw", "float32", "kW", "what its photovoltaics generate; `load_kw` is all consumption less this", "private"),
        Column("curtailed_kw", "float32", "kW", "what its photovoltaics could have generated beside, and an export limit forbade", "private"),
        Column("ev_kw", "float32", "kW", "part of it that charges the car", "private"),
        Column("heat_pump_kw", "float32", "kW", "part of it that drives the heat pump", "private"),
        Column("appliance_kw", "float32", "kW", "part of it that runs shiftable appliances", "private"),
        Column("price_eur_per_kwh", "float32", "EUR/kWh", "price of energy in the step"),
        Column("bill_eur", "float64", "EUR", "energy bill of the step", "private"),
        Column("charge_eur", "float64", "EUR", "share of the feeder charge", "private"),
        Column("discomfort_eur", "float64", "EUR", "cost of waiting, in money", "private"),
    )),
    Table("bus", "a bus of the feeder", "kpi", ("run_id", "bus_id"), (
        RUN_ID,
        Column("bus_id", "string", "", "bus of the feeder", "operator", "bus.name"),
        Column("vn_kv", "float32", "kV", "rated voltage", "operator", "bus.vn_kv"),
        Column("x", "float64", "", "first coordinate as the net has it; null without", "operator", "bus.geo"),
        Column("y", "float64", "", "second coordinate", "operator", "bus.geo"),
        Column("is_slack", "bool", "", "whether the grid above feeds it", "operator", "ext_grid.bus"),
    )),
    Table("feeder_branch", "a line or transformer of the feeder", "kpi", ("run_id", "branch_id"), (
        RUN_ID,
        Column("branch_id", "string", "", "as `line_id` in `line_step`, `trafo_id` in `trafo_step`", "operator", "line.name"),
        Column("kind", "string", "", "line or trafo", "operator"),
        Column("from_bus_id", "string", "", "bus at one end; of a transformer the high-voltage side", "operator", "line.from_bus"),
        Column("to_bus_id", "string", "", "bus at the other end", "operator", "line.to_bus"),
        Column("length_km", "float32", "km", "length; null for a transformer", "operator", "line.length_km"),
        Column("max_i_ka", "float32", "kA", "rated current; null for a transformer", "operator", "line.max_i_ka"),
        Column("sn_mva", "float32", "MVA", "rated power; null for a line", "operator", "trafo.sn_mva"),
    )),
    Table("bus_step", "a bus in one step (below trace level `full`: in the step of the highest transformer loading only)", "kpi", (*CLOCK_KEY, "bus_id"), (
        *CLOCK,
        Column("bus_id", "string", "", "bus of the feeder", "operator", "bus.name"),
        Column("vm_pu", "float32", "p.u.", "voltage magnitude", "operator", "res_bus.vm_pu"),
        Column("va_degree", "float32", "degree", "voltage angle", "operator", "res_bus.va_degree"),
    )),
    Table("line_step", "a line in one step (below `full`: as `bus_step`)", "kpi", (*CLOCK_KEY, "line_id"), (
        *CLOCK,
        Column("line_id", "string", "", "line of the feeder", "operator", "line.name"),
        Column("i_ka", "float32", "kA", "largest current of both ends", "operator", "res_line.i_ka"),
        Column("loading_percent", "float32", "%", "current over rated current", "operator", "res_line.loading_percent"),
        Column("p_from_mw", "float32", "MW", "active power into the line at its from-bus", "operator", "res_line.p_from_mw"),
    )),
    Table("trafo_step", "a transformer in one step (below `full`: as `bus_step`)", "kpi", (*CLOCK_KEY, "trafo_id"), (
        *CLOCK,
        Column("trafo_id", "string", "", "transformer of the feeder", "operator", "trafo.name"),
        Column("loading_percent", "float32", "%", "loading", "operator", "res_trafo.loading_percent"),
    )),
    Table("feeder_step", "the feeder in one step", "kpi", CLOCK_KEY, (
        *CLOCK,
        Column("p_total_kw", "float32", "kW", "sum of the households' active power"),
        Column("other_load_kw", "float32", "kW", "active power of loads that are no household's, such as farms and trades of a SimBench net"),
        Column("generation_kw", "float32", "kW", "active power that generators of the net give", "public", "res_sgen.p_mw"),
        Column("trafo_loading_percent", "float32", "%", "highest loading of a transformer; null without one", "public", "res_trafo.loading_percent"),
        Column("line_loading_percent", "float32", "%", "highest loading of a line; null without one", "public", "res_line.loading_percent"),
        Column("v_min_pu", "float32", "p.u.", "lowest voltage at a household", "public", "res_bus.vm_pu"),
        Column("v_max_pu", "float32", "p.u.", "highest voltage at a household", "public", "res_bus.vm_pu"),
        Column("losses_kw", "float32", "kW", "active power losses of the feeder"),
        Column("price_eur_per_kwh", "float32", "EUR/kWh", "price of energy in the step"),
        Column("n_violation", "int32", "1", "buses outside the voltage band plus overloaded lines and transformers"),
        Column("converged", "bool", "", "whether the power flow converged; if not, its results are null"),
        Column("iterations", "int32", "1", "iterations of the power flow"),
    )),
    Table("trip", "a vehicle's trip on one day", "agent", ("run_id", "algorithm", "phase", "seed", "day", "vehicle_id"), (
        RUN_ID, ALGORITHM, PHASE, SEED, DAY,
        Column("vehicle_id", "string", "", "the vehicle; of drivers also the agent's id"),
        Column("is_agent", "bool", "", "whether its driver chooses; background traffic does not"),
        Column("origin", "string", "", "edge it starts from", "private", "trip.from"),
        Column("destination", "string", "", "edge it goes to", "private", "trip.to"),
        Column("route", "int32", "1", "number of the route it took, as in `route_choice`", "operator"),
        Column("depart_s", "float64", "s", "planned departure", "operator", "trip.depart"),
        Column("depart_time", "timestamp", "", CALENDAR.format("depart_s"), "operator", clock="depart_s"),
        Column("arrival_s", "float64", "s", "arrival; null if under way at the end", "operator", "tripinfo.arrival"),
        Column("arrival_time", "timestamp", "", CALENDAR.format("arrival_s"), "operator", clock="arrival_s"),
        Column("travel_time_s", "float64", "s", "arrival less planned departure, with charges for teleports and unfinished trips", "private"),
        Column("free_flow_s", "float32", "s", "the same on an empty road at the limit", "operator"),
        Column("depart_delay_s", "float32", "s", "wait to enter the net; recorded days only", "operator", "tripinfo.departDelay"),
        Column("time_loss_s", "float32", "s", "time lost by driving below the ideal speed; recorded days only", "operator", "tripinfo.timeLoss"),
        Column("waiting_time_s", "float32", "s", "time at a standstill; recorded days only", "operator", "tripinfo.waitingTime"),
        Column("route_length_m", "float32", "m", "length driven; recorded days only", "operator", "tripinfo.routeLength"),
        Column("co2_g", "float32", "g", "CO2 by SUMO's emission model; recorded days only", "operator", "emissions.CO2_abs"),
        Column("n_teleport", "int32", "1", "times SUMO moved it on after a standstill", "simulator"),
        Column("finished", "bool", "", "whether it arrived", "operator"),
    )),
    Table("route_choice", "an alternative of a driver on one day", "agent", ("run_id", "algorithm", "phase", "seed", "day", "agent_id", "candidate"), (
        RUN_ID, ALGORITHM, PHASE, SEED, DAY,
        AGENT_ID,
        Column("candidate", "int32", "1", "alternative, counted from 0; the fastest empty road first"),
        Column("route", "int32", "1", "number of the route, the same for all drivers; known to neighbours", "exchanged"),
        Column("n_edge", "int32", "1", "edges of the route", "exchanged"),
        Column("free_flow_s", "float32", "s", "time on an empty road", "exchanged"),
        Column("own_prob", "float32", "1", "probability the driver's policy gave it; null for rows that have no policy", "private"),
        Column("chosen", "bool", "", "whether it was taken", "operator"),
    )),
    Table("edge", "an edge of the net", "kpi", ("run_id", "edge_id"), (
        RUN_ID,
        Column("edge_id", "string", "", "edge of the net", "public", "edge.id"),
        Column("from_junction", "string", "", "junction it starts at", "public", "edge.from"),
        Column("to_junction", "string", "", "junction it ends at", "public", "edge.to"),
        Column("length_m", "float32", "m", "length", "public", "lane.length"),
        Column("speed_limit_m_per_s", "float32", "m/s", "speed limit of its first lane", "public", "lane.speed"),
        Column("n_lane", "int32", "1", "lanes", "public"),
        Column("shape", "string", "m", "course of its first lane: x,y x,y …", "public", "lane.shape"),
    )),
    Table("edge_day", "an edge over a whole recorded day", "kpi", ("run_id", "algorithm", "phase", "seed", "day", "edge_id"), (
        RUN_ID, ALGORITHM, PHASE, SEED, DAY,
        Column("edge_id", "string", "", "edge of the net", "public", "edge.id"),
        Column("entered", "int32", "1", "vehicles that came onto it from another edge", "operator", "edge.entered"),
        Column("departed", "int32", "1", "vehicles that set out on it", "operator", "edge.departed"),
        Column("speed_m_per_s", "float32", "m/s", "mean speed over vehicles and time", "public", "edge.speed"),
        Column("traveltime_s", "float32", "s", "time to pass it at that speed", "public", "edge.traveltime"),
        Column("density_veh_per_km", "float32", "1/km", "vehicles per kilometre, mean over the day", "operator", "edge.density"),
        Column("waiting_time_s", "float32", "s", "time at a standstill, all vehicles", "operator", "edge.waitingTime"),
        Column("time_loss_s", "float32", "s", "time lost, all vehicles", "operator", "edge.timeLoss"),
        Column("co2_g", "float32", "g", "CO2 by SUMO's emission model", "operator", "edge.CO2_abs"),
    )),
    Table("edge_interval", "an edge in one interval of a recorded day", "full", ("run_id", "algorithm", "phase", "seed", "day", "begin_s", "edge_id"), (
        RUN_ID, ALGORITHM, PHASE, SEED, DAY,
        Column("begin_s", "float64", "s", "start of the interval on the simulation clock", "public", "interval.begin"),
        Column("begin_time", "timestamp", "", CALENDAR.format("begin_s"), clock="begin_s"),
        Column("end_s", "float64", "s", "end of the interval", "public", "interval.end"),
        Column("end_time", "timestamp", "", CALENDAR.format("end_s"), clock="end_s"),
        Column("edge_id", "string", "", "edge of the net", "public", "edge.id"),
        Column("entered", "int32", "1", "vehicles that came onto it", "operator", "edge.entered"),
        Column("left", "int32", "1", "vehicles that went off it", "operator", "edge.left"),
        Column("flow_veh_per_h", "float32", "1/h", "entered, per hour", "operator"),
        Column("speed_m_per_s", "float32", "m/s", "mean speed", "public", "edge.speed"),
        Column("traveltime_s", "float32", "s", "time to pass it at that speed", "public", "edge.traveltime"),
        Column("density_veh_per_km", "float32", "1/km", "vehicles per kilometre", "operator", "edge.density"),
        Column("occupancy_percent", "float32", "%", "share of it covered by vehicles", "operator", "edge.occupancy"),
        Column("waiting_time_s", "float32", "s", "time at a standstill, all vehicles", "operator", "edge.waitingTime"),
        Column("time_loss_s", "float32", "s", "time lost, all vehicles", "operator", "edge.timeLoss"),
        Column("co2_g", "float32", "g", "CO2 by SUMO's emission model", "operator", "edge.CO2_abs"),
    )),
    Table("network_interval", "the net in one interval of a recorded day", "kpi", ("run_id", "algorithm", "phase", "seed", "day", "begin_s"), (
        RUN_ID, ALGORITHM, PHASE, SEED, DAY,
        Column("begin_s", "float64", "s", "start of the interval on the simulation clock", "public", "interval.begin"),
        Column("begin_time", "timestamp", "", CALENDAR.format("begin_s"), clock="begin_s"),
        Column("end_s", "float64", "s", "end of the interval", "public", "interval.end"),
        Column("end_time", "timestamp", "", CALENDAR.format("end_s"), clock="end_s"),
        Column("departed", "int32", "1", "vehicles that entered the net", "public", "edge.departed"),
        Column("arrived", "int32", "1", "vehicles that reached their destination", "public", "edge.arrived"),
        Column("vehicles", "float32", "1", "mean number in the net", "public", "edge.sampledSeconds"),
        Column("speed_m_per_s", "float32", "m/s", "mean speed over vehicles", "public"),
        Column("time_loss_s", "float32", "s", "time lost, all vehicles", "operator", "edge.timeLoss"),
        Column("co2_g", "float32", "g", "CO2 by SUMO's emission model", "operator", "edge.CO2_abs"),
    )),
    Table("metric", "one number of the learner after one update", "kpi", (*RUN_KEY, "update", "name"), (
        *RUN,
        UPDATE,
        Column("name", "string", "", "which number"),
        Column("agent_id", "string", "", "agent it belongs to; null for the whole run"),
        Column("value", "float64", "", "its value, in `unit`; private where agent_id is set", "private"),
        Column("unit", "string", "", "unit of the value"),
    )),
    Table("kpi", "a key figure of the run", "kpi", ("run_id", "algorithm", "kpi", "scope"), (
        RUN_ID,
        ALGORITHM,
        Column("kpi", "string", "", "which figure"),
        Column("scope", "string", "", "what it is taken over: feeder, household, all days …"),
        Column("value", "float64", "", "its value, in `unit`"),
        Column("unit", "string", "", "unit of the value"),
        Column("baseline_value", "float64", "", "the same figure of the baseline"),
        Column("delta_percent", "float64", "%", "value against the baseline"),
        Column("ci_low", "float64", "", "lower end of the confidence interval"),
        Column("ci_high", "float64", "", "upper end of the confidence interval"),
        Column("n", "int32", "1", "independent samples behind it"),
        Column("method", "string", "", "how value and interval were computed"),
    )),
    Table("incident", "something that went wrong and how it was handled", "kpi", (*RUN_KEY, "code"), (
        *RUN,
        PHASE,
        UPDATE,
        DAY,
        STEP,
        SIM_TIME,
        TIME,
        Column("code", "string", "", "kind of incident, SS-W…", "operator"),
        Column("severity", "string", "", "info, warning or error", "operator"),
        Column("entity_id", "string", "", "agent, bus, line … it happened to", "operator"),
        Column("action_taken", "string", "", "what the program did about it", "operator"),
        Column("detail", "string", "", "values seen", "operator"),
    )),
)
# fmt: on

TABLES: dict[str, Table] = {table.name: table for table in _TABLES}


def table_named(name: str) -> Table:
    """The table of that name.

    Raises:
        CorruptError: the schema has no such table.
    """
    if name not in TABLES:
        raise CorruptError(f"{TRACE_SCHEMA} has no table {name!r}; known: {', '.join(TABLES)}")
    return TABLES[name]


def arrow_type(column: Column) -> "pa.DataType":
    """The Arrow type of a column."""
    import pyarrow as pa

    named = {"bool": pa.bool_(), "timestamp": pa.timestamp("ms")}
    return named.get(column.type) or pa.type_for_alias(column.type)


def arrow_schema(table: Table) -> "pa.Schema":
    """The Arrow schema of a table; unit, description, visibility and source stand in the field metadata."""
    import pyarrow as pa

    def field(column: Column) -> pa.Field:
        facts = {
            "unit": column.unit,
            "description": column.description,
            "visibility": column.visibility,
            "source": column.source,
        }
        return pa.field(
            column.name, arrow_type(column), nullable=column.name not in table.key, metadata=facts
        )

    units = json.dumps({column.name: column.unit for column in table.columns if column.unit})
    facts = {
        "ss.schema": TRACE_SCHEMA,
        "ss.table": table.name,
        "ss.grain": table.grain,
        "ss.units": units,  # here too, as not every reader shows field metadata
    }
    return pa.schema([field(column) for column in table.columns], metadata=facts)


def data_dictionary_markdown() -> str:
    """Every table and column as Markdown."""
    lines = [
        f"# Data dictionary of `{TRACE_SCHEMA}`",
        "",
        "Generated by `python -m ss_core.record.schema`; edit `ss_core/record/schema.py` instead.",
        "One row is one entity at one time. Null means not applicable; NaN never occurs.",
        "Unit, description and visibility stand in the metadata of every Parquet column, too.",
        "",
        "| visibility | meaning |",
        "|---|---|",
        *(f"| {name} | {meaning} |" for name, meaning in VISIBILITIES.items()),
    ]
    for table in TABLES.values():
        lines += [
            "",
            f"## {table.name}",
            "",
            f"One row: {table.grain}. Written from `--trace {table.level}` up.",
            "",
            "| column | type | unit | description | visibility | source |",
            "|---|---|---|---|---|---|",
        ]
        for column in table.columns:
            name = f"**{column.name}**" if column.name in table.key else column.name
            facts = (column.unit, column.description, column.visibility, column.source)
            lines.append(f"| {' | '.join((name, column.type, *facts))} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write docs/data-dictionary.md of the checkout this module lies in."""
    path = Path(__file__).resolve().parents[2] / "docs" / "data-dictionary.md"
    path.write_text(data_dictionary_markdown(), encoding="utf-8")


if __name__ == "__main__":
    main()
