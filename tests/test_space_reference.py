"""docs/spaces.md is the reference of a space file: every key, with its default."""

import re
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

from hedgecore.config import to_mapping
from hedgecore.hedging.study import AXES as TICKET_AXES
from hedgecore.hedging.study import TicketStudy
from hedgecore.insurance.config import AXES as XNN_AXES
from hedgecore.insurance.config import XnnStudy
from search_spaces import DOMAINS, SCHEDULERS, Resources, Search, shipped
from search_spaces.edits import BLOCKS, EXTENDS
from search_spaces.experiments import BUILT_IN
from search_spaces.search import ALGORITHMS
from search_spaces.yaml_source import parse
from sweeps.planning.validation import leaves

TEXT = (Path(__file__).resolve().parents[1] / "docs" / "spaces.md").read_text()
STUDIES = {"tickets": TicketStudy, "the X-NN": XnnStudy}


def section(heading: str) -> str:
    """Text below the heading of any level that begins with ``heading``, to the next as high."""
    found = re.search(rf"^(#+) {re.escape(heading)}.*\n", TEXT, re.MULTILINE)
    assert found, heading
    ends = rf"^#{{1,{len(found[1])}}} "
    return re.split(ends, TEXT[found.end() :], flags=re.MULTILINE)[0]


def table(heading: str) -> dict[str, str]:
    """Second column by first of the rows of a section whose first column is a key."""
    rows = re.findall(r"^\| `([\w.]+)` \| ([^|]*) \|", section(heading), re.MULTILINE)
    assert len(dict(rows)) == len(rows), "a key has two rows"
    return {key: default.strip() for key, default in rows}


def default_of(study: object, key: str) -> object:
    for name in key.split("."):
        study = study[name]
    return list(study) if isinstance(study, tuple) else study


@pytest.mark.parametrize("experiment", STUDIES)
def test_the_reference_has_exactly_the_keys_of_a_study_with_their_defaults(experiment):
    study = to_mapping(STUDIES[experiment]())
    written = table(f"`study` of {experiment}")
    assert sorted(written) == sorted(leaves(study))
    for key, text in written.items():
        value = parse(text.replace(",", "") if "[" not in text else text, file="d").tree
        assert value == default_of(study, key), key


def test_the_reference_has_exactly_the_keys_of_a_search_with_their_defaults():
    schema = {field.name: field.default for field in fields(Search)}
    settings = section("`search`").partition("| algorithm |")[0]
    written = dict(re.findall(r"^\| `(\w+)` \| ([^|]*) \|", settings, re.MULTILINE))
    assert list(written) == list(schema)
    for key, default in schema.items():
        value = list(default) if isinstance(default, tuple) else default
        assert parse(written[key], file="d").tree == value, key


@pytest.mark.parametrize("kind", SCHEDULERS)
def test_the_reference_has_every_key_of_a_scheduler(kind):
    whole, part = section("`scheduler`"), section(f"`{kind}`")
    shared = whole.partition("###")[0]
    for field in fields(SCHEDULERS[kind]):
        assert f"`{field.name}`" in part or f"`{field.name}`" in shared, field.name
        if field.default in (MISSING, None, "val_loss", "min", ()):
            continue
        inline = re.search(rf"`{field.name}` \(([^),]*)", part)
        stated = table(f"`{kind}`").get(field.name) or (inline[1] if inline else "")
        assert parse(stated, file="d").tree == field.default, field.name


def test_the_reference_has_every_block_domain_axis_choice_and_shipped_space():
    for block in (*BLOCKS, EXTENDS):
        assert section(f"`{block}`"), block
    axes = section("`space`")
    for domain in DOMAINS:
        assert f"{{{domain}: [" in axes, domain
    for axis in (*TICKET_AXES, *XNN_AXES, "seed", "when"):
        assert f"`{axis}`" in axes or f"{axis}:" in axes, axis
    for field in fields(Resources):
        assert f"`{field.name}`" in section("`resources`")
    assert all(f"`{name}`" in section("`search`") for name in ALGORITHMS)
    assert all(f"`{name}`" in section("`experiment`") for name in BUILT_IN)
    listed = re.findall(r"^\| `(\w+\.yaml)` \| ([\d,]+) \|", TEXT, re.MULTILINE)
    assert sorted(name for name, _ in listed) == list(shipped())
