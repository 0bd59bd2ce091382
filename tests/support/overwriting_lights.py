"""A server of lights that overwrites programs as sumo-rl does: libsumo 1.28 then never ends a step.

Only where the light's own program is actuated or delay-based, and not over TraCI.
"""

from typing import Any

from trafficsim.signals.child import bridge, server


def overwrite(self: Any, name: str, logic: Any) -> None:
    """Under the program's own name."""
    self._lights.setProgramLogic(name, logic)


if __name__ == "__main__":
    bridge._SoundPrograms.setProgramLogic = overwrite
    server.main()
