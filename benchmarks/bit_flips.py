"""Flipped bits in every file of a finished and of a killed storage.

Run it as ``python -m benchmarks.bit_flips`` from the root of the repository. It flips every
byte of a small file and 1,000 random ones of each larger file, and prints the outcomes.
"""

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))


def main() -> None:
    """Print one line per storage, and every flip that changed a number."""
    from reliability.flipping import SMALL, examine, storages

    from hedgecore.threads import one_thread

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=1000, help="flips in a larger file")
    parser.add_argument("--small", type=int, default=SMALL, help="size of files flipped whole")
    parser.add_argument("--only", choices=["finished", "killed"], help="one of the two storages")
    arguments = parser.parse_args()
    one_thread()
    with TemporaryDirectory() as folder:
        swept = storages(Path(folder))
        for name in [arguments.only] if arguments.only else swept:
            tally = examine(
                swept[name],
                swept["finished"],
                Path(folder),
                most=arguments.most,
                small=arguments.small,
            )
            counts = ", ".join(f"{n:,} {outcome}" for outcome, n in sorted(tally.outcomes.items()))
            print(f"{name}: {tally.outcomes.total():,} flips: {counts}; wrong: {len(tally.wrong)}")
            for wrong in tally.wrong:
                print(f"  {wrong}")


if __name__ == "__main__":
    main()
