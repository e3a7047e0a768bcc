import pytest
import yaml

from search_spaces import SpaceError, shipped
from search_spaces.space_files import read
from search_spaces.yaml_source import parse


def one(text: str) -> object:
    return parse(f"a: {text}", file="s.yaml").tree["a"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        # The examples of the core schema, YAML 1.2.2 section 10.3.
        ("", None),
        ("~", None),
        ("null", None),
        ("NULL", None),
        ("true", True),
        ("False", False),
        ("TRUE", True),
        ("0", 0),
        ("0o7", 7),
        ("0x3A", 58),
        ("-19", -19),
        ("0.", 0.0),
        ("-0.0", -0.0),
        (".5", 0.5),
        ("+12e03", 12000.0),
        ("-2E+05", -200000.0),
        # Numbers that YAML 1.1 takes for text.
        ("1e-4", 1e-4),
        ("5E3", 5000.0),
        ("-.5e-3", -0.5e-3),
        ("1.0e4", 1e4),
        ("+1e5", 1e5),
        ("-.5", -0.5),
        # Text that YAML 1.1 takes for something else.
        ("no", "no"),
        ("On", "On"),
        ("YES", "YES"),
        ("off", "off"),
        ("y", "y"),
        ("1:30", "1:30"),
        ("1:30.5", "1:30.5"),
        ("1_000", "1_000"),
        ("0b101", "0b101"),
        ("-0x1F", "-0x1F"),
        ("=", "="),
        # Text in both.
        ("tRUE", "tRUE"),
        ("val_loss", "val_loss"),
        ("e5", "e5"),
        ("1.2.3", "1.2.3"),
        ("'1e-4'", "1e-4"),
        ('"null"', "null"),
    ],
)
def test_unquoted_text_follows_the_core_schema_of_yaml_1_2(text, value):
    assert one(text) == value
    assert type(one(text)) is type(value)


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_space_is_the_same_tree_in_yaml_1_1_and_1_2(name):
    text = read(name)[1]
    assert parse(text, file=name).tree == yaml.safe_load(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("None", "write null, or 'None' in quotes"),
        ("010", "010 has a leading zero.*; write 10, or '010' in quotes"),
        ("-007", "; write -7, or"),
        ("+00", "; write 0, or"),
        ("08", "; write 8, or"),
        ("2026-11-20", "2026-11-20 looks like a date; write '2026-11-20' in quotes"),
        ("2026-1-2 10:00:00", "looks like a date"),
        (".nan", "numbers must be finite, got .nan"),
        ("-.INF", "numbers must be finite, got -.INF"),
        ("inf", "numbers must be finite, got inf"),
        ("1.0e+999", "too large"),
        ("9223372036854775808", "too large; numbers are finite, whole ones below 2"),
        ("9" * 5000, "too large"),
        ("!!python/object:os.system x", "tag !!python/object:os.system is not supported"),
        ("!!float 3", "tag !!float is not supported; remove it"),
        ("!!set {x}", "tag !!set is not supported"),
        ("{<<: {b: 1}}", "merge keys .<<. are not supported; write the keys out"),
        ("{1: 2}", "a key must be text, got 1; write '1' in quotes"),
        ("{1e3: 2}", "a key must be text, got 1e3; write '1e3' in quotes"),
        ("{null: 2}", "a key must be text, got null"),
        ("{? [x] : 2}", "a key must be text, got a list or mapping"),
        ("{'': 2}", "a key is empty"),
        ("&x [*x]", "the alias stands for a value that contains it"),
        ("*x", "undefined alias 'x'; define it with & above"),
        ("[" * 5000, "nested deeper than 40 levels"),
        (r'"\UFFFFFFFF"', "not YAML"),
        (r'"\ud800"', "half a surrogate pair"),
        ("[1, 2", "not YAML: .* check brackets"),
        ("b: c", "not YAML: mapping values are not allowed here; put text that holds ': '"),
        ("'x", "not YAML: found unexpected end of stream"),
        ("\t- x", "indent with spaces, not tabs"),
        ("\x07", "character 0x0007 is not allowed"),
    ],
)
def test_what_is_refused_has_its_line_and_cure(text, message):
    with pytest.raises(SpaceError, match=message) as caught:
        one(text)
    assert str(caught.value).startswith("s.yaml:1")


def test_a_duplicate_key_names_both_lines():
    with pytest.raises(
        SpaceError, match=r"^s\.yaml:3 a.b: 'b' is written twice, on lines 2 and 3"
    ):
        parse("a:\n  b: 1\n  b: 2\n", file="s.yaml")


def test_a_second_document_is_refused_at_its_line():
    with pytest.raises(
        SpaceError, match=r"^s\.yaml:2: a second document begins; keep one document"
    ):
        parse("a: 1\n---\nb: 2\n", file="s.yaml")


def test_every_key_has_the_line_it_is_written_on():
    source = parse("a:\n  b: 1\n  c.d:\n    - 2\ne: {f: 3}\n", file="s.yaml")
    lines = {"a": 1, "a.b": 2, "a.c.d": 3, "e": 5, "e.f": 5}
    assert source.places == {key: f"s.yaml:{line}" for key, line in lines.items()}


def test_an_alias_stands_for_the_value_of_its_anchor():
    assert parse("a: &x {c: [1]}\nb: *x\n", file="s.yaml").tree == {
        "a": {"c": [1]},
        "b": {"c": [1]},
    }


def test_aliases_that_grow_without_bound_are_refused():
    levels = "\n".join(f"k{i}: &k{i} [{', '.join([f'*k{i - 1}'] * 9)}]" for i in range(1, 12))
    with pytest.raises(SpaceError, match="more than 10000 values; write fewer aliases"):
        parse(f"k0: &k0 [1]\n{levels}\n", file="s.yaml")


def test_an_error_in_a_long_list_names_the_line_of_the_item():
    with pytest.raises(SpaceError, match=r"^s\.yaml:5 space.lr: .*; write 1, or '01'"):
        parse("space:\n  lr:\n    grid:\n      - 1.0\n      - 01\n", file="s.yaml")


def test_an_override_has_no_line():
    with pytest.raises(SpaceError, match=r"^--set space\.lr.grid: .*; write --set '.*=\[1\]'$"):
        parse("[01]", file=None, key=("space.lr.grid",))


def test_an_error_is_one_line_even_if_the_key_is_not():
    with pytest.raises(SpaceError) as caught:
        parse('"a\\nb": 01', file="s.yaml")
    assert len(str(caught.value).splitlines()) == 1
