"""The child process in which SUMO's `duaIterate.py` runs; it and what it starts end with us.

python -m trafficsim.references.duaiterate_child PATH_OF_DUAITERATE ARGUMENTS
"""

import functools
import runpy
import subprocess
import sys
from pathlib import Path

from trafficsim.sumo.server import die_with_parent


def main() -> None:
    """Run the tool as if it had been called itself."""
    die_with_parent()
    subprocess.Popen = functools.partial(subprocess.Popen, preexec_fn=die_with_parent)  # type: ignore[misc]
    sys.argv = sys.argv[1:]
    tool = Path(sys.argv[0])
    sys.path.insert(0, str(tool.parent))  # its other modules lie beside it
    runpy.run_path(str(tool), run_name="__main__")


if __name__ == "__main__":
    main()
