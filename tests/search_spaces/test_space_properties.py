import contextlib

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from search_spaces import SCHEDULERS, SpaceError, load
from search_spaces.space import frozen
from search_spaces.yaml_source import parse
from search_spaces.yaml_text import show


def quick(examples: int) -> settings:
    """The same examples on every run, and no files written next to the tests."""
    return settings(deadline=None, max_examples=examples, derandomize=True, database=None)


names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,9}", fullmatch=True)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=12)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)
studies = st.dictionaries(names, values, max_size=5)


class Quoting(yaml.SafeDumper):
    """Writes all text in quotes; plain, text such as INF or None would rightly be refused."""


Quoting.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("spaces")


@quick(150)
@given(study=studies, flow=st.booleans())
def test_any_study_written_as_yaml_is_loaded_as_it_was(folder, study, flow):
    whole = {"experiment": "tickets", "space": {"lr": {"grid": [0.5]}}, "study": study}
    path = folder / "any.yaml"
    text = yaml.dump(whole, Dumper=Quoting, default_flow_style=flow, allow_unicode=True)
    path.write_text(text, encoding="utf-8", newline="")
    assert load(path).study == frozen(study)


@quick(100)
@given(study=studies)
def test_any_study_given_as_an_override_is_loaded_as_it_was(folder, study):
    path = folder / "any.yaml"
    path.write_text("experiment: tickets\nspace: {lr: {grid: [0.5]}}\n")
    assert load(path, overrides={"study": study}).study == frozen(study)


@quick(300)
@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_shown_in_a_message_reads_back_as_that_number(value):
    assert parse(f"a: {show(value)}", file="s.yaml").tree == {"a": value}


@quick(500)
@given(text=st.text("0123456789eE+-._xob:n", max_size=10))
def test_what_is_read_as_text_could_not_be_taken_for_a_number(text):
    with contextlib.suppress(ValueError):
        value = parse(f"a: {text}", file="s.yaml").tree["a"]
        if isinstance(value, str) and "_" not in text:
            with pytest.raises(ValueError, match="could not convert"):
                float(text)


def one_line_or_none(path, **arguments) -> None:
    """Loads, and holds every refusal to be one line."""
    refusal = ""
    try:
        load(path, **arguments)
    except SpaceError as error:
        refusal = str(error)
    assert len(refusal.splitlines()) <= 1


words = [
    ": ",
    "- ",
    "  ",
    "&a ",
    "*a",
    "!!int ",
    "---\n",
    "1e-4",
    "no",
    "<<: ",
    "null",
    ".inf",
    "0_",
    "...",
    "1:30",
    "-1",
    "true",
]
fragments = st.sampled_from([*"[]{}'\"#?|>\\%@,\n\t\x00\x85", *words]) | st.text(max_size=3)


@quick(500)
@given(data=st.data())
def test_every_mistake_of_a_damaged_file_is_one_line(folder, tickets_text, data):
    text = tickets_text
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(start + 8, len(text))))
        text = text[:start] + data.draw(fragments) + text[end:]
    path = folder / "damaged.yaml"
    path.write_bytes(text.encode("utf-8", "replace"))
    one_line_or_none(path)


@quick(200)
@given(data=st.binary(max_size=40))
def test_every_mistake_of_a_random_file_is_one_line(folder, data):
    path = folder / "random.yaml"
    path.write_bytes(data)
    one_line_or_none(path)


keys = st.sampled_from(
    [
        "space.lr",
        "space.lr.when",
        "space",
        "study",
        "search",
        "search.seed",
        "scheduler",
        *(f"scheduler.{kind}" for kind in SCHEDULERS),
        "scheduler.pbt.axes",
        "resources",
    ]
)


@quick(300)
@given(key=keys | st.text(max_size=6), below=names, value=fragments | st.text(max_size=8))
def test_every_mistake_of_an_override_is_one_line(folder, tickets_text, key, below, value):
    path = folder / "whole.yaml"
    path.write_text(tickets_text)
    one_line_or_none(path, overrides=[f"{key}={value}"])
    one_line_or_none(path, overrides=[f"{key}.{below}={value}"])
    one_line_or_none(path, overrides={key: value, f"{key}.{below}": value})


@quick(200)
@given(key=keys, value=values)
def test_every_mistake_of_a_python_value_is_one_line(folder, tickets_text, key, value):
    path = folder / "whole.yaml"
    path.write_text(tickets_text)
    one_line_or_none(path, overrides={key: value})
