"""Races of three drivers on one storage, with kills, pauses and lost answers."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from objects.proxy import Proxy

from sweeps.journal import journal
from sweeps.journal.mirror import Mirror, temporary_folder
from sweeps.objects.bucket import Bucket

RACER = Path(__file__).with_name("racer.py")
STALE = 0.8  # seconds without a renewal after which a driver is replaced


def race(url, folder, seed):
    """Three drivers for some seconds; what each of them has written down."""
    rng = random.Random(seed)
    processes, notes = [], []
    for k in range(3):
        note = folder / f"{seed}-{k}"
        command = [sys.executable, str(RACER), url, "6", str(note), str(STALE)]
        processes.append(subprocess.Popen(command))
        notes.append(note)
        time.sleep(rng.uniform(0.0, 0.5))
    deadline = time.monotonic() + 60
    while any(p.poll() is None for p in processes) and time.monotonic() < deadline:
        victim = rng.choice(processes)
        if victim.poll() is not None:
            time.sleep(0.05)
            continue
        if rng.random() < 0.1:
            victim.kill()
        elif rng.random() < 0.6:
            victim.send_signal(signal.SIGSTOP)
            time.sleep(rng.uniform(0.1, 2.5 * STALE))
            victim.send_signal(signal.SIGCONT)
        time.sleep(rng.uniform(0.2, 0.8))
    for process in processes:
        process.kill()
        process.wait()
    return [note.read_text().splitlines() for note in notes if note.exists()]


def check(url, notes):
    """Rows acknowledged, takeovers, and drivers that were refused or fenced; asserts that hold."""
    mirror = Mirror(Bucket(url), temporary_folder())
    mirror.refresh()
    logged = [r["id"] for r in journal.read(mirror.folder) if r["type"] == "row"]
    assert len(logged) == len(set(logged)), "doubled"
    words = [line.split() for lines in notes for line in lines]
    acknowledged = [w[1] for w in words if w[0] == "row"]
    assert set(acknowledged) <= set(logged), "lost"
    for start in (w for w in words if w[0] == "start"):
        number, read = int(start[1]), start[2:]
        before = [one for one in logged if int(one.split(".")[0]) < number]
        assert read == before, "a driver has not read what an earlier one committed"
    closed = [int(w[1]) for w in words if w[0] == "closed"]
    if closed and max(closed) == max(int(f.stem) for f in journal.files(mirror.folder)):
        assert (mirror.folder / "trials.parquet").read_text() == f"{max(closed)} whole"
    starts = sum(w[0] == "start" for w in words)
    return len(acknowledged), starts, sum(w[0] == "ended" for w in words)


@pytest.mark.slow
@pytest.mark.parametrize("races", [50])
def test_no_acknowledged_record_is_lost_or_doubled(s3, s3_port, tmp_path, monkeypatch, races):
    rows = starts = ended = lost = 0
    for seed in range(races):
        proxy = Proxy(s3_port, lossy=0.02, seed=seed)
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        try:
            notes = race(f"{s3}/{seed}", tmp_path, seed)
        finally:
            proxy.close()
        lost += proxy.lost
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{s3_port}")
        numbers = check(f"{s3}/{seed}", notes)
        rows, starts, ended = rows + numbers[0], starts + numbers[1], ended + numbers[2]
    print(
        f"{races} races: {rows} rows acknowledged in {starts} starts of drivers, {ended} refused"
    )
    print(f"or fenced; {lost} answers lost on the way")
    assert rows > 20 * races
    assert starts > 2 * races
