"""Incremental reading of a log compared with reading it anew, after every kind of change."""

import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sweeps.journal import lines as form
from sweeps.journal.history import History
from sweeps.journal.journal import LogError, files
from sweeps.journal.records import record_of
from sweeps.journal.storage import Lock
from sweeps.journal.tail import Tail
from sweeps.journal.writer import Writer

ROW = {"type": "proposal", "number": 0, "basis": "", "config": {}, "attributes": {}}
HEAD = {"core": "c"}


def anew(storage):
    """The records, and their fault."""
    found = []
    try:
        for record in History(storage):
            found.append(record)
    except LogError as error:
        return found, str(error)
    return found, None


class Followed:
    """The same of a tail, as far as it has been looked at."""

    def __init__(self, storage):
        self.tail, self.records = Tail(storage), []

    def look(self):
        again, new = self.tail.look()
        self.records = [] if again else self.records
        try:
            for record in new:
                self.records.append(record)
        except LogError as error:
            return self.records, str(error)
        return self.records, None


def appended(storage, content):
    with files(storage)[-1].open("ab") as stream:
        stream.write(content)


def cut(storage, share):
    file = files(storage)[-1]
    os.truncate(file, int(share * file.stat().st_size))


def flipped(storage, place):
    """One bit, in a file that takes the place of the last."""
    file = files(storage)[-1]
    content = bytearray(file.read_bytes())
    if content:
        content[place % len(content)] ^= 1
    file.with_suffix(".new").write_bytes(content)
    file.with_suffix(".new").replace(file)


EVENTS = st.one_of(
    st.just(("append",)),
    st.just(("commit",)),
    st.just(("start",)),
    st.tuples(st.just("garbage"), st.sampled_from([b"{", b"\n", b'{"type":"row"}\n', b"\0" * 9])),
    st.tuples(st.just("cut"), st.floats(0, 0.99)),
    st.tuples(st.just("flip"), st.integers(0, 9999)),
    st.just(("remove",)),
)


@given(st.lists(EVENTS, max_size=15))
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)
def test_a_log_that_is_followed_says_what_it_says_read_anew(tmp_path_factory, events):
    storage = tmp_path_factory.mktemp("storage")
    followed = Followed(storage)
    with Lock(storage):
        writer = Writer(storage, HEAD)
        for number, (kind, *detail) in enumerate(events):
            if writer is None and kind in ("append", "commit"):
                continue
            if kind == "append":
                writer.append({**ROW, "number": number})
            elif kind == "commit":
                writer.commit()
            elif kind == "start":
                if writer is not None:
                    writer.abandon()  # killed
                writer = started(storage)
            elif kind == "garbage":
                appended(storage, *detail)
            elif kind == "cut":
                cut(storage, *detail)
            elif kind == "flip":
                flipped(storage, *detail)
            elif len(files(storage)) > 1:
                files(storage)[0].unlink()
            assert followed.look() == anew(storage)


def started(storage):
    try:
        return Writer(storage, HEAD)
    except LogError:
        return None


def test_a_line_that_is_half_written_is_read_when_it_is_whole(tmp_path):
    with Lock(tmp_path):
        writer, followed = Writer(tmp_path, HEAD), Followed(tmp_path)
        before = list(followed.look()[0])
        writer.append(ROW)
        file = files(tmp_path)[-1]
        *_, line = file.read_bytes().splitlines(keepends=True)
        whole = file.stat().st_size
        os.truncate(file, whole - 5)
        assert followed.look() == (before, None)
        appended(tmp_path, line[-5:])
        assert followed.look() == ([*before, record_of(ROW)], None)


def test_only_what_was_appended_is_read(tmp_path, monkeypatch):
    lines = []
    parsed = form.parse
    monkeypatch.setattr(form, "parse", lambda text: lines.append(text) or parsed(text))
    with Lock(tmp_path):
        writer, followed = Writer(tmp_path, HEAD), Followed(tmp_path)
        for count in range(1, 50):
            followed.look()
            assert len(lines) == count
            writer.append(ROW)
