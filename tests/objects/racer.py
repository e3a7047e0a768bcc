"""Driver of the races: python racer.py URL SECONDS ACKNOWLEDGED STALE

Writes to ACKNOWLEDGED what it read at its start, and every row once it is committed.
"""

import itertools
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
# Not the whole package, so that a process costs little.
sys.modules["sweeps"] = ModuleType("sweeps")
sys.modules["sweeps"].__path__ = [str(ROOT / "sweeps")]

from sweeps.errors import UsageError  # noqa: E402
from sweeps.journal import journal  # noqa: E402
from sweeps.journal.replica import ObjectReplica  # noqa: E402
from sweeps.journal.storage import Lock, WriteError, replace  # noqa: E402
from sweeps.journal.writer import Writer  # noqa: E402
from sweeps.objects.bucket import Bucket  # noqa: E402


def main(url: str, seconds: float, acknowledged: Path, stale: float) -> None:
    """Drive, be refused or fenced, and try again, until the time is over."""
    end = time.monotonic() + seconds
    with acknowledged.open("a") as out:

        def say(*words: object) -> None:
            print(*words, file=out, flush=True)

        while time.monotonic() < end:
            try:
                drive(url, min(end, time.monotonic() + seconds / 3), say, stale)
            except (UsageError, WriteError) as error:
                say("ended", error)


def drive(url: str, end: float, say: Callable[..., None], stale: float) -> None:
    replica = ObjectReplica(Bucket(url), renewed=stale / 4, stale=stale)
    try:
        write(replica, end, say)
        replica.close(complete=True)
    finally:
        replica.close(complete=False)


def write(replica: ObjectReplica, end: float, say: Callable[..., None]) -> None:
    with Lock(replica.folder):
        read = [r["id"] for r in journal.read(replica.folder) if r["type"] == "row"]
        writer = Writer(replica.folder, {"core": "c"}, replica=replica)
        number = int(max(journal.files(replica.folder)).stem)
        say("start", number, *read)
        for k in itertools.count():
            writer.append({"type": "row", "id": f"{number}.{k}"})
            replica.check()
            writer.commit()
            say("row", f"{number}.{k}")
            if k % 5 == 0:
                table(replica, f"{number} {k}")
            if time.monotonic() > end:
                break
        writer.close()
        table(replica, f"{number} whole")
        say("closed", number)


def table(replica: ObjectReplica, text: str) -> None:
    replace(replica.folder / "trials.parquet", text.encode(), replica=replica)


main(sys.argv[1], float(sys.argv[2]), Path(sys.argv[3]), float(sys.argv[4]))
