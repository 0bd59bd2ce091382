"""Compiled feeders: shipped data, file formats, transformer ratings, households, unfit nets."""

import dataclasses
import hashlib
import json
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridsim.network.feeder import (
    ARRAY_FIELDS,
    NAME_FIELDS,
    SCALAR_FIELDS,
    attach_households,
    load_compiled,
    save_feeder,
    with_transformer_rating,
)
from gridsim.network.pandapower_io import (
    SHIPPED,
    compile_feeder,
    feeder_names,
    load_feeder,
    read_net,
)
from gridsim.powerflow.audit import audit
from gridsim.powerflow.solve import solve_power_flow
from ss_core.errors import InputError
from ss_core.resources import data_path
from tests.support.fault_counts import counted

OLD_NETS = Path(__file__).parents[2] / "data" / "old_nets"
SIZES = {"kerber_dorfnetz": (116, 57), "schutterwald_56": (118, 56), "kerber_146": (294, 146)}


def feeder(name="kerber_dorfnetz", households=50, kva_per_household=None):
    return load_feeder(name, households=households, kva_per_household=kva_per_household)


def assert_same(one, other):
    for field in (*SCALAR_FIELDS, *NAME_FIELDS):
        assert getattr(one, field) == getattr(other, field), field
    for field in ARRAY_FIELDS:
        np.testing.assert_array_equal(getattr(one, field), getattr(other, field), err_msg=field)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_feeder_has_its_buses_and_loads(name):
    shipped = feeder(name)
    assert (shipped.bus_count, shipped.load_count) == SIZES[name]
    assert len(shipped.trafo_index) == 1


def test_shipped_files_match_their_checksums():
    folder = data_path("feeders")
    lines = (folder / "SHA256SUMS").read_text().split("\n")[:-1]
    assert len(lines) == 2 * len(SHIPPED)
    for line in lines:
        digest, name = line.split("  ")
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name


def test_shipped_feeders_load_and_solve_without_pandapower_or_numba():
    code = (
        "import sys, numpy as np\n"
        "from gridsim.network.pandapower_io import load_feeder\n"
        "from gridsim.powerflow.solve import solve_power_flow\n"
        "f = load_feeder('kerber_dorfnetz', households=50, kva_per_household=2.0)\n"
        "p = np.full((3, f.load_count), 1e-3)\n"
        "assert solve_power_flow(f, p, 0 * p).converged.all()\n"
        "print([m for m in ('pandapower', 'pandas', 'numba', 'torch') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert result.stdout.strip() == "[]"


def test_the_frozen_arrays_are_what_the_frozen_net_compiles_to():
    for name in SHIPPED:
        fresh, frozen = compile_feeder(read_net(name), name), feeder(name)
        assert fresh.bus_name == frozen.bus_name
        for field in ARRAY_FIELDS:
            np.testing.assert_allclose(getattr(fresh, field), getattr(frozen, field), rtol=1e-12)


def test_a_feeder_survives_saving_and_loading(tmp_path):
    original = feeder("schutterwald_56", kva_per_household=3.0)
    save_feeder(original, tmp_path / "one.npz")
    save_feeder(original, tmp_path / "two.npz")
    assert_same(load_compiled(tmp_path / "one.npz"), original)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_a_damaged_compiled_feeder_is_refused(tmp_path):
    with np.load(data_path("feeders/kerber_dorfnetz.npz")) as archive:
        arrays = dict(archive)
    for name, values in {
        "load_bus": arrays["load_bus"] + 116,
        "line_length_km": arrays["line_length_km"][:-1],
        "yff": arrays["yff"] * np.nan,
        "meta": np.frombuffer(b"{}", np.uint8),
    }.items():
        np.savez(tmp_path / "bad.npz", **(arrays | {name: values}))
        with pytest.raises(InputError, match=r"bad\.npz: not a compiled feeder"):
            load_compiled(tmp_path / "bad.npz")
    meta = json.loads(arrays["meta"].tobytes())
    for change, what in (
        ({"slack_bus": -1}, "slack_bus -1"),
        ({"sn_mva": "1"}, "sn_mva '1'"),
        ({"slack_vm_pu": float("nan")}, "slack_vm_pu nan"),
        ({"load_name": ["x"]}, "load_name does not name"),
    ):
        spoilt = np.frombuffer(json.dumps(meta | change).encode(), np.uint8)
        np.savez(tmp_path / "bad.npz", **{**arrays, "meta": spoilt})
        with pytest.raises(InputError, match=what):
            load_compiled(tmp_path / "bad.npz")
    with zipfile.ZipFile(tmp_path / "bad.npz", "w") as archive:
        archive.writestr("meta.npy", b"\x93NUMPY\x01\x00\x10\x00{'shape': (11,\n\n\n")
    with pytest.raises(InputError, match="not a compiled feeder"):  # tokenize.TokenError
        load_compiled(tmp_path / "bad.npz")
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 nonsense")
    with pytest.raises(InputError, match="not a compiled feeder"):
        load_compiled(tmp_path / "bad.npz")


def test_two_kva_for_each_of_fifty_households_make_a_100_kva_transformer():
    shipped, small = feeder(), feeder(kva_per_household=2.0)
    assert shipped.transformer_sn_mva == pytest.approx(0.4)
    assert small.transformer_sn_mva == pytest.approx(0.1)
    trafo, line = shipped.trafo_branch, shipped.line_branch
    np.testing.assert_allclose(small.yft[trafo], shipped.yft[trafo] / 4)
    np.testing.assert_array_equal(small.yft[line], shipped.yft[line])


def test_a_scaled_transformer_equals_the_one_pandapower_builds():
    net = read_net("kerber_dorfnetz")
    net.trafo["sn_mva"] *= 0.25
    net.trafo["pfe_kw"] *= 0.25
    rebuilt = compile_feeder(net, "kerber_dorfnetz")
    scaled = with_transformer_rating(feeder(), 0.1)
    for field in ("yff", "yft", "ytf", "ytt", "trafo_sn_mva"):
        np.testing.assert_allclose(getattr(scaled, field), getattr(rebuilt, field), rtol=1e-13)


@pytest.mark.parametrize("sn_mva", [0.0, -1.0, float("nan"), float("inf")])
def test_a_transformer_needs_a_positive_rating(sn_mva):
    with pytest.raises(InputError, match="give one above 0"):
        with_transformer_rating(feeder(), sn_mva)


@given(households=st.integers(1, 300))
def test_every_household_gets_a_connection_and_shares_differ_by_at_most_one(households):
    attachment = attach_households(feeder(), households)
    count = np.bincount(attachment.load_of_household, minlength=57)
    assert count.sum() == households
    assert count.max() - count.min() <= 1
    assert np.all(np.diff(count) <= 0)


def test_households_that_share_a_connection_add_up_and_empty_connections_draw_nothing():
    few = attach_households(feeder(), 2)
    np.testing.assert_array_equal(few.load_power(np.array([[1.0, 2.0]]))[0, :4], [1, 2, 0, 0])
    assert "first 2 of the 57" in few.sentence
    many = attach_households(feeder(), 58)
    power = many.load_power(np.arange(58.0)[None])
    assert power[0, 0] == 0 + 57
    assert power[0, 1] == 1
    assert "1 or 2 on each" in many.sentence
    with pytest.raises(InputError, match="at least one"):
        attach_households(feeder(), 0)


def spoil_load(net):
    net.load.loc[3, "p_mw"] = float("nan")
    net.load.loc[4, "p_mw"] = -0.001
    net.load.loc[5, "q_mvar"] = float("inf")


def spoil_length(net):
    net.line.loc[7, "length_km"] = 0.0


def spoil_source(net):
    net.ext_grid["in_service"] = False


def spoil_second_source(net):
    import pandapower

    pandapower.create_ext_grid(net, 5)


def spoil_line(net):
    net.line.loc[0, "in_service"] = False


def spoil_loads(net):
    net.load["in_service"] = False


def spoil_generator(net):
    import pandapower

    pandapower.create_gen(net, 5, p_mw=0.001)
    pandapower.create_ward(net, 6, ps_mw=0.001, qs_mvar=0.0, pz_mw=0.0, qz_mvar=0.0)
    pandapower.create_sgen(net, 7, p_mw=-0.001)


def spoil_reference(net):
    net.line.loc[2, "to_bus"] = 9999


def spoil_voltage(net):
    net.bus.loc[5, "vn_kv"] = 0.0


def spoil_index(net):
    net.bus.rename(index={40: 10**12}, inplace=True)


def spoil_switch(net):
    import pandapower

    pandapower.create_switch(net, 2, 1, et="l")
    net.switch["element"] = 9999


BAD_NETS = {
    "loads": (spoil_load, ["load 3: p_mw=nan", "load 4: p_mw=-0.001", "load 5: q_mvar=inf"]),
    "zero length": (spoil_length, ["line 7: length_km=0", "closed switch"]),
    "no source": (spoil_source, ["no ext_grid in service"]),
    "two sources": (spoil_second_source, ["2 sources", "split the net"]),
    "island": (spoil_line, ["not supplied", "close a switch"]),
    "no loads": (spoil_loads, ["no load in service"]),
    "elements": (spoil_generator, ["gen 0: voltage-controlled", "ward 0: wards", "sgen 0: p_mw"]),
    "dangling": (spoil_reference, ["line 2: to_bus=9999 is not in the bus table"]),
    "voltage": (spoil_voltage, ["bus 5: vn_kv=0"]),
    "index": (spoil_index, ["bus 1000000000000: an index must be"]),
    "switch": (spoil_switch, ["switch 0: line 9999 does not exist"]),
}


@pytest.mark.parametrize("case", BAD_NETS)
def test_an_unfit_net_is_refused_with_all_its_problems(case):
    spoil, messages = BAD_NETS[case]
    net = read_net("kerber_dorfnetz")
    spoil(net)
    with pytest.raises(InputError) as refusal:
        compile_feeder(net, "village.json")
    for message in ["village.json", *messages]:
        assert message in str(refusal.value)
    counted("F9")


def document():
    return json.loads(data_path("feeders/kerber_dorfnetz.json").read_text())


def test_a_file_that_names_a_module_to_import_is_refused_and_nothing_is_imported(tmp_path):
    sys.modules.pop("this", None)
    evil = document()
    evil["_object"]["surprise"] = {"_module": "this", "_class": "s", "_object": "{}"}
    path = tmp_path / "evil.json"
    path.write_text(json.dumps(evil))
    with pytest.raises(InputError, match=r"'surprise' is an object of this\.s"):
        read_net(path)
    table = json.loads(evil["_object"]["load"]["_object"])
    table["data"][0][0] = {"_module": "this", "_class": "s", "_object": "{}"}
    del evil["_object"]["surprise"]
    evil["_object"]["load"]["_object"] = json.dumps(table)
    path.write_text(json.dumps(evil))
    with pytest.raises(InputError, match=r"table 'load', row 0, column 'name'"):
        read_net(path)
    assert "this" not in sys.modules


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not valid JSON, line 1"),
        (b"\xff\xfe", "not text in UTF-8"),
        (b"[" * 200_000, "not valid JSON"),
        (b'{"bus": []}', "not a pandapower net"),
        (b'{"_module":"pandapower.auxiliary","_class":"pandapowerNet","_object":{"bus":{"_module":'
         b'"pandas.core.frame","_class":"DataFrame","_object":"{}","orient":"split"}}}',
         "table 'bus': has no columns, index and data"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_net_is_refused(tmp_path, content, message):
    path = tmp_path / "net.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_net(path)
    counted("F9")


def test_an_unknown_name_and_a_folder_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"neither a file nor a built-in.*kerber_dorfnetz"):
        read_net("kerber_dorfnets")
    with pytest.raises(InputError, match="not a regular file"):
        read_net(tmp_path)
    assert feeder_names()[:3] == SHIPPED


def test_pandapowers_own_file_of_a_net_compiles_to_the_same_feeder(tmp_path):
    import pandapower

    net = read_net("schutterwald_56")
    pandapower.to_json(net, str(tmp_path / "town.json"))
    again = load_feeder(tmp_path / "town.json", households=50, kva_per_household=None)
    assert_same(dataclasses.replace(again, name="schutterwald_56"), feeder("schutterwald_56"))


@pytest.mark.parametrize(
    ("version", "lowest_vm_pu", "trafo_loading_percent"),
    [("2.14.10", 0.99166, 8.52), ("3.0.0", 0.97238, 65.77), ("3.1.2", 0.97238, 65.77)],
)
def test_a_file_of_an_older_pandapower_solves_as_pandapower_solves_it(
    version, lowest_vm_pu, trafo_loading_percent
):
    import pandapower

    path = OLD_NETS / f"pandapower-{version}.json"
    old = load_feeder(path, households=8, kva_per_household=None)
    p_mw, q_mvar = old.load_p_mw[None], old.load_q_mvar[None]
    flow = solve_power_flow(old, p_mw, q_mvar)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandapower's own, of columns that such files lack
        net: Any = pandapower.from_json(str(path))
        pandapower.runpp(net, tolerance_mva=1e-10, numba=False)
    vm_pu = np.abs(flow.v_pu[0])
    np.testing.assert_allclose(vm_pu, net.res_bus.vm_pu.loc[old.bus_index], atol=1e-9)
    for loading, table in (
        (flow.line_loading_percent[0], net.res_line.loc[old.line_index]),
        (flow.trafo_loading_percent[0], net.res_trafo.loc[old.trafo_index]),
    ):
        np.testing.assert_allclose(loading, table.loading_percent, atol=1e-5)
    assert vm_pu.min() == pytest.approx(lowest_vm_pu, abs=5e-6)
    assert flow.trafo_loading_percent.max() == pytest.approx(trafo_loading_percent, abs=5e-3)
    checked = audit(path, old, p_mw, q_mvar, flow, samples=1, rng=np.random.default_rng(0))
    assert (checked.steps_checked, checked.steps_disputed) == (1, 0)
    assert checked.max_dv_pu < 1e-9


def older_net(path, **tables):
    """A file of an older pandapower, with rows put into its tables, or other settings."""
    old = json.loads((OLD_NETS / "pandapower-2.14.10.json").read_text())
    for name, content in tables.items():
        if isinstance(content, dict):
            kept = {"_module": "pandas.core.frame", "_class": "DataFrame", "orient": "split"}
            rows = [list(content.values())]
            frame = {"columns": list(content), "index": [0], "data": rows}
            old["_object"][name] = kept | {"_object": json.dumps(frame)}
        else:
            old["_object"][name] = content
    path.write_text(json.dumps(old))
    return path


def test_shares_of_loads_are_renamed_and_what_is_new_gets_its_columns(tmp_path):
    load = {"name": None, "bus": 3, "p_mw": 0.002, "q_mvar": 0.001, "const_z_percent": 30,
            "const_i_percent": 20, "sn_mva": None, "scaling": 1, "in_service": True}  # fmt: skip
    net = read_net(older_net(tmp_path / "old.json", load=load))
    (shares,) = net.load[[f"const_{c}_{p}_percent" for c in "zi" for p in "pq"]].to_numpy().tolist()
    assert shares == [30.0, 30.0, 20.0, 20.0]
    empty = pandapower_tables()
    for name in ("bus", "load", "line", "trafo"):
        assert set(empty[name].columns) <= set(net[name].columns)


def pandapower_tables():
    import pandapower

    return pandapower.create_empty_network()


@pytest.mark.parametrize(
    "content",
    [
        {"format_version": "1.4.0", "piecewise_linear_cost": {"type": "p", "element": 0}},
        {"std_types": {"line": 1}},
        {"load": {"const_z_percent": 1.0, "const_i_percent": 1.0, "const_i_q_percent": 1.0}},
        {"format_version": "nonsense"},
    ],
    ids=lambda content: " ".join(content),
)
def test_an_older_file_that_cannot_be_converted_is_refused(tmp_path, content):
    with pytest.raises(InputError, match=r"old\.json"):
        compile_feeder(read_net(older_net(tmp_path / "old.json", **content)), "old.json")
    counted("F9")


@pytest.mark.parametrize("nested", ["[" * 100_000, '{"type":' * 100_000], ids=["list", "object"])
def test_coordinates_nested_without_end_are_refused_or_left_out(tmp_path, nested):
    path = tmp_path / "deep.json"
    for source in (OLD_NETS / "pandapower-3.0.0.json", data_path("feeders/kerber_dorfnetz.json")):
        deep = json.loads(source.read_text())
        bus = json.loads(deep["_object"]["bus"]["_object"])
        bus["data"][0][bus["columns"].index("geo")] = nested
        deep["_object"]["bus"]["_object"] = json.dumps(bus)
        path.write_text(json.dumps(deep))
        if deep["_object"]["version"] == "3.0.0":
            with pytest.raises(InputError, match="cannot be converted"):
                read_net(path)
        else:
            assert np.isnan(compile_feeder(read_net(path), "deep").bus_x[0])
        counted("F9")


def test_fused_buses_and_open_lines_are_honoured():
    import pandapower

    net = read_net("kerber_dorfnetz")
    extra = pandapower.create_bus(net, vn_kv=0.4, name="annex")
    pandapower.create_switch(net, 3, extra, et="b", closed=True)
    pandapower.create_load(net, extra, p_mw=0.002)
    pandapower.create_switch(net, int(net.line.from_bus[1]), 1, et="l", closed=True)
    changed = compile_feeder(net, "switched")
    assert changed.bus_count == 116
    assert changed.load_count == 58
    assert changed.load_bus[-1] == changed.load_bus[0]
