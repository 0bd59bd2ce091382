"""What makes a pandapower net unfit for a feeder: every problem found, in words.

Works on the tables of a net (pandas frames) without importing pandapower.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

SUPPORTED = ("bus", "load", "sgen", "ext_grid", "line", "trafo", "switch", "shunt", "impedance")
UNSUPPORTED = {
    "gen": "voltage-controlled generators",
    "motor": "motors",
    "asymmetric_load": "unbalanced loads",
    "asymmetric_sgen": "unbalanced generators",
    "trafo3w": "three-winding transformers",
    "ward": "wards",
    "xward": "extended wards",
    "dcline": "DC lines",
    "bus_dc": "DC buses",
    "line_dc": "DC lines",
    "load_dc": "DC loads",
    "source_dc": "DC sources",
    "vsc": "converters",
    "vsc_stacked": "converters",
    "vsc_bipolar": "converters",
    "svc": "static var compensators",
    "ssc": "static synchronous compensators",
    "tcsc": "series compensators",
}
OFF = "set in_service=False, or remove them"
INSTEAD = {  # of what is not supported
    "motor": f"make loads of them, or {OFF}",
    "asymmetric_load": f"make a load of each, with the sum of its phases, or {OFF}",
}
REFERENCES = {  # table: columns that name a bus
    "load": ("bus",),
    "sgen": ("bus",),
    "ext_grid": ("bus",),
    "line": ("from_bus", "to_bus"),
    "trafo": ("hv_bus", "lv_bus"),
    "shunt": ("bus",),
    "switch": ("bus",),
    "impedance": ("from_bus", "to_bus"),
}
# table, column, smallest value, whether that value itself is allowed
RANGES = (
    ("bus", "vn_kv", 0.0, False),
    ("load", "p_mw", 0.0, True),
    ("load", "q_mvar", -np.inf, False),
    ("load", "scaling", 0.0, True),
    ("sgen", "p_mw", 0.0, True),
    ("sgen", "q_mvar", -np.inf, False),
    ("sgen", "scaling", 0.0, True),
    ("ext_grid", "vm_pu", 0.0, False),
    ("ext_grid", "va_degree", -np.inf, False),
    ("line", "length_km", 0.0, False),
    ("line", "r_ohm_per_km", 0.0, True),
    ("line", "x_ohm_per_km", -np.inf, False),
    ("line", "c_nf_per_km", 0.0, True),
    ("line", "g_us_per_km", 0.0, True),
    ("line", "max_i_ka", 0.0, False),
    ("line", "df", 0.0, False),
    ("line", "parallel", 0.0, False),
    ("trafo", "sn_mva", 0.0, False),
    ("trafo", "vn_hv_kv", 0.0, False),
    ("trafo", "vn_lv_kv", 0.0, False),
    ("trafo", "vk_percent", 0.0, False),
    ("trafo", "vkr_percent", 0.0, True),
    ("trafo", "pfe_kw", 0.0, True),
    ("trafo", "i0_percent", 0.0, True),
    ("trafo", "df", 0.0, False),
    ("trafo", "parallel", 0.0, False),
)
REMEDIES = {
    ("load", "p_mw"): "make an sgen of what generates",
    ("sgen", "p_mw"): "make a load of what consumes",
    ("line", "length_km"): "join its two buses with a closed switch instead",
}
MAX_INDEX = 10_000_000  # pandapower's lookup tables are as long as the largest bus index
SWITCHED = {"b": "bus", "l": "line", "t": "trafo"}  # what a switch's `et` says its element is
Net = Any  # pandapowerNet: a dict of pandas frames


def net_problems(net: Net) -> list[str]:
    """Every problem of the tables; an empty list means that the net can be compiled."""
    return [
        *_unsupported_elements(net),
        *_missing_parts(net),
        *_indices_out_of_range(net),
        *_dangling_references(net),
        *_dangling_switches(net),
        *_values_out_of_range(net),
        *_several_sources(net),
        *_lines_without_impedance(net),
    ]


def unsupplied_problems(net: Net) -> list[str]:
    """Buses that no source reaches, known only after a solve."""
    dark = net.res_bus.index[net.res_bus["vm_pu"].isna() & net.bus["in_service"].astype(bool)]
    if not len(dark):
        return []
    shown = ", ".join(str(bus) for bus in dark[:10]) + (", ..." if len(dark) > 10 else "")
    return [
        f"{len(dark)} buses are not supplied (bus {shown}): close a switch or line on the way, "
        "or set them in_service=False"
    ]


def _in_service(net: Net, table: str) -> Any:
    frame = net[table]
    return frame[frame["in_service"].astype(bool)] if "in_service" in frame.columns else frame


def _unsupported_elements(net: Net) -> Iterator[str]:
    for table, words in UNSUPPORTED.items():
        if table in net and len(net[table]):
            active = _in_service(net, table)
            if len(active):
                remedy = INSTEAD.get(table, "remove them or set in_service=False")
                yield f"{table} {_listing(active.index)}: {words} are not supported; {remedy}"


def _missing_parts(net: Net) -> Iterator[str]:
    if not len(_in_service(net, "bus")):
        yield "no bus in service: the net is empty"
    if not len(_in_service(net, "load")):
        yield "no load in service: add one load for each house connection"
    if not len(_in_service(net, "ext_grid")):
        yield "no ext_grid in service: add one at the supplying bus"


def _dangling_references(net: Net) -> Iterator[str]:
    buses = set(net.bus.index)
    for table, columns in REFERENCES.items():
        for column in columns:
            for element, bus in net[table][column].items() if len(net[table]) else ():
                if bus not in buses:
                    yield f"{table} {element}: {column}={bus} is not in the bus table; correct it"


def _indices_out_of_range(net: Net) -> Iterator[str]:
    for table in SUPPORTED:
        for element in net[table].index[(net[table].index < 0) | (net[table].index > MAX_INDEX)]:
            yield f"{table} {element}: an index must be between 0 and {MAX_INDEX}; renumber it"


def _dangling_switches(net: Net) -> Iterator[str]:
    for switch, kind, element in zip(
        net.switch.index, net.switch["et"], net.switch["element"], strict=True
    ):
        if kind not in SWITCHED:
            yield f"switch {switch}: et={kind!r} is not supported; use one of {sorted(SWITCHED)}"
        elif element not in net[SWITCHED[kind]].index:
            yield f"switch {switch}: {SWITCHED[kind]} {element} does not exist; correct it"


def _values_out_of_range(net: Net) -> Iterator[str]:
    for table, column, low, inclusive in RANGES:
        frame = _in_service(net, table)
        if not len(frame) or column not in frame.columns:
            continue
        try:
            values = frame[column].to_numpy(dtype=float)
        except (TypeError, ValueError):
            yield f"{table}: {column} holds texts instead of numbers; correct them"
            continue
        good = np.isfinite(values) & ((values >= low) if inclusive else (values > low))
        for element, value in zip(frame.index[~good], values[~good], strict=True):
            bound = "" if low == -np.inf else f" {'at least' if inclusive else 'above'} {low:g}"
            remedy = REMEDIES.get((table, column), "correct the value")
            yield f"{table} {element}: {column}={value:g} is not a finite number{bound}; {remedy}"


def _several_sources(net: Net) -> Iterator[str]:
    sources = _in_service(net, "ext_grid")
    if len(sources) > 1:
        yield (
            f"ext_grid {_listing(sources.index)}: {len(sources)} sources; a feeder has one: "
            "split the net into its areas, or set the others in_service=False"
        )


def _lines_without_impedance(net: Net) -> Iterator[str]:
    lines = _in_service(net, "line")
    if not len(lines):
        return
    zero = (lines["r_ohm_per_km"] == 0) & (lines["x_ohm_per_km"] == 0)
    for element in lines.index[zero]:
        yield f"line {element}: r and x are both 0; join its two buses with a closed switch instead"


def _listing(index: Any) -> str:
    shown = ", ".join(str(element) for element in index[:5])
    return shown + (f", ... ({len(index)} in all)" if len(index) > 5 else "")
