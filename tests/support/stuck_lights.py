"""A server of lights whose second never ends once the light A0 has been switched."""

import time
from typing import Any

from trafficsim.signals.child import bridge, server

plain_second = bridge.SignalSimulation._second


def second(self: Any) -> None:
    light = self._env.traffic_signals.get("A0")
    if light is not None and light.green_phase:
        self._progress.begin_second(self._time_s)
        time.sleep(600)
    plain_second(self)


if __name__ == "__main__":
    bridge.SignalSimulation._second = second
    server.main()
