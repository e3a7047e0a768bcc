"""Storage on an object store: two drivers, derived files, and copies for readers."""

import threading

import pytest
from objects.memory import MemoryStore

from sweeps.errors import UsageError
from sweeps.journal import journal
from sweeps.journal.mirror import Mirror, temporary_folder
from sweeps.journal.replica import ObjectReplica
from sweeps.journal.storage import Lock, WriteError, replace, this_process
from sweeps.journal.writer import Writer
from sweeps.objects.holder import NAME, Holder
from sweeps.objects.store import StoreError

FAST = {"renewed": 0.05, "stale": 0.3}


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def other(monkeypatch):
    """Drivers that seem to be on other machines."""

    def on(host):
        process = this_process() | {"host": host}
        monkeypatch.setattr("sweeps.journal.replica.this_process", lambda: process)

    return on


class Driver:
    """Driver as the ledger runs it: lock, log and derived files."""

    def __init__(self, store, **timing):
        self.replica = ObjectReplica(store, **FAST | timing)
        self.folder = self.replica.folder
        self.lock = Lock(self.folder)
        self.read = [r for r in journal.read(self.folder) if r["type"] == "row"]
        self.writer = Writer(self.folder, {"core": "c"}, replica=self.replica)

    def commit(self, *ids):
        for one in ids:
            self.writer.append({"type": "row", "id": one})
        self.writer.commit()

    def put(self, name, content):
        replace(self.folder / name, content, root=self.folder, make=True, replica=self.replica)

    def close(self):
        self.writer.close()
        self.replica.close(complete=True)
        self.lock.close()

    def vanish(self):
        """End without a word, as a machine does that loses its power."""
        self.replica._holder._end.set()
        self.replica._holder._thread.join()
        self.writer.abandon()
        self.lock.close()


def copy(store):
    mirror = Mirror(store, temporary_folder())
    mirror.refresh()
    return mirror


def ids(folder):
    return [r["id"] for r in journal.read(folder) if r["type"] == "row"]


def test_a_reader_finds_what_was_committed(store):
    driver = Driver(store)
    driver.commit(1, 2)
    driver.commit(3)
    assert ids(copy(store).folder) == [1, 2, 3]
    driver.close()
    mirror = copy(store)
    assert ids(mirror.folder) == [1, 2, 3]
    local = (driver.folder / "log/0001.jsonl").read_bytes()
    assert (mirror.folder / "log/0001.jsonl").read_bytes() == local
    assert store.objects["log/0001.jsonl"].content == local


def test_a_reader_follows_a_growing_log_and_its_end(store):
    driver = Driver(store)
    mirror = copy(store)
    for k in range(4):
        mirror.refresh()
        assert ids(mirror.folder) == list(range(k))
        driver.commit(k)
    driver.close()
    mirror.refresh()
    assert ids(mirror.folder) == [0, 1, 2, 3]


def test_a_second_driver_is_refused_while_the_first_renews_its_hold(store, other):
    driver = Driver(store)
    other("elsewhere")
    lines = []
    with pytest.raises(UsageError, match=f"pid {this_process()['pid']} is writing to"):
        ObjectReplica(store, say=lines.append, **FAST)
    assert len(lines) == 1
    driver.commit(1)
    driver.close()


def test_a_driver_that_vanished_is_replaced_and_its_rows_are_read(store, other):
    driver = Driver(store)
    driver.commit(1, 2)
    driver.vanish()
    other("elsewhere")
    later = Driver(store)
    assert [r["id"] for r in later.read] == [1, 2]
    later.commit(3)
    later.close()
    assert ids(copy(store).folder) == [1, 2, 3]


def test_a_driver_that_slept_through_a_takeover_writes_nothing_more(store, other):
    asleep = Driver(store)
    asleep.commit(1)
    asleep.put("manifest.json", b"old")
    asleep.replica._holder._end.set()  # suspended: its thread renews no more
    asleep.replica._holder._thread.join()
    other("elsewhere")
    later = Driver(store)
    later.put("manifest.json", b"new")
    with pytest.raises(WriteError, match="taken over"):
        asleep.put("manifest.json", b"old")
    with pytest.raises(WriteError, match="taken over"):
        asleep.commit(2)
    with pytest.raises(WriteError, match="taken over"):
        asleep.replica.check()
    later.close()
    mirror = copy(store)
    assert ids(mirror.folder) == [1]
    assert (mirror.folder / "manifest.json").read_bytes() == b"new"


def test_the_last_write_of_a_sleeper_before_a_takeover_is_replaced(store, other):
    asleep = Driver(store)
    asleep.put("manifest.json", b"first")
    asleep.replica._holder._end.set()
    asleep.replica._holder._thread.join()
    other("elsewhere")
    later = Driver(store)
    tag = store.objects["manifest.json"].tag
    assert store.replace("manifest.json", b"late", tag=tag)  # on its way since before
    later.put("manifest.json", b"new")
    later.close()
    assert store.objects["manifest.json"].content == b"new"


def test_files_that_are_gone_from_the_store_leave_the_copy(store):
    driver = Driver(store)
    driver.put("manifest.json", b"{}")
    mirror = copy(store)
    assert (mirror.folder / "manifest.json").exists()
    driver.replica.remove([driver.folder / "manifest.json"])
    mirror.refresh()
    assert not (mirror.folder / "manifest.json").exists()
    driver.close()


@pytest.mark.parametrize(
    "name",
    [
        *("../escape", "log/../../x", "models/../../x", "study/seed-0-00000000/..", "/etc/x"),
        *("models/0123456789abcdef/.hidden", "models/0123456789abcdef/a/b", "log/0001.jsonl.x"),
        *("trials.parquet/x", "checkpoints/x", "a\0b", "models/0123456789ABCDEF/a"),
    ],
)
def test_objects_with_other_names_are_not_copied(store, name):
    driver = Driver(store)
    driver.close()
    store.create(name, b"hostile")
    folder = copy(store).folder
    found = [p for p in folder.parent.rglob("*") if p.is_file() and p.read_bytes() == b"hostile"]
    assert not found


def test_a_prefix_with_other_objects_is_refused(store):
    store.create("holiday.jpg", b"")
    with pytest.raises(UsageError, match=r"what is not of a sweep \(holiday.jpg\)"):
        copy(store)
    with pytest.raises(UsageError, match="what is not of a sweep"):
        Driver(store)
    assert list(store.objects) == ["holiday.jpg"]


def test_a_store_that_does_not_answer_ends_the_writer_and_loses_nothing(store):
    driver = Driver(store)
    driver.commit(1)

    def fail(verb, name):
        raise StoreError("no answer")

    store.before = fail
    with pytest.raises(WriteError, match="no answer"):
        driver.commit(2)
    store.before = lambda verb, name: None
    with pytest.raises(WriteError, match="no answer"):
        driver.commit(3)  # the number of the lost commit is unknown
    driver.vanish()
    again = Driver(store)
    assert [r["id"] for r in again.read] == [1]
    again.close()


def test_of_many_drivers_at_once_one_holds_the_storage(store):
    process, held, refused = this_process(), [], []

    def take(n):
        try:
            held.append(Holder(store, process | {"host": f"h{n}"}, renewed=0.05, stale=0.5))
        except UsageError as error:
            refused.append(error)

    threads = [threading.Thread(target=take, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(held), len(refused)) == (1, 7)
    held[0].close()
    assert b'"closed": true' in store.objects[NAME].content


def test_a_holder_of_this_machine_whose_process_has_ended_is_replaced_at_once(store):
    ended = this_process() | {"pid": 2**22 - 1}
    first = Holder(store, ended, renewed=60.0, stale=60.0)
    second = Holder(store, this_process(), renewed=60.0, stale=60.0)
    assert not first.renew()
    assert first.lost
    second.close()
    first.close()


def test_the_folder_of_a_copy_is_removed_when_its_process_has_ended(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    old = tmp_path / "hs-storage-old"
    (old / "storage").mkdir(parents=True)
    (old / "lock").touch()
    mine = temporary_folder()
    temporary_folder()
    assert mine.exists()
    assert not old.exists()


MODELS = [f"models/{k:016x}/ticket.safetensors" for k in range(3)]


@pytest.fixture
def trained(store):
    """The store of a driver that has ended, with a name of every kind."""
    driver = Driver(store)
    driver.commit(1)
    for name in ("manifest.json", f"checkpoints/{0:016x}-{0:016x}.safetensors", *MODELS):
        driver.put(name, name.encode())
    driver.put("study/seed-0-00000000/facts.json", b"{}")
    driver.close()
    return store


@pytest.fixture
def requested(trained):
    """Names of the objects that are read from now on."""
    names = []
    trained.before = lambda verb, name: names.append(name) if verb == "get" else None
    return names


def test_a_driver_that_resumes_reads_no_model_before_it_needs_it(trained, requested):
    driver = Driver(trained)
    assert {"manifest.json", "study/seed-0-00000000/facts.json"} < {*requested}
    assert any(name.startswith("checkpoints/") for name in requested)
    assert not (driver.folder / "models").exists()
    assert not {*MODELS} & {*requested}
    assert driver.replica.read(driver.folder / MODELS[1]) == MODELS[1].encode()
    assert {*MODELS} & {*requested} == {MODELS[1]}
    driver.close()
    assert {*MODELS} < trained.objects.keys()


def test_a_model_that_was_not_copied_can_be_replaced(trained):
    driver = Driver(trained)
    driver.put(MODELS[0], b"trained again")
    driver.close()
    assert trained.objects[MODELS[0]].content == b"trained again"


def test_a_model_that_is_missing_or_too_large_is_not_read(trained, requested, monkeypatch):
    monkeypatch.setattr("sweeps.journal.bounds.TENSORS", 60)
    del trained.objects[MODELS[0]]
    trained._put(MODELS[1], bytes(61))
    driver = Driver(trained)
    assert [driver.replica.read(driver.folder / name) is None for name in MODELS] == [
        True,
        True,
        False,
    ]
    assert {*MODELS} & {*requested} == {MODELS[2]}
    driver.close()


def test_a_reader_of_the_log_reads_nothing_else_until_it_needs_it(trained, requested):
    mirror = Mirror(trained, temporary_folder())
    mirror.refresh(["log"])
    assert ids(mirror.folder) == [1]
    assert {name.partition("/")[0] for name in requested} == {"log"}
    requested.clear()
    mirror.refresh()
    assert {*MODELS} < {*requested}
    assert not [name for name in requested if name.startswith("log/")]
