"""The report as one page: self-contained, safe, and equal when written again."""

import hashlib
import html
import json
import re
from base64 import b64encode
from html.parser import HTMLParser

import pandas as pd
import pytest
from printed import numbers

from analysis.attacks import spoken
from analysis.figures.rendering import Picture
from analysis.html.figure_tables import csv_file
from analysis.html.live import has_trials, write_notice
from analysis.html.report_page import _claim
from analysis.html.stopping import AUDIT
from analysis.html.svg import number
from analysis.metric_names import metric_name
from analysis.page import Lines
from analysis.schema import TRIALS
from analysis.text_table import TextTable
from analysis.wording import duration

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
PROSE = ("title", "text", "figcaption", "dd", "strong", "h3")
"""Elements whose words are read, not looked up."""


class Elements(HTMLParser):
    """Start tags with their attributes, and texts of elements without markup by tag."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside:
            self.texts.setdefault(self._inside, []).append(data)


@pytest.fixture(name="page")
def _page(report_page):
    """Text of the page of a frame of trials."""
    return lambda *given, **more: report_page(*given, **more).read_text(encoding="utf-8")


@pytest.fixture(name="trials")
def _trials(table, grid):
    return table(*grid, {"status": "stopped", "stopped_at": 2}, {"status": "failed", "error": "e"})


def data(page):
    (text,) = re.findall(r'(?s)<script type="application/json" id="data">(.*?)</script>', page)
    return json.loads(text)


def test_nothing_is_loaded_from_elsewhere(page, trials):
    elements = Elements(page(trials))
    for tag, attributes in elements.tags:
        assert tag not in ("iframe", "object", "embed", "base", "link", "form"), tag
        for name, value in attributes.items():
            assert not name.startswith("on"), f"{tag} {name}"
            if name in ("src", "href", "xlink:href", "action"):
                assert value.startswith(("#", "data:")), value
    style = "".join(elements.texts["style"])
    assert "http" not in style
    assert "@import" not in style


def test_a_figure_links_to_the_table_that_it_draws_if_the_report_has_it(page, trials):
    names = ("xi_0.5/seeds", "weights", "robustness/price_of_robustness", "importance")
    pictures = [Picture(name=name, svg="<svg></svg>") for name in names]
    tables = ("seeds.csv", "robustness.csv", "summary.csv")
    tags = Elements(page(trials, pictures=pictures, tables=tables)).tags
    links = [str(attributes.get("href")) for tag, attributes in tags if tag == "a"]
    assert [link for link in links if link[0] != "#"] == ["seeds.csv", "robustness.csv"]


@pytest.mark.parametrize(
    ("picture", "experiment", "file"),
    [
        ("controls", "tickets", "controls.csv"),
        ("controls", "xnn", "cells.csv"),
        ("heat_maps/linear", "xnn", "cells.csv"),
        ("nodes", "xnn", "node_coefficients.csv"),
        ("plain_network/nodes", "xnn", None),
        ("learning_curves", "tickets", None),
    ],
)
def test_the_table_of_a_figure_has_the_numbers_that_it_draws(picture, experiment, file):
    written = ("controls.csv", "cells.csv", "node_coefficients.csv")
    assert csv_file(picture, written, experiment=experiment) == file


@pytest.mark.parametrize(("state", "scripts"), [(None, 1), ("Running: 1 of 2 trials", 2)])
def test_the_policy_allows_the_scripts_of_the_page_alone(page, trials, state, scripts):
    text = page(trials, state=state)
    found = re.findall(r"(?s)<script>(.*?)</script>", text)
    assert len(found) == scripts
    digests = [b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in found]
    policy = next(
        attributes["content"]
        for tag, attributes in Elements(text).tags
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    sources = " ".join(f"'sha256-{digest}'" for digest in digests)
    assert f"script-src {sources};" in policy
    assert policy.startswith("default-src 'none'")
    assert ("connect-src 'self'" in policy) == (state is not None)


def test_equal_data_give_equal_bytes(page, trials, tmp_path):
    assert page(trials, folder=tmp_path) == page(trials, folder=tmp_path)


def test_every_trial_is_in_the_data_and_the_best_are_readable_without_scripts(page, trials):
    text = page(trials)
    rows = data(text)["rows"]
    assert {row[0] for row in rows} == set(trials["trial_id"])
    trial_table = text[text.index('id="trial-table"') :].partition("</table>")[0]
    cells = [cell for cell in Elements(trial_table).texts["td"] if re.fullmatch(r"t\d{4}", cell)]
    assert cells == [row[0] for row in rows[:200]]
    losses = [row[[h["name"] for h in data(text)["headings"]].index("val_loss")] for row in rows]
    finite = [loss for loss in losses if loss is not None]
    assert finite == sorted(finite)


def test_markup_in_names_values_and_errors_stays_text(page, table):
    trials = table({"sparsity": 0.5}, {"status": "failed", "error": HOSTILE})
    trials[f"config/{HOSTILE}"] = pd.Series(["a", HOSTILE], dtype="string")
    blocks = [
        Lines(title="", lines=[HOSTILE]),
        Lines(title=HOSTILE, lines=[HOSTILE]),
        TextTable(cells={HOSTILE: [HOSTILE]}, title=HOSTILE, caption=HOSTILE),
    ]
    text = page(trials, {"name": HOSTILE, "git": {"commit": HOSTILE}}, blocks)
    tags = [tag for tag, _ in Elements(text).tags]
    assert tags.count("script") == 2, "the data and the script of the page"
    assert "img" not in tags
    assert any(HOSTILE in row for row in data(text)["rows"])


def test_a_long_name_of_an_axis_does_not_cover_the_others(page, table):
    trials = table(*({"lr": lr, "val_loss": lr} for lr in (0.1, 0.2, 0.3)))
    name, value = "n" * 80, "v" * 80
    trials[f"config/{name}"] = pd.Series([value, "b", "c"], dtype="string")
    labels = re.findall(r"<text[^>]*>(.*?)</text>", page(trials))
    long = [label for label in labels if "nnn" in label or "vvv" in label]
    assert long
    for label in long:
        whole, shown = re.fullmatch(r"<title>(.*)</title>(.*)", label).groups()
        assert whole in (name, value)
        assert len(shown) <= 36


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([], id="no trial"),
        pytest.param([{}], id="one trial"),
        pytest.param([{"status": "failed"}] * 3, id="all failed"),
        pytest.param([{"status": "stopped", "val_loss": None}] * 3, id="no loss"),
        pytest.param([{"val_loss": 2.0}, {"val_loss": 2.0}], id="equal losses"),
    ],
)
def test_a_sweep_with_little_to_say_has_a_page(page, table, rows):
    trials = table(*rows) if rows else table({}).iloc[:0]
    text = page(trials)
    assert "<h1>t</h1>" in text
    assert ("none is recommended" in text) == (not any(row.get("status") is None for row in rows))


def test_sections_of_the_report_keep_their_order_and_tables(page, trials):
    blocks = [
        Lines(title="", lines=["headline", "a caution"]),
        Lines(title="Claims", lines=["in the table of claims instead"]),
        Lines(title="First", lines=["a finding"]),
        TextTable(cells={"x": ["1"]}, caption="of the first"),
        TextTable(cells={"x": ["2"]}, title="Second", caption="alone"),
        Lines(title="Files", lines=["/a/path"]),
    ]
    text = page(trials, blocks=blocks)
    order = [text.index(part) for part in ("headline", "a caution", "a finding", "of the first")]
    assert order == sorted(order)
    assert "/a/path" not in text
    assert "in the table of claims" not in text
    headings = Elements(text).texts["h3"]
    assert [h for h in headings if h in ("First", "Second")] == ["First", "Second"]


def test_the_record_is_its_second_half_with_a_section_for_each_number(page, trials):
    text = page(trials)
    places = [text.index(f'<details id="r{n}">') for n in (*range(1, 17), "A")]
    assert places == sorted(places)
    assert text.index('id="provenance"') < places[0]
    assert "no statement of compliance" in text
    assert "A. &lt;b&gt;Author&lt;/b&gt;" in text
    assert Elements(text).texts["code"].count("owner") == 0
    assert Elements(text).texts["code"].count("approval") == 1


def marked(text, heading):
    """Ids of the ringed trials in the drawing whose title contains ``heading``."""
    drawings = re.findall(r"(?s)<svg.*?</svg>", text)
    (drawing,) = [one for one in drawings if heading in one]
    return set(re.findall(r'class="trial optimal" data-trial="(t\d{4})"', drawing))


def test_a_front_has_the_trials_that_no_other_beats_in_every_objective(page, table):
    attacked = "attacked_cvar_05@path_pgd:0.1"
    rows = [
        {"sparsity": 0.9, "cvar_05": -3.0, attacked: -3.5},  # the fewest weights
        {"sparsity": 0.5, "cvar_05": -2.9, attacked: -3.4},
        {"sparsity": 0.5, "cvar_05": -2.95, attacked: -3.2},  # worse, but under attack
        {"sparsity": 0.5, "cvar_05": -2.95, attacked: -3.3},  # beaten
        {"sparsity": 0.0, "cvar_05": -2.9, attacked: -3.4},  # beaten by its equal of fewer weights
    ]
    rows = [row | {"seed": seed} for seed, row in enumerate(rows)]
    text = page(table(*rows, {"sparsity": 0.98, "status": "stopped"}))
    for name in ("cvar_05", attacked):
        assert marked(text, f"front: {metric_name(name)} against weights kept") == {
            "t0000",
            "t0001",
            "t0002",
        }
    assert text.count("3 of 5 trials") == 2
    assert "not tested" in text


def test_a_sweep_without_two_objectives_has_no_front(page, table):
    assert "Pareto" not in page(table({"lr": 0.1}, {"lr": 0.2}))


def test_stopped_trials_are_counted_by_rung_and_their_cost_is_not_shown(page, table):
    stopped = {"status": "stopped", "stopped_at": 2, "epochs": 2}
    trials = table({}, {}, stopped, stopped, stopped, {"status": "failed", "epochs": 1})
    text = page(trials, {"scheduler": {"asha": {}}})
    section = text.partition('id="stopping"')[2].partition("</section>")[0]
    assert re.findall(r'<th scope="row">2</th><td>(\d)</td><td>(\d)</td>', section) == [("5", "3")]
    assert "not shown: no trial was audited" in section
    assert "--audit 0.1" in section


def test_findings_of_an_audit_are_told_beside_what_was_stopped(page, table):
    trials = table({}, {"status": "stopped", "stopped_at": 2, "epochs": 2})
    text = page(trials, blocks=[Lines(title=AUDIT, lines=["1 of 1 would have won"])])
    section = text.partition('id="stopping"')[2].partition("</section>")[0]
    assert "1 of 1 would have won" in section
    assert "not shown" not in section
    assert text.count("would have won") == 1


def test_the_first_screen_has_question_answer_cost_and_what_would_change_it(page, trials):
    terms = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page(trials)))
    assert "hedges as well" in terms["Question"]
    assert "mean of 2 seeds" in terms["Answer"]
    assert "62 trials" in terms["Cost of the answer"]
    assert "1 failed trial" in terms["What would change it"]


def test_the_space_file_is_in_the_page_as_text(report_page, table, tmp_path):
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / "space.yaml").write_text(f"x: '{HOSTILE}'\x1b\n", encoding="utf-8")
    text = report_page(table({}), {"audit": 0.2}, folder=tmp_path).read_text(encoding="utf-8")
    (details,) = re.findall(r'(?s)<details id="space">.*?</details>', text)
    assert "alert(1)" in details
    assert "\x1b" not in text
    assert "--audit 0.2" in text
    assert "img" not in [tag for tag, _ in Elements(text).tags]


def test_the_page_of_a_sweep_without_trials_waits_for_them(tmp_path):
    assert not has_trials(tmp_path)
    text = write_notice(tmp_path / "out", tmp_path, HOSTILE).read_text(encoding="utf-8")
    tags = Elements(text).tags
    assert [tag for tag, _ in tags].count("script") == 1
    assert any("connect-src 'self'" in str(attributes.get("content")) for _, attributes in tags)


@pytest.mark.slow
def test_a_page_of_ten_thousand_trials_is_small(page, table):
    trials = table({"sparsity": 0.9, "status": "stopped", "reason": "rank 4 of 6 at epoch 6"})
    trials = trials.loc[trials.index.repeat(10_000)].reset_index(drop=True)
    trials["trial_id"] = [f"{i:016x}" for i in range(10_000)]
    trials["config/lr"] = [1e-3 * (1 + i / 10_000) for i in range(10_000)]
    trials["val_loss"] = [3.0 + (i * 7919 % 10_000) / 10_000 for i in range(10_000)]
    assert len(page(trials)) < 3e6


def test_a_minus_sign_is_that_of_a_number_and_no_hyphen():
    row = {"verdict": "undecided", "effect": -0.5, "low": -1.0, "high": 0.0, "seeds": 5}
    row |= {"unit": "share of first-layer weights", "reason": "", "problem": ""}
    row |= {"statement": "s", "subject": "a", "controls": "b"}
    effect = _claim(pd.Series(row))["effect"]
    assert effect == "−0.500 [−1.000, +0.000] share of first-layer weights, 5 seeds"


def test_captions_drawings_and_answers_have_words_for_the_names_of_columns(page, trials):
    names = {str(name).partition("@")[0] for name in trials.columns if "_" in str(name)}
    texts = Elements(page(trials).partition('<section id="provenance">')[0]).texts
    prose = " ".join(" ".join(texts.get(tag, ())) for tag in PROSE)
    assert names & set(re.findall(r"\w+", prose)) == set()


@pytest.mark.parametrize("name", [*TRIALS, "attacked_cvar_05@path_pgd:0.1"])
def test_a_metric_in_words_has_no_underscore(name):
    words, _, place = metric_name(name).partition(" under ")
    assert words
    assert "_" not in words
    assert not ("@" in name and not place)


def test_an_attack_has_the_words_of_the_figures_in_metrics_and_answers(page, table):
    attacked = "attacked_cvar_05@path_pgd:0.1"
    words = f"{spoken('path_pgd')}, ε = 0.1"
    assert metric_name(attacked) == f"CVaR 5 % under {words}"
    rows = [{"sparsity": 0.5, "seed": s, "cvar_05": -3.0 - s, attacked: -4.0} for s in (0, 1)]
    text = page(table(*rows))
    assert f"under {words}" in html.unescape(text.partition('id="claims"')[0])


def test_claims_and_findings_of_the_page_spell_attacks_out_and_keep_names_of_settings(page, table):
    line = "transfer:0.1 does more harm than path_pgd:1e-05; add study.evaluation.path_pgd: [0.1]."
    text = html.unescape(page(table({}), blocks=[Lines(title="Attacks", lines=[line])]))
    assert (
        f"{spoken('transfer')}, ε = 0.1 does more harm than {spoken('path_pgd')}, ε = 1e-05; "
        in text
    )
    assert "add study.evaluation.path_pgd: [0.1]." in text
    row = {"verdict": "undecided", "effect": None, "reason": "", "problem": "", "statement": "s"}
    row |= {"subject": "lr 0.1, under path_pgd:0.1", "controls": "b"}
    assert _claim(pd.Series(row))["subject"] == f"lr 0.1, under {spoken('path_pgd')}, ε = 0.1"


def test_attacks_of_training_are_words_in_the_table_of_trials_and_names_in_conditions(page, table):
    trials = table({"seed": 0}, {"seed": 1}, {"seed": 2})
    trials["config/attack.name"] = pd.array(["path_pgd", "distribution_wpgd", None], "string")
    text = page(trials)
    body = html.unescape(text.partition('id="trial-table"')[2].partition("</table>")[0])
    assert {spoken("path_pgd"), spoken("distribution_wpgd")} <= set(
        re.findall(r"<td>(.*?)</td>", body)
    )
    data = json.loads(re.search(r'id="data">(.*?)</script>', text, re.S)[1])
    (heading,) = (one for one in data["headings"] if one["name"] == "attack.name")
    assert heading["words"] == {n: spoken(n) for n in ("path_pgd", "distribution_wpgd")}
    column = data["headings"].index(heading)
    assert {row[column] for row in data["rows"]} == {"path_pgd", "distribution_wpgd", None}


def test_counts_of_the_page_have_separators_of_thousands(page, table):
    trials = pd.concat([table({"lr": 0.1}, {"lr": 0.2})] * 617, ignore_index=True)
    trials["trial_id"] = [f"t{i:05d}" for i in range(len(trials))]
    trials["val_loss"] = [3.0 + i / 1000 for i in range(len(trials))]
    text = page(trials.assign(**{"config/seed": range(len(trials))}))
    prose = re.sub(r"(?s)<(script|style|code)\b.*?</\1>", "", text)
    assert "1,234 rows" in prose
    assert not re.search(r"\b1234\b (rows|trials|seeds|of)", prose)


def test_every_word_of_an_axis_is_drawn_and_unlabelled_ones_are_counted(page, table):
    trials = table(*({"seed": seed, "val_loss": 3.0 + seed} for seed in range(30)))
    trials["config/method"] = pd.array([f"file {i:02d}" for i in range(30)], "string")
    text = page(trials)
    drawing = re.search(r"(?s)<svg[^>]*><title>Parallel.*?</svg>", text)[0]
    places = re.findall(r'<polyline points="([^"]*)" class="trial"', drawing)
    assert len(places) == 30, "a line for every trial"
    assert len({points.split()[0] for points in places}) == 30
    assert re.findall(r">(file \d\d)<", drawing) == [f"file {i:02d}" for i in range(0, 30, 3)]
    (caption,) = re.findall(r"<figcaption>(Parallel.*?)</figcaption>", text)
    assert numbers(caption.partition("method:")[2]) == [10, 30]
    few = trials.iloc[:12]
    assert "method:" not in page(few)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0 s"), (1.544, "1.54 s"), (61.0, "1.02 min"), (3599.0, "60 min"), (7200.0, "2 h")],
)
def test_a_duration_is_in_the_unit_that_suits(seconds, text):
    assert duration(seconds) == text


def test_a_claim_of_one_seed_is_in_the_singular(page, table):
    rows = [{"sparsity": 0.9}, {"sparsity": 0.9, "epsilon": 0.1}]
    assert not re.search(r"\b1 (seeds|trials|claims)\b", page(table(*rows)))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (-0.5, "−0.5"), (4000.0, "4,000"), (20_000.0, "20,000"), (1234.5, "1234")],
)
def test_a_tick_is_short_and_a_large_whole_number_has_separators(value, text):
    assert number(value) == text
