"""A side street that meets a main road, with right of way. Not collected by pytest."""

from pathlib import Path

import numpy as np

from trafficsim.demand.trips import VehicleType
from trafficsim.link_model.model import LinkModel
from trafficsim.link_model.tables import Drivers
from trafficsim.sumo.simulation import Scene, SumoConfig

QUIET = VehicleType("car", (("sigma", "0"), ("speedDev", "0")))
# nothing is lost anywhere: times are lengths over 10 m/s
PLAIN = Drivers(
    free_factor=1.0,
    start_s=0.0,
    insertion_s=1.0,
    headway_factor=1.0,
    spacing_factor=1.0,
    gap_s=4.0,
    clearance_factor=1.0,
    merge_factor=1.0,
    minor_s=0.0,
    startup_factor=0.0,
    impatience_s=1e9,
    speed_noise=0.0,
    headway_noise=0.0,
)
ROUTES = (("main", "out"), ("side", "out"))
MAIN, SIDE = 0, 1
LANE = '<lane id="{0}_0" index="0" speed="10" length="{1}" shape="0,0 1,1"/>'
SIGNAL = (
    '<tlLogic id="c" type="{kind}" programID="0" offset="{offset}">'
    '<phase duration="20" state="{first}" minDur="5" maxDur="40"/>'
    '<phase duration="10" state="{second}"/></tlLogic>'
)


def crossing_text(
    *,
    junction: str = "priority",
    signal: str = "",
    side_waits_inside: bool = False,
    out_m: float = 100.0,
) -> str:
    """The net; `signal` is its `tlLogic` element. The side street yields to the main road."""
    tl = ' tl="c" linkIndex="{}"' if signal else "{}"
    lines = ['<net version="1.20">']
    inner = [(":c_0", 10), (":c_1", 10)] + ([(":c_2", 10)] if side_waits_inside else [])
    for name, length in inner:
        lines.append(f'<edge id="{name}" function="internal">{LANE.format(name, length)}</edge>')
    for name, start, end, length in (
        ("main", "w", "c", 100),
        ("side", "s", "c", 100),
        ("out", "c", "e", out_m),
    ):
        lane = LANE.format(name, length)
        lines.append(f'<edge id="{name}" from="{start}" to="{end}">{lane}</edge>')
    lines.append(signal)
    rows = '<request index="0" response="00" foes="10" cont="0"/>'
    rows += '<request index="1" response="01" foes="01" cont="0"/>'
    lines.append(f'<junction id="c" type="{junction}" x="0" y="0">{rows}</junction>')
    lines += [f'<junction id="{name}" type="dead_end" x="0" y="0"/>' for name in "wse"]
    for at, name in enumerate(("main", "side")):
        control = tl.format(at if signal else "")
        lines.append(
            f'<connection from="{name}" to="out" fromLane="0" toLane="0" via=":c_{at}_0"{control} '
            'dir="s" state="M"/>'
        )
    last = ' via=":c_2_0"' if side_waits_inside else ""
    lines.append('<connection from=":c_0" to="out" fromLane="0" toLane="0" dir="s" state="M"/>')
    lines.append(
        f'<connection from=":c_1" to="out" fromLane="0" toLane="0"{last} dir="s" state="M"/>'
    )
    if side_waits_inside:
        lines.append('<connection from=":c_2" to="out" fromLane="0" toLane="0" dir="s" state="M"/>')
    return "\n".join([*lines, "</net>"])


def crossing_scene(
    folder: Path,
    depart_s: list[float],
    *,
    text: str | None = None,
    kind: VehicleType = QUIET,
    sumo: SumoConfig | None = None,
) -> Scene:
    """Vehicles that leave at these times."""
    net = folder / "crossing.net.xml"
    net.write_text(crossing_text() if text is None else text)
    return Scene(
        net=str(net),
        types=(kind,),
        routes=ROUTES,
        vehicle_ids=tuple(f"v{at}" for at in range(len(depart_s))),
        type_ids=(kind.type_id,) * len(depart_s),
        depart_s=np.array(depart_s),
        watched=("main", "side", "out"),
        is_deterministic=kind.is_deterministic,
        sumo=sumo or SumoConfig(),
    )


def times_of(scene: Scene, routes: list[int], drivers: Drivers = PLAIN) -> list[float]:
    """Travel times in s of one day without noise."""
    model = LinkModel.of(scene).with_drivers(drivers)
    (row,) = model.play(np.array([routes]), model.noise(1, 0)).times_s
    return [round(value, 6) for value in row.tolist()]
