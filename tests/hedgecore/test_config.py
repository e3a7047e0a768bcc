from dataclasses import dataclass, field
from typing import Literal

import pytest

from hedgecore.config import ConfigError, digest, fingerprint, from_mapping, replaced, to_mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    rate: float = 0.5
    widths: tuple[int, ...] = (8,)
    mode: Literal["min", "max"] = "min"
    limit: int | None = None

    def __post_init__(self):
        if self.rate < 0:
            raise ValueError(f"rate must be at least 0, got {self.rate}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    name: str
    inner: Inner = field(default_factory=Inner)
    flag: bool = False


def test_a_mapping_becomes_nested_dataclasses():
    made = from_mapping(Outer, {"name": "a", "inner": {"widths": [4, 2], "limit": 3}})
    assert made == Outer(name="a", inner=Inner(widths=(4, 2), limit=3))


def test_to_mapping_is_the_inverse():
    made = Outer(name="a", inner=Inner(rate=2.0, widths=(1, 2), mode="max"), flag=True)
    assert from_mapping(Outer, to_mapping(made)) == made


def test_whole_numbers_stand_for_real_ones_and_round_reals_for_whole_ones():
    assert from_mapping(Inner, {"rate": 2}).rate == 2.0
    assert from_mapping(Inner, {"limit": 3.0}).limit == 3


@pytest.mark.parametrize(
    ("mapping", "key", "message"),
    [
        ({"name": "a", "iner": {}}, "iner", "unknown key 'iner'; did you mean 'inner'"),
        ({"name": "a", "inner": {"rte": 1}}, "inner.rte", "did you mean 'rate'"),
        (
            {"name": "a", "inner": {"rate": "1"}},
            "inner.rate",
            r"expected a number, got '1' \(text\)",
        ),
        ({"name": "a", "inner": {"rate": True}}, "inner.rate", r"got true \(true/false\)"),
        ({"name": "a", "inner": {"rate": float("nan")}}, "inner.rate", "must be finite, got nan"),
        ({"name": "a", "inner": {"limit": 2.5}}, "inner.limit", "expected a whole number"),
        ({"name": "a", "inner": {"widths": 4}}, "inner.widths", "expected a list"),
        ({"name": "a", "inner": {"widths": [4, "b"]}}, r"inner.widths\[1\]", "whole number"),
        ({"name": "a", "inner": {"mode": "mx"}}, "inner.mode", "did you mean 'max'"),
        ({"name": "a", "inner": {"rate": -1}}, "inner.rate", "must be at least 0"),
        ({"name": "a", "inner": None}, "inner", "expected a mapping of settings, got null"),
        ({"name": 3}, "name", "expected text"),
        ({}, "name", "is required"),
    ],
)
def test_a_mistake_names_its_key_and_cure(mapping, key, message):
    with pytest.raises(ConfigError, match=f"^{key}: .*{message}"):
        from_mapping(Outer, mapping)


def test_the_fingerprint_omits_defaults():
    assert fingerprint(Outer(name="a")) == digest({"name": "a"})
    assert fingerprint(Outer(name="a", inner=Inner(rate=0.5))) == fingerprint(Outer(name="a"))


def test_the_fingerprint_sees_every_other_value():
    made = [
        Outer(name="a"),
        Outer(name="b"),
        Outer(name="a", flag=True),
        Outer(name="a", inner=Inner(rate=0.25)),
        Outer(name="a", inner=Inner(widths=(8, 8))),
    ]
    assert len({fingerprint(m) for m in made}) == len(made)


def test_replaced_sets_a_dotted_path_in_a_copy():
    before = {"a": {"b": 1}, "c": 2}
    assert replaced(before, "a.b", 5) == {"a": {"b": 5}, "c": 2}
    assert before == {"a": {"b": 1}, "c": 2}


def test_replaced_refuses_to_descend_below_a_value():
    with pytest.raises(ConfigError, match=r"c: holds 2 .*'c.d' cannot be set below it"):
        replaced({"c": 2}, "c.d", 1)
