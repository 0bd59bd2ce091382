"""Pack what fuzzing kept into the corpus: `python -m tests.fuzz.keep TARGET...`."""

import sys
import zipfile

from tests.fuzz.targets import CORPUS, ROOT

FINDS = ("crash-", "oom-", "timeout-", "slow-unit-", "leak-")  # what was found stands in a test


def main() -> None:
    """`.fuzz/<target>/` of each target named becomes `corpus/<target>.zip`; finds are left out."""
    for name in sys.argv[1:]:
        kept = sorted(
            path for path in (ROOT / ".fuzz" / name).iterdir() if not path.name.startswith(FINDS)
        )
        with zipfile.ZipFile(CORPUS / f"{name}.zip", "w") as archive:
            for path in kept:
                entry = zipfile.ZipInfo(path.name)  # of 1980: the same inputs, the same bytes
                archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
        sys.stdout.write(f"{name}: {len(kept)} inputs\n")


if __name__ == "__main__":
    main()
