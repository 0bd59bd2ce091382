"""What a net lacks for three phases is filled in once, and counted in words."""

import numpy as np
import pytest

from gridsim.network.pandapower_io import load_feeder, read_net
from gridsim.network.sequences import compile_sequences
from gridsim.network.zero_sequence import fill_zero_sequence
from ss_core.errors import InputError
from tests.support.unbalanced_nets import small_net, written


def test_what_was_filled_in_is_counted():
    net = read_net("kerber_dorfnetz")
    assert fill_zero_sequence(net, "village") == [
        "data for three phases that the net lacks, filled in: 114 of 114 lines (zero sequence 4 "
        "times the positive one, as four-core cables), 1 of 1 transformers (zero sequence as the "
        "positive one), the grid above (100 MVA short-circuit power)"
    ]
    assert np.allclose(net.line.r0_ohm_per_km, 4 * net.line.r_ohm_per_km)
    assert net.trafo.at[0, "vector_group"] == "Dyn"
    assert fill_zero_sequence(net, "village") == []


def test_values_of_the_net_stay_beside_those_filled_in():
    net = small_net()
    net.line.loc[1, ["r0_ohm_per_km", "c0_nf_per_km"]] = np.nan
    net.trafo["vector_group"] = None
    (note,) = fill_zero_sequence(net, "net")
    assert "1 of 4 lines" in note
    assert "vector group Dyn of 1 of 1 transformers" in note
    assert "grid above" not in note
    assert net.line.at[1, "r0_ohm_per_km"] == pytest.approx(4 * 0.32)
    assert net.line.at[1, "x0_ohm_per_km"] == pytest.approx(0.37)
    assert net.line.at[0, "r0_ohm_per_km"] == pytest.approx(1.1)


def test_an_unknown_vector_group_is_refused_with_a_remedy(tmp_path):
    net = small_net()
    net.trafo["vector_group"] = "Yyn0"
    path = written(net, tmp_path)
    feeder = load_feeder(path, households=3, kva_per_household=None)
    with pytest.raises(InputError, match=r"trafo 0: vector_group='Yyn0'.*YNyn, Dyn, Yzn.*balanced"):
        compile_sequences(path, feeder)
