import pytest

from search_spaces import SpaceError
from search_spaces.yaml_source import parse
from search_spaces.yaml_text import number_as_yaml


def one(text: str) -> object:
    return parse(f"a: {text}", file="s.yaml").tree["a"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.0e-4", 1e-4),
        ("1_000", 1000),
        ("-3", -3),
        ("+.inf_", "+.inf_"),
        ("0x1F", 31),
        ("0b101", 5),
        (".5", 0.5),
        ("6.", 6.0),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("val_loss", "val_loss"),
        ("'1e-4'", "1e-4"),
        ('"no"', "no"),
        ("y", "y"),
        ("e5", "e5"),
        ("1.2.3", "1.2.3"),
    ],
)
def test_a_value_is_read_as_its_writer_means_it(text, value):
    assert one(text) == value
    assert type(one(text)) is type(value)


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("1e-4", "1.0e-4"),
        ("5E3", "5.0e+3"),
        ("-.5e-3", "-0.5e-3"),
        ("1_000e-2", "1000.0e-2"),
        ("1.0e4", "1.0e+4"),
        ("-.5", "-0.5"),
        ("+1e5", "1.0e+5"),
        ("1e1_0", "1.0e+10"),
        ("08", "8"),
        ("._5", "0.5"),
    ],
)
def test_text_that_looks_like_a_number_is_refused_with_the_number_to_write(text, cure):
    with pytest.raises(SpaceError) as caught:
        one(text)
    assert str(caught.value) == f"s.yaml:1 a: {text!r} is text in YAML 1.1; write {cure}"
    assert one(cure) == float(number_as_yaml(text)) == float(text.replace("_", "").lstrip("+"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (".5e-3", "'.5e-3' has no digit before the point; write 0.5e-3"),
        ("no", "'no' is false in YAML 1.1; write false, or 'no' in quotes for text"),
        ("On", "'On' is true in YAML 1.1; write true, or 'On' in quotes"),
        ("YES", "'YES' is true"),
        ("off", "'off' is false"),
        ("None", "'None' is text in YAML; write null"),
        ("1:30", "1:30 looks like a number in base 60"),
        ("1:30.5", "looks like a number in base 60"),
        ("010", "010 is 8 in YAML 1.1 .octal.; write 10 or 8, or '010' in quotes"),
        ("007", "007 is 7 in YAML 1.1 .octal.; write 7, or"),
        ("0o17", "'0o17' is text in YAML 1.1; write 15"),
        ("0b_", "'0b_' is no number"),
        ("2026-11-20", "2026-11-20 looks like a date; write '2026-11-20' in quotes"),
        ("2026-1-2 10:00:00", "looks like a date"),
        (".nan", "numbers must be finite, got .nan"),
        ("-.INF", "numbers must be finite, got -.INF"),
        ("inf", "numbers must be finite, got inf"),
        ("1.0e+999", "too large"),
        ("9223372036854775808", "too large; numbers are finite, whole ones below 2"),
        ("9" * 5000, "too large"),
        ("!!python/object:os.system x", "tag !!python/object:os.system is not read"),
        ("!!float 3", "tag !!float is not read; remove it"),
        ("!!set {x}", "tag !!set is not read"),
        ("=", "'=' has a special meaning"),
        ("{<<: {b: 1}}", "merge keys .<<. are not read; write the keys out"),
        ("{1: 2}", "a key must be text, got 1; write '1' in quotes"),
        ("{no: 2}", "'no' is false in YAML 1.1"),
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
def test_what_yaml_1_1_misreads_is_refused_with_line_and_cure(text, message):
    with pytest.raises(SpaceError, match=message) as caught:
        one(text)
    assert str(caught.value).startswith("s.yaml:1")


def test_a_duplicate_key_names_both_lines():
    with pytest.raises(
        SpaceError, match=r"^s\.yaml:3 a.b: 'b' is written twice, on lines 2 and 3"
    ):
        parse("a:\n  b: 1\n  b: 2\n", file="s.yaml")


def test_a_second_document_is_refused_at_its_line():
    with pytest.raises(SpaceError, match=r"^s\.yaml:2: a second document begins; keep one a file"):
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
    with pytest.raises(SpaceError, match=r"^s\.yaml:5 space.lr: '1e-4' is text in YAML 1.1"):
        parse("space:\n  lr:\n    grid:\n      - 1.0\n      - 1e-4\n", file="s.yaml")


def test_an_override_has_no_line():
    with pytest.raises(SpaceError, match=r"^--set space\.lr.grid: '1e-4' is text in YAML 1.1"):
        parse("[1e-4]", file=None, key=("space.lr.grid",))


def test_an_error_is_one_line_even_if_the_key_is_not():
    with pytest.raises(SpaceError) as caught:
        parse('"a\\nb": no', file="s.yaml")
    assert len(str(caught.value).splitlines()) == 1
