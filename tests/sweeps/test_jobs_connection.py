"""Answers of a dashboard that are cut off, or of another server."""

import pytest
from ports import single_answer

from sweeps.jobs.dashboard import Dashboard, UnreachableError

pytestmark = pytest.mark.ray  # imports it, starts none


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0\r\n",
        b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"ray_version": "2.60.0"}',
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n63\r\n{"ray_version"',
    ],
)
def test_an_answer_that_is_cut_off_is_none_and_so_may_be_asked_for_again(answer):
    with single_answer(answer) as url, pytest.raises(UnreachableError) as error:
        Dashboard(url, name="head", headers={}).version()
    assert error.value.listening


def test_an_answer_that_is_whole_is_read():
    answer = b'HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\n{"ray_version": "2.60.0"}'
    with single_answer(answer) as url:
        assert Dashboard(url, name="head", headers={}).version() == "2.60.0"
