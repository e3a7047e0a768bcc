"""Log of immutable objects: what a driver acknowledged, every later driver reads, once."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from objects.memory import MemoryStore

from sweeps.objects.commits import CommitLog, TakenOverError, join, lines, stages
from sweeps.objects.store import StoreError


def content(store, number):
    """Lines of one start, as a reader finds them."""
    stage = stages(entry.name for entry in store.list("log/"))[number]
    if stage.whole:
        return store.get(f"log/{number:04d}.jsonl").content
    return b"".join(lines(store, number, stop=stage.parts))


def test_commits_are_read_in_order_and_a_claim_holds_no_lines():
    store = MemoryStore()
    log = CommitLog(store)
    assert (log.number, content(store, 1)) == (1, b"")
    for k in range(3):
        log.commit(b"%d\n" % k)
    assert content(store, 1) == b"0\n1\n2\n"


def test_a_driver_that_slept_through_a_takeover_cannot_commit():
    store = MemoryStore()
    asleep = CommitLog(store)
    asleep.commit(b"a\n")
    later = CommitLog(store)
    assert later.number == 2
    with pytest.raises(TakenOverError):
        asleep.commit(b"b\n")
    assert content(store, 1) == b"a\n"


@pytest.mark.parametrize("joined", [True, False])
def test_neither_can_it_after_its_commits_were_joined(joined):
    store = MemoryStore()
    asleep = CommitLog(store)
    for k in range(3):
        asleep.commit(b"%d\n" % k)
    CommitLog(store)
    if joined:
        join(store, 1, content(store, 1))
        assert len([n for n in store.objects if n.startswith("log/0001/")]) == 1
    for _ in range(3):
        with pytest.raises(TakenOverError):
            asleep.commit(b"late\n")
    assert content(store, 1) == b"0\n1\n2\n"


def test_a_late_copy_of_an_acknowledged_commit_changes_nothing():
    store = MemoryStore()
    log = CommitLog(store)
    log.commit(b"a\n")
    log.close()
    join(store, 1, content(store, 1))
    store.create("log/0001/00000001", b"a\n")  # sent again by the network, after its removal
    assert content(store, 1) == b"a\n"
    assert CommitLog(store).number == 2


def test_a_start_that_is_joined_twice_stays_the_same():
    store = MemoryStore()
    log = CommitLog(store)
    log.commit(b"a\n")
    log.close()
    join(store, 1, b"a\n")
    join(store, 1, b"a\n")
    assert content(store, 1) == b"a\n"
    with pytest.raises(StoreError, match="other lines"):
        join(store, 1, b"b\n")


class Drivers(RuleBasedStateMachine):
    """Drivers that start, commit, lose answers and die in any order."""

    @initialize()
    def begin(self):
        self.store, self.drivers, self.acknowledged = MemoryStore(), [], []
        self.latest = 0  # start that is open

    @rule(crash=st.sampled_from([None, *range(8)]), effective=st.booleans())
    def start(self, crash, effective):
        operations = iter(range(10**6))

        def fail(verb, name):
            if next(operations) == crash:
                raise StoreError("no answer")

        self.store.before, self.store.after = self._hooks(fail, effective)
        known = list(self.acknowledged)
        try:
            log = CommitLog(self.store)
        except StoreError:
            return
        finally:
            self.store.before = self.store.after = lambda verb, name: None
        read = b"".join(content(self.store, n) for n in range(1, log.number))
        assert set(known) <= set(read.split())
        self.drivers.append(log)
        self.latest = log.number

    @rule(data=st.data(), lost=st.sampled_from([None, True, False]))
    def commit(self, data, lost):
        if not self.drivers:
            return
        log = data.draw(st.sampled_from(self.drivers))
        line = b"%d.%d" % (log.number, log._next)

        def fail(verb, name):
            if lost is not None:
                raise StoreError("no answer")

        self.store.before, self.store.after = self._hooks(fail, bool(lost))
        try:
            log.commit(line + b"\n")
            self.acknowledged.append(line)
            assert log.number >= self.latest, "a later driver has not read this"
        except TakenOverError:
            assert max(self._stages()) > log.number
        except StoreError:
            self.drivers.remove(log)  # it ends, as a writer does
        finally:
            self.store.before = self.store.after = lambda verb, name: None

    @rule(data=st.data())
    def compact(self, data):
        sealed = [n for n in self._stages() if n < max(self._stages())]
        if self.drivers and sealed:
            latest = max(d.number for d in self.drivers)
            number = data.draw(st.sampled_from(sealed))
            if number < latest:
                join(self.store, number, content(self.store, number))

    @invariant()
    def nothing_acknowledged_is_lost_or_doubled(self):
        if not hasattr(self, "store"):
            return
        read = b"".join(content(self.store, n) for n in self._stages()).split()
        assert len(read) == len(set(read))
        assert set(self.acknowledged) <= set(read)

    def _hooks(self, fail, effective):
        nothing = lambda verb, name: None  # noqa: E731
        return (nothing, fail) if effective else (fail, nothing)

    def _stages(self):
        return stages(entry.name for entry in self.store.list("log/"))


TestDrivers = Drivers.TestCase
TestDrivers.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)
