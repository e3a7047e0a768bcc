"""A sweep without Ray: the driver's own parts, and lanes that are a list."""

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from safetensors.torch import load_file, save_file
from torch import Tensor

import search_spaces
import sweeps
from hedgecore.experiment import Preparation, Run, Study
from hedgecore.fingerprints import tensor_sha256
from hedgecore.rng import numpy_stream
from sweeps.driver import _search as search_of
from sweeps.driver import engine_for
from sweeps.execution.worker import SegmentWorker
from sweeps.experiments import experiment
from sweeps.journal import lines, manifest
from sweeps.journal.code_identity import code_identity
from sweeps.journal.opening import writable_storage
from sweeps.journal.preparations import Facts
from sweeps.journal.records import SegmentStart
from sweeps.planning.plan import TrialPlan
from sweeps.scheduling.ledger import Ledger
from sweeps.scheduling.steering import Steering
from sweeps.scheduling.trials import TrialQueue

LANES = 3


def run_locally(
    space: str | Path,
    storage: Path | str,
    *,
    overrides: Mapping[str, Any] | None = None,
    audit: float = 0.0,
    stop_after: int | None = None,
    shuffle_seed: int | None = None,
    before_segment: Callable[[int], None] = lambda done: None,
    say: Callable[[str], None] = lambda line: None,
) -> None:
    """What ``sweeps.run`` does, in this process, one segment at a time.

    Args:
        space: a YAML file, or its text.
        storage: the sweep's directory, or its URL with ``space`` as a file.
        overrides: as in ``sweeps.run``.
        audit: as in ``sweeps.run``.
        stop_after: segments after which the sweep is interrupted.
        shuffle_seed: lanes come in in an order drawn from it; in turn if None.
        before_segment: called with the number of segments done, before requests are taken up.
        say: receives what the driver says of requests.
    """
    planned = sweeps.plan(_loaded(space, storage, overrides))
    core = code_identity(planned.space.experiment)
    engine = engine_for(planned, audit=audit)
    assert engine is not None, "Ray's own schedulers need Ray"
    folder, replica = writable_storage(storage, say=lambda line: None)
    ledger = Ledger(
        folder,
        replica=replica,
        core=core,
        engine=engine,
        experiment=planned.experiment,
        accept=partial(manifest.check, storage, planned),
    )
    try:
        name = planned.space.experiment
        made = {k: _filed(ledger, name, t, core) for k, t in planned.preparations.items()}
        facts = {key: filed for key, (filed, _) in made.items()}
        beside = {key: _baselines(name, trial) for key, trial in planned.preparations.items()}
        content = manifest.content(
            planned, facts, ledger.state.prepared, baselines=beside, audit=audit
        )
        ledger.keep_manifest(content, planned.space.text)
        search = search_of(planned, ledger, sweeps.SilentProgress())
        queue = TrialQueue(planned, ledger, engine=engine, search=search)
        queue.enter(facts)
        steering = Steering(queue, ledger, say)

        def open_run(trial: Mapping[str, Any], checkpoint: bytes | None) -> Run:
            preparation = made[trial["preparation"]][1]
            asked = planned.experiment
            return asked.open_run(trial, checkpoint, preparation=preparation, device="cpu")

        workers, jobs, done = [SegmentWorker(open_run) for _ in range(LANES)], {}, 0
        drawn = numpy_stream(shuffle_seed or 0, "lanes")
        while done != stop_after:
            before_segment(done)
            stopped = steering.take_up() or frozenset()
            jobs = {lane: job for lane, job in jobs.items() if job.trial_id not in stopped}
            for lane in set(range(LANES)) - jobs.keys():
                while (job := engine.next()) is None and queue.more():
                    pass
                if job:
                    ledger.append_unsynced(SegmentStart(trial_id=job.trial_id, epoch=job.start))
                    jobs[lane] = job
            if not jobs:
                break
            lane = min(jobs) if shuffle_seed is None else int(drawn.choice(sorted(jobs)))
            job = jobs.pop(lane)
            checkpoint = ledger.checkpoint(job.trial_id) if job.start else None
            start = job.start if checkpoint else 0
            spec = {**queue.spec(job.trial_id), "start": start, "stop": job.stop}
            ledger.append(ledger.stored_segment(workers[lane].segment(spec, checkpoint)))
            done += 1
    finally:
        ledger.close()


def edit_log(
    storage: Path, file: str, change: Callable[[dict[str, Any]], dict[str, Any] | None]
) -> int:
    """Rewrite records of ``log/<file>`` and seal them again, as a forger would; how many.

    Args:
        storage: the sweep's directory.
        file: name of the log file.
        change: the record in place of the one that is given; None leaves it as it is.
    """
    path = storage / "log" / file
    texts, edited = path.read_bytes().splitlines(keepends=True), 0
    for i, text in enumerate(texts):
        line = lines.decode(text)
        changed = change(json.loads(line.fields))
        if changed is not None:
            texts[i] = lines.encode(changed, line.n, line.synced)
            edited += 1
    path.write_bytes(b"".join(texts))
    reseal(storage)
    return edited


def reseal(storage: Path) -> None:
    """Let every file of the log name the one before it as that is now."""
    before = None
    for path in sorted((storage / "log").glob("*.jsonl")):
        first, *rest = path.read_bytes().splitlines(keepends=True)
        line = lines.decode(first)
        first = lines.encode({**json.loads(line.fields), "before": before}, line.n, line.synced)
        content = b"".join([first, *rest])
        path.write_bytes(content)
        sha256 = hashlib.sha256(content).hexdigest()
        before = {"file": path.name, "lines": 1 + len(rest), "sha256": sha256}


def _loaded(
    space: str | Path, storage: Path | str, overrides: Mapping[str, Any] | None
) -> search_spaces.SearchSpace:
    if "\n" in str(space):
        path = Path(storage).with_suffix(".yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(space))
        space = path
    return search_spaces.load(space, overrides=overrides)


def _filed(ledger: Ledger, name: str, trial: TrialPlan, core: str) -> tuple[Facts, Preparation]:
    study = trial.study.shared_study()
    if filed := ledger.preparation(trial.preparation):
        return filed.facts, filed.restore(experiment(name), study, _base(name, trial))
    made = _prepared(name, study, trial.seed)
    facts = Facts.of(made, core=core, seconds=0.0)
    ledger.keep_preparation(trial.preparation, facts, made)
    return facts, made


@cache
def _prepared(name: str, study: Study, seed: int) -> Preparation:
    """Made once for all tests of a process; nothing in it is ever written to."""
    base = study.base_study()
    below = None if base == study else _prepared(name, base, seed)
    return experiment(name).trainer.prepare(study, seed=seed, base=below)


def _baselines(name: str, trial: TrialPlan) -> manifest.Baselines:
    """Metrics of the baselines that trials do not depend on."""
    compute = experiment(name).trainer.baselines
    study = trial.study.base_study()
    return _computed(name, study, trial.seed) if compute else {}


@cache
def _computed(name: str, study: Study, seed: int) -> manifest.Baselines:
    compute = experiment(name).trainer.baselines
    assert compute is not None
    return dict(lines.strict_json(compute(study, _prepared(name, study, seed))))


def _base(name: str, trial: TrialPlan) -> Preparation | None:
    """What the preparation of ``trial`` adds to."""
    if trial.base.preparation == trial.preparation:
        return None
    return _prepared(name, trial.study.base_study(), trial.seed)


def forge_network(storage: Path, network: str, change: Callable[[Tensor], Tensor]) -> None:
    """File another ``network`` and its hashes, as if the study had been prepared so."""
    (folder,) = (storage / "study").iterdir()
    path, written = folder / f"{network}.safetensors", folder / "facts.json"
    forged = {name: change(value) for name, value in load_file(path).items()}
    save_file(forged, path)
    facts = json.loads(written.read_text())
    facts["sha256"][network] = tensor_sha256(forged[name] for name in facts["layout"][network])
    written.write_text(json.dumps(facts))
    forge_study(storage)


def forge_study(storage: Path) -> None:
    """Let the log name the files of the study as they are now."""

    def change(record: dict[str, Any]) -> dict[str, Any] | None:
        if record["type"] != "prepared":
            return None
        folder = storage / "study" / record["key"]
        files = {n: hashlib.sha256((folder / n).read_bytes()).hexdigest() for n in record["files"]}
        return {**record, "files": files}

    for file in sorted((storage / "log").glob("*.jsonl")):
        edit_log(storage, file.name, change)


def edit_manifest(storage: Path, **changes: Any) -> None:
    """Forge the manifest in every file of the log, and the copy for people."""

    def change(record: dict[str, Any]) -> dict[str, Any] | None:
        if record["type"] != "manifest":
            return None
        return {**record, "content": {**record["content"], **changes}}

    for file in sorted((storage / "log").glob("*.jsonl")):
        edit_log(storage, file.name, change)


def table_of_trials(storage: Path) -> dict[str, dict[str, Any]]:
    """Rows of ``trials.parquet`` by id, without their time."""
    rows = pq.read_table(storage / "trials.parquet").to_pylist()
    return {row["trial_id"]: {n: v for n, v in row.items() if n != "seconds"} for row in rows}


def failing(monkeypatch: pytest.MonkeyPatch, *trial_ids: str) -> None:
    """Let workers fail with these trials, for a reason outside of them."""
    segment = SegmentWorker.segment

    def failed(worker: SegmentWorker, job: Any, checkpoint: bytes | None) -> dict[str, Any]:
        if (trial_id := job["trial"]["trial_id"]) in trial_ids:
            end = {"status": "failed", "error": "OSError: a disk"}
            return {"type": "segment", "trial_id": trial_id, "rows": [], "end": end}
        return segment(worker, job, checkpoint)

    monkeypatch.setattr(SegmentWorker, "segment", failed)
