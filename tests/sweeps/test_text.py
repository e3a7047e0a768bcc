"""Durations and counts in the text of commands."""

import pytest

from sweeps.text import bytes_text, duration, plural


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0.0 s"),
        (0, "0.0 s"),
        (4.24, "4.2 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (31.4, "31 s"),
        (59.6, "1 min 00 s"),
        (250, "4 min 10 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h 00 min"),
        (7500, "2 h 05 min"),
        (47.5 * 3600, "47 h 30 min"),
        (48 * 3600 - 1, "2 d 00 h"),
        (100 * 3600, "4 d 04 h"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds, text):
    assert duration(seconds) == text


def test_a_noun_has_an_s_unless_there_is_one_of_it():
    assert [plural(n, "trial") for n in (0, 1, 2, 5000)] == [
        "0 trials",
        "1 trial",
        "2 trials",
        "5,000 trials",
    ]


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (325, "325 B"),
        (1_249, "1.2 kB"),
        (12_400_000, "12.4 MB"),
        (999_949_999, "999.9 MB"),
        (1_500_000_000_000, "1,500.0 GB"),
    ],
)
def test_bytes_have_one_digit_after_the_point(size, text):
    assert bytes_text(size) == text
