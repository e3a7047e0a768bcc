import copy
import json
import pickle

import pytest

import search_spaces
from search_spaces import Asha, Grid, Resources, Search, SearchSpace, SpaceError, load, shipped
from tests.cures import check_facts

SMALL = "experiment: tickets\nspace:\n  lr: {grid: [1.0e-3]}\n"


def test_a_space_file_becomes_what_it_says(tickets):
    space = load(tickets)
    assert space.experiment == "tickets"
    assert dict(space.space) == {
        "sparsity": Grid((0.0, 0.5, 0.8)),
        "lr": Grid((1e-3, 5e-4)),
        "attack.steps": Grid((3, 5)),
    }
    assert space.study == {"training": {"epochs": 20, "hidden": (32, 32)}}
    assert space.search == Search(algorithm="grid", num_samples=None, seed=7)
    assert space.scheduler == Asha(max_t=50, grace_period=5, stratify_by=("sparsity",))
    assert space.resources == Resources(cpu=2.0, gpu=0.0)
    assert (space.name, space.text) == ("tickets", tickets.read_text())


def test_axes_keep_the_order_of_the_file(tickets):
    assert list(load(str(tickets)).space) == ["sparsity", "lr", "attack.steps"]


@pytest.mark.parametrize("rest", ["", "study:\nsearch:\nscheduler:\nresources:\n"])
def test_blocks_that_are_missing_or_empty_have_their_defaults(write, rest):
    space = load(write(SMALL + rest))
    assert (space.study, space.search, space.scheduler) == ({}, Search(), None)
    assert space.resources == Resources(cpu=1.0, gpu=0.0)


def test_asha_with_no_settings_has_its_defaults(write):
    assert load(write(SMALL + "scheduler: {asha: {}}")).scheduler == Asha()


def test_a_random_search_crosses_grids_and_needs_samples_for_the_rest(write):
    text = SMALL + "  epsilon: {uniform: [0, 0.2]}\nsearch: {algorithm: random, num_samples: 8}\n"
    assert load(write(text)).search == Search(algorithm="random", num_samples=8)
    only_grids = load(write(SMALL + "search: {algorithm: random}"))
    assert only_grids.search.num_samples is None


def test_a_space_is_read_only(tickets):
    space = load(tickets)
    for mapping in (space.space, space.study, space.study["training"]):
        with pytest.raises(TypeError, match="a search space is read-only"):
            mapping["lr"] = 1
        with pytest.raises(TypeError, match="a search space is read-only"):
            mapping.update(lr=1)
    with pytest.raises(AttributeError, match="cannot assign"):
        space.name = "other"


def test_a_space_does_not_share_its_study_with_its_maker():
    inner = {"epochs": [1]}
    space = SearchSpace(
        experiment="xnn",
        space={"lr": Grid((1,))},
        study={"training": inner},
        search=Search(),
        scheduler=None,
        resources=Resources(),
        name="made",
        text="",
    )
    inner["epochs"].append(2)
    assert space.study == {"training": {"epochs": (1,)}}


def test_a_space_survives_pickle_copy_and_json(tickets):
    space = load(tickets)
    assert pickle.loads(pickle.dumps(space)) == copy.deepcopy(space) == space
    assert pickle.loads(pickle.dumps(space)).where("space.lr") == space.where("space.lr")
    assert json.loads(json.dumps(space.study)) == {"training": {"epochs": 20, "hidden": [32, 32]}}


@pytest.mark.parametrize(
    ("key", "place"),
    [
        ("space.lr", "tickets.yaml:4 space.lr"),
        ("space.lr.grid", "tickets.yaml:5 space.lr.grid"),
        ("space.attack.steps", "tickets.yaml:8 space.attack.steps"),
        ("space.attack.steps.grid", "tickets.yaml:8 space.attack.steps.grid"),
        ("study.training.batch", "tickets.yaml:10 study.training.batch"),
        ("scheduler.asha.mode", "tickets.yaml:13 scheduler.asha.mode"),
        ("unheard.of", "tickets.yaml:1 unheard.of"),
    ],
)
def test_where_gives_the_line_of_a_key_or_of_its_nearest_parent(tickets, key, place):
    assert load(tickets).where(key) == place


ASHA = SMALL + "scheduler:\n  asha:\n    "
MISTAKES = [
    (SMALL + "serch: {seed: 1}", 4, "serch", ("did you mean 'search'", "write search: {seed: 1}")),
    (SMALL + "search:\n  sed: 1", 5, "search.sed", ("did you mean 'seed'", "write seed: 1")),
    (SMALL + "search: {seed: a}", 4, "search.seed", ("got 'a'", "write seed: 0")),
    (SMALL + "search: {seed: -1}", 4, "search.seed", ("got -1", "write seed: 0")),
    (SMALL + "search: {seed: true}", 4, "search.seed", ("got true", "write seed: 0")),
    (SMALL + "search: {seed: 2.0}", 4, "search.seed", ("got 2.0", "write seed: 2")),
    (
        SMALL + "search: {algorithm: rand}",
        4,
        "search.algorithm",
        ("did you mean 'random'", "write algorithm: random"),
    ),
    (SMALL + "search: grid", 4, "search", ("got 'grid'", "write search: {algorithm: grid}")),
    (SMALL + "search: {num_samples: 3}", 4, "search.num_samples", ("got 3", "remove it")),
    (
        SMALL + "search: {algorithm: random, num_samples: 0}",
        4,
        "search.num_samples",
        ("got 0", "write num_samples: null"),
    ),
    (
        SMALL + "  eps: {choice: [1]}\nsearch:\n  algorithm: random",
        5,
        "search.num_samples",
        ("write num_samples: 20",),
    ),
    (SMALL + "  eps: {uniform: [0, 1]}", 4, "space.eps", ("write eps: {grid: [0.0, 1.0]}",)),
    (SMALL + "  eps: 0.1", 4, "space.eps", ("write eps: {grid: [0.1]}",)),
    (SMALL + "  eps: {grid: [04]}", 4, "space.eps", ("write 4",)),
    (SMALL + "  grid: [1]", 4, "space.grid", ("remove it",)),
    (SMALL + "  a b: {grid: [1]}", 4, "space.a b", ("write a_b: {grid: [1]}",)),
    (SMALL + "study: {a.b: 1}", 4, "study.a.b", ("write a: {b: 1} below study:",)),
    (SMALL + "study: [{a.b: 1}]", 4, "study", ("got [{a.b: 1}]", "remove it")),
    (SMALL + "scheduler: asha", 4, "scheduler", ("got 'asha'", "write scheduler: {asha: {}}")),
    (
        SMALL + "scheduler: {hyperbnd: {}}",
        4,
        "scheduler.hyperbnd",
        ("did you mean 'hyperband'", "write scheduler: {hyperband: {}}"),
    ),
    (
        SMALL + "scheduler: {max_t: 9}",
        4,
        "scheduler.max_t",
        ("write scheduler: {asha: {max_t: 9}}",),
    ),
    (
        SMALL + "scheduler: {asha: {}, median: {}}",
        4,
        "scheduler",
        ("write scheduler: {asha: {}}",),
    ),
    (SMALL + "scheduler: {asha: }", 4, "scheduler.asha", ("write asha: {}",)),
    (ASHA + "metrik: a", 6, "scheduler.asha.metrik", ("did you mean 'metric'", "write metric: a")),
    (ASHA + "metric: 3", 6, "scheduler.asha.metric", ("got 3", "write metric: val_loss")),
    (ASHA + "mode: mn", 6, "scheduler.asha.mode", ("did you mean 'min'", "write mode: min")),
    (ASHA + "max_t: 1.5", 6, "scheduler.asha.max_t", ("got 1.5", "write max_t: null")),
    (
        ASHA + "reduction_factor: 1",
        6,
        "scheduler.asha.reduction_factor",
        ("got 1", "write reduction_factor: 3"),
    ),
    (
        ASHA + "max_t: 3\n    grace_period: 5",
        7,
        "scheduler.asha.grace_period",
        ("got 5", "write grace_period: 3"),
    ),
    (
        ASHA + "stratify_by: lr",
        6,
        "scheduler.asha.stratify_by",
        ("got 'lr'", "write stratify_by: [lr]"),
    ),
    (
        ASHA + "stratify_by: [3]",
        6,
        "scheduler.asha.stratify_by",
        ("got 3", "write stratify_by: []"),
    ),
    (
        ASHA + "stratify_by: [lr, lr]",
        6,
        "scheduler.asha.stratify_by",
        ("write stratify_by: [lr]",),
    ),
    (
        ASHA + "stratify_by: [lrr]",
        6,
        "scheduler.asha.stratify_by",
        ("did you mean 'lr'", "write stratify_by: [lr]"),
    ),
    (SMALL + "resources: {cpu: 0}", 4, "resources.cpu", ("got 0", "write cpu: 1.0")),
    (SMALL + "resources: {gpu: -1}", 4, "resources.gpu", ("got -1", "write gpu: 0.0")),
    (SMALL + "resources: {cpu: two}", 4, "resources.cpu", ("got 'two'", "write cpu: 1.0")),
    (
        "experiment: ticket\nspace: {lr: {grid: [1]}}",
        1,
        "experiment",
        ("did you mean 'tickets'", "write experiment: tickets"),
    ),
    ("experiment: tickets\n", 1, "space", ("write space: {lr: {grid: [0.001]}}",)),
    ("experiment: tickets\nspace:\n", 2, "space", ("write space: {lr: {grid: [0.001]}}",)),
    (
        "experiment: tickets\nspace: 3\n",
        2,
        "space",
        ("got 3", "write space: {lr: {grid: [0.001]}}"),
    ),
    ("space: {lr: {grid: [1]}}\n", 1, "experiment", ("write experiment: tickets",)),
]


@pytest.mark.parametrize(("text", "line", "key", "facts"), MISTAKES)
def test_a_mistake_is_one_line_with_file_line_key_and_cure(write, text, line, key, facts):
    with pytest.raises(SpaceError) as caught:
        load(write(text))
    check_facts(caught.value, f"tickets.yaml:{line}", key, facts)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "^tickets.yaml:1: the file is empty; it needs the blocks experiment and space"),
        (b"# nothing\n", "the file is empty"),
        (b"- 1\n", r"^tickets.yaml:1: expected a mapping, got \[1\]; write the blocks exp"),
        (b"a: 1\nb: \xff\n", r"^tickets.yaml:2: not UTF-8 \(byte 0xff\); save it as UTF-8"),
        (b"a: 1\nb: [\n", "^tickets.yaml:3: not YAML: .* check brackets"),
        (b"a: 1\n\nb: \x01\n", "^tickets.yaml:3: character 0x0001 is not allowed"),
    ],
)
def test_a_file_that_is_no_space_is_refused_in_one_line(tmp_path, data, message):
    path = tmp_path / "tickets.yaml"
    path.write_bytes(data)
    with pytest.raises(SpaceError, match=message):
        load(path)


def test_a_byte_order_mark_is_read_over(tmp_path):
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + SMALL.encode())
    assert load(path).text == SMALL


def test_a_directory_is_refused(tmp_path):
    with pytest.raises(SpaceError, match="is a directory; give a YAML file"):
        load(tmp_path)


def test_a_path_that_no_system_can_open_is_refused():
    with pytest.raises(SpaceError, match="cannot be read"):
        load("a\0b.yaml")


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A folder that stands for the package's own, with one shipped space."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    (folder / "demo.yaml").write_text(SMALL)
    monkeypatch.setattr(search_spaces.space_files, "FOLDER", folder)
    monkeypatch.chdir(tmp_path)
    return folder


def test_a_shipped_space_is_found_from_every_directory(shelf):
    assert shipped() == ("demo.yaml",)
    assert load("search_spaces/demo.yaml").where("space") == "demo.yaml:2 space"


def test_a_file_of_ones_own_comes_before_a_shipped_one(shelf, tmp_path):
    (tmp_path / "demo.yaml").write_text(SMALL.replace("lr", "mine"))
    assert list(load("demo.yaml").space) == ["mine"]


def test_a_missing_file_is_answered_with_the_shipped_spaces(shelf):
    expected = "no such file my/dmo.yaml; shipped spaces: demo.yaml; did you mean 'demo.yaml'"
    with pytest.raises(SpaceError, match=expected):
        load("my/dmo.yaml")


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_space_loads(name):
    assert load(f"search_spaces/{name}").name == name.removesuffix(".yaml")
