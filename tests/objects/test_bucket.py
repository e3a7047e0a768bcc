"""Object store of S3: its five operations, lost answers, outages and errors in one line."""

import signal
import threading
import time

import pytest
from objects.proxy import Proxy

from sweeps.errors import UsageError
from sweeps.objects.bucket import Bucket
from sweeps.objects.store import StoreError


def test_an_object_is_created_once(s3):
    bucket = Bucket(s3)
    assert bucket.create("a/b", b"1")
    assert bucket.create("a/b", b"1")  # its own write, whose answer may have been lost
    assert not bucket.create("a/b", b"2")
    assert bucket.get("a/b").content == b"1"
    assert bucket.get("a/c") is None


def test_an_object_is_replaced_only_where_its_tag_is_known(s3):
    bucket = Bucket(s3)
    first = bucket.replace("x", b"1", tag=None)
    assert bucket.replace("x", b"2", tag=None) is None
    second = bucket.replace("x", b"2", tag=first)
    assert second not in (None, first)
    assert bucket.replace("x", b"3", tag=first) is None
    assert bucket.get("x").content == b"2"
    assert bucket.get("x").tag == second
    assert bucket.replace("y", b"1", tag=first) is None
    assert bucket.get("y") is None


def test_objects_are_listed_by_prefix_and_removed(s3):
    bucket = Bucket(s3)
    for k in range(1100):  # more than one page
        bucket.create(f"log/{k:04d}", b"%d" % k)
    bucket.create("logs", b"")
    listed = list(bucket.list("log/"))
    assert [entry.name for entry in listed] == [f"log/{k:04d}" for k in range(1100)]
    assert listed[11].size == 2
    assert listed[11].tag == bucket.get("log/0011").tag
    bucket.delete("log/0000", "log/0001", "log/none")
    assert len(list(bucket.list())) == 1099


def test_of_many_writers_one_creates_an_object(s3):
    won = []

    def write(n):
        if Bucket(s3).create("x", b"%d" % n):
            won.append(n)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert Bucket(s3).get("x").content == b"%d" % won[0]


@pytest.mark.slow
def test_writes_whose_answers_are_lost_are_found_to_be_done(s3, s3_port, monkeypatch):
    proxy = Proxy(s3_port, lossy=0.3)
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    try:
        bucket, tag = Bucket(s3, patience=60.0), None
        for k in range(20):
            assert bucket.create(f"a/{k}", b"%d" % k)
            tag = bucket.replace("x", b"%d" % k, tag=tag)
            assert tag is not None
        assert proxy.lost > 2
    finally:
        proxy.close()
    monkeypatch.undo()


@pytest.mark.parametrize("seconds", [5, pytest.param(60, marks=pytest.mark.slow)])
def test_an_outage_delays_writes_and_loses_none(s3_behind_proxy, s3_proxy, seconds):
    bucket, written = Bucket(s3_behind_proxy), []

    def write():
        for k in range(10**6):
            if stopped.is_set():
                return
            assert bucket.create(f"a/{k:06d}", b"%d" % k)
            written.append(k)

    stopped, writer = threading.Event(), threading.Thread(target=write)
    writer.start()
    time.sleep(0.5)
    with s3_proxy.outage():
        before = len(written)
        time.sleep(seconds)
        assert len(written) <= before + 1
    deadline = time.monotonic() + 30
    while len(written) < before + 10 and time.monotonic() < deadline:
        time.sleep(0.1)
    stopped.set()
    writer.join()
    assert len(written) >= before + 10
    assert len(list(bucket.list("a/"))) == len(written)


def test_errors_have_one_line_with_the_reason(s3, monkeypatch):
    with pytest.raises(StoreError) as missing:
        Bucket("s3://nowhere-at-all/x").create("a", b"")
    assert str(missing.value) == "the bucket does not exist"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(StoreError) as silent:
        Bucket(s3, patience=1.0).get("a")
    assert str(silent.value) == "no answer"


@pytest.mark.slow
def test_a_signal_ends_the_wait_for_an_answer(s3, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")

    def interrupt(*_):
        raise KeyboardInterrupt

    bucket = Bucket(s3, patience=60.0)
    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 1.0)
    try:
        with pytest.raises(KeyboardInterrupt):  # not the StoreError of the end of its patience
            bucket.get("a")
    finally:
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize(
    "url", ["s3://", "s3:///x", "s3://b//x", "s3://b/x?y", "s3://b/x y", "http://h/x", "az://c/x"]
)
def test_a_url_that_names_no_storage_is_refused(url, monkeypatch):
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(UsageError, match="storage"):
        Bucket(url)
