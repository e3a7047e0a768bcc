import json

import pandas as pd
import pytest
from click.testing import CliRunner
from faked_robustness import HALF, MANIFEST, SOUND, clean, harm, trials_of
from matplotlib.text import Text
from printed import lines_with, numbers, section

from analysis import robustness_table
from analysis.__main__ import main
from analysis.figures import (
    NothingToDraw,
    cvar_against_budget,
    panels,
    price_of_robustness,
    render,
)
from analysis.figures.tickets.robustness import robustness_plans
from analysis.tickets.terminal_tables import robustness

pytestmark = pytest.mark.usefixtures("drawn_small")

FIGURES = {"cvar_against_budget", "price_of_robustness"}
WIDE = {
    f"attacked_cvar_05@distribution_wbpgd:{b:g}": harm(b)
    for b in (0.01, 0.03, 0.05, 0.1, 0.3, 0.5, 1.0)
}


def budgets(table, *, sparsity=0.9):
    draw = lambda figure: cvar_against_budget(table, figure, sparsity=sparsity)  # noqa: E731
    return panels(draw, size=(9.0, 5.4)).axes


def lines(ax, style):
    return [line for line in ax.get_lines() if line.get_linestyle() == style]


def test_every_training_epsilon_is_a_line_from_clean_to_the_largest_budget(table):
    rows = robustness_table(trials_of(table))
    (ax,) = budgets(rows)
    standard, robust = lines(ax, "-")
    for line, row in ((standard, rows.iloc[1]), (robust, rows.iloc[2])):
        names = ["cvar_05", *(f"attacked_cvar_05@path_pgd:{b}" for b in (0.1, 0.5))]
        assert list(line.get_xdata()) == pytest.approx([0.0, 0.1, 0.5], abs=0.01)
        assert list(line.get_ydata()) == pytest.approx([row[name] for name in names])
    assert numbers(robust.get_label()) == [0.5]


def test_a_panel_where_hedges_run_away_has_medians_and_an_arrow_for_the_median_that_does(table):
    def wild(budget, most):
        # The first ``most`` of the standard hedges run away.
        return lambda e, s: harm(budget)(e, s) * (1e6 if e == 0.0 and s < most else 1.0)

    columns = {f"attacked_cvar_05@path_pgd:{b}": wild(b, most) for b, most in ((0.1, 1), (0.5, 5))}
    rows = robustness_table(trials_of(table, columns | {"cvar_05@attacked_paths": clean}))
    (ax,) = budgets(rows)
    standard, robust = lines(ax, "-")
    ends = [f"attacked_cvar_05@path_pgd:{b}_median" for b in (0.1, 0.5)]
    names = ["cvar_05_median", *ends]
    assert list(standard.get_ydata()) == pytest.approx([rows.iloc[1][n] for n in names[:2]])
    assert list(robust.get_ydata()) == pytest.approx([rows.iloc[2][n] for n in names])
    arrows = [line.get_xdata()[0] for line in ax.get_lines() if line.get_marker() == "v"]
    assert arrows == pytest.approx(
        [0.5, 0.5], abs=0.01
    )  # the standard hedge, and the dense one a little below it
    assert "medians" in ax.figure.get_supxlabel()
    assert ax.get_ylim()[0] > 10 * rows["cvar_05"].min()


def test_the_dense_network_is_dashed(table):
    rows = robustness_table(trials_of(table))
    (dashed,) = lines(budgets(rows)[0], "--")
    assert dashed.get_ydata()[0] == pytest.approx(rows["cvar_05"][0])


def test_the_bars_are_the_intervals_of_the_table(table):
    rows = robustness_table(trials_of(table, epsilons=(0.5,)))
    ticket, _ = budgets(rows)[0].containers
    (bars,) = ticket.lines[2]
    low, high = bars.get_segments()[0][:, 1]
    assert (low, high) == pytest.approx((rows["cvar_05_low"][1], rows["cvar_05_high"][1]))


def test_attacks_with_two_budgets_have_panels_and_the_others_none(table):
    two = {f"attacked_cvar_05@observation_pgd:{b}": harm(b) for b in (0.1, 0.2)}
    one = {"attacked_cvar_05@path_fgsm:0.1": harm(0.05)}
    axes = budgets(robustness_table(trials_of(table, {**SOUND, **two, **one})))
    assert [ax.get_title() or ax.get_title(loc="left") for ax in axes] == [
        "gradient steps on the path (PGD)",
        "gradient steps on the observations (PGD)",
    ]
    assert ["(sd of" in ax.get_xlabel() for ax in axes] == [False, True]


def test_the_price_is_clean_against_the_hardest_attack_on_the_path(table):
    rows = robustness_table(trials_of(table))
    ax = render(lambda ax: price_of_robustness(rows, ax)).axes[0]
    points = {tuple(p.get_xydata()[0]) for p in ax.get_lines() if p.get_marker() in ("o", "*")}
    names = ["cvar_05", "attacked_cvar_05@path_pgd:0.5"]
    assert points == {tuple(row) for row in rows[names].to_numpy()}
    assert ax.get_ylabel().endswith("(PGD), ε = 0.5")
    assert numbers(ax.get_ylabel())[0] == 5, "the tail"


def test_the_axes_name_the_tail_and_its_columns_are_drawn(table):
    rows = robustness_table(trials_of(table, HALF, cvar=lambda e, s: -9.0))
    (ax,) = budgets(rows)
    assert "CVaR 50 %" in ax.get_ylabel()
    assert [line.get_ydata()[0] for line in lines(ax, "-")] == rows["cvar_50"].tolist()[1:]
    ax = render(lambda ax: price_of_robustness(rows, ax)).axes[0]
    assert "CVaR 50 %" in ax.get_xlabel()
    assert numbers(ax.get_ylabel()) == [50, 0.5], "the tail and the budget"
    points = {p.get_xdata()[0] for p in ax.get_lines() if p.get_marker() in ("o", "*")}
    assert points == set(rows["cvar_50"])


def test_a_ticket_that_has_collapsed_does_not_squeeze_the_others_into_a_corner(table):
    rows = robustness_table(trials_of(table, sparsities=[0.9, 0.98], seeds=1))
    rows.loc[rows["sparsity"].eq(0.98), "cvar_05"] *= 2
    ax = render(lambda ax: price_of_robustness(rows, ax)).axes[0]
    shown = {p.get_xdata()[0] for p in ax.get_lines() if p.get_marker() in ("o", "s")}
    assert shown == set(rows.loc[rows["sparsity"].eq(0.9), "cvar_05"])
    said = " ".join(text.get_text() for text in ax.figure.findobj(Text)).replace("\n", " ")
    assert numbers(said.partition("Not drawn:")[2])[:2] == [30, 98], "loss, sparsity"


def test_what_cannot_be_drawn_says_why(table):
    trials = trials_of(table)
    rows = robustness_table(trials)
    with pytest.raises(NothingToDraw, match="no ticket has completed at sparsity 50 %"):
        budgets(rows, sparsity=0.5)
    with pytest.raises(NothingToDraw, match="no network was attacked"):
        budgets(robustness_table(trials_of(table, {})))
    with pytest.raises(NothingToDraw, match=r"2 problems, .*; draw one at a time"):
        budgets(robustness_table(trials.assign(**{"config/market.xi": [0.1, 0.5] * 6})))


def test_a_figure_names_its_problem(table):
    rows = robustness_table(trials_of(table).assign(**{"config/market.xi": 0.1}))
    ax = render(lambda ax: price_of_robustness(rows, ax)).axes[0]
    assert ax.get_title(loc="left").endswith("\nmarket.xi 0.1")
    title = budgets(rows)[0].figure.get_suptitle()
    assert title.endswith("\nmarket.xi 0.1")
    assert numbers(title)[-2:] == [90, 0.1], "sparsity and problem"


def test_more_configurations_than_the_eye_tells_apart_are_refused(table):
    seven = [0.1 * i for i in range(7)]
    many = robustness_table(trials_of(table, epsilons=seven, seeds=1))
    with pytest.raises(NothingToDraw, match="7 kinds of ticket are more than 5 colours"):
        budgets(many)
    ladder = robustness_table(trials_of(table, sparsities=seven, seeds=1))
    with pytest.raises(NothingToDraw, match="7 sparsities are more than 6 markers"):
        render(lambda ax: price_of_robustness(ladder, ax))


def test_there_are_figures_only_where_tickets_were_trained_under_attack(table):
    def names(trials):
        return {name for name, *_ in robustness_plans(trials, tolerance=0.05, confidence=0.95)}

    assert names(trials_of(table)) == FIGURES
    assert names(trials_of(table, epsilons=(0.0,))) == set()
    assert names(trials_of(table, {})) == set()
    assert names(trials_of(table, epsilons=(0.0,)).drop(columns="config/epsilon")) == set()


def printed(capsys, rows, *, width):
    from rich.console import Console

    for one in robustness(rows, width=width):
        Console(width=width).print(one)
    return capsys.readouterr().out


@pytest.mark.parametrize("width", [80, 120, 200])
def test_many_budgets_are_cut_into_tables_that_fit(table, capsys, width):
    rows = robustness_table(trials_of(table, {**SOUND, **WIDE}))
    said = printed(capsys, rows, width=width)
    assert max(map(len, said.splitlines())) <= min(width, 120)
    assert "…" not in said
    # Every row and metric once: each has its error.
    assert said.count("±") == len(rows) * (len(SOUND) + len(WIDE)) + said.count("seeds ±")


def test_the_budgets_of_an_attack_stand_side_by_side(table, capsys):
    rows = robustness_table(trials_of(table))
    model, search, sizes = printed(capsys, rows, width=120).splitlines()[2:5]
    assert model.split() == ["path"] * 3
    assert search.split() == ["noise", "pgd", "pgd", "transfer"]
    assert sizes.split() == ["sparsity", "epsilon", "clean", "0.5", "0.1", "0.5", "0.5"]


def test_the_table_names_its_tail_and_has_the_markets_of_it(table, capsys):
    calm = {"cvar_50@regime:calm": lambda e, s: -1.25, "cvar_05@regime:calm": lambda e, s: -7.0}
    usual = printed(capsys, robustness_table(trials_of(table)), width=120)
    assert usual.startswith("CVaR 5 %")
    rows = robustness_table(trials_of(table, HALF | calm, cvar=lambda e, s: -9.0))
    half = printed(capsys, rows, width=140)
    assert half.startswith("CVaR 50 %")
    assert half.count("-1.250 ± 0.000") == 2
    assert "-7.000" not in half


def test_a_table_whose_attacks_have_no_value_yet_still_has_its_clean_column(table, capsys):
    rows = robustness_table(trials_of(table, HALF))
    under_attack = [name for name in rows if name.startswith("attacked_")]
    said = printed(capsys, rows.assign(**dict.fromkeys(under_attack, float("nan"))), width=120)
    assert said.startswith("CVaR 50 %")
    assert "clean" in said


def written(write, folder, trials):
    storage = write(folder, trials)
    (storage / "manifest.json").write_text(json.dumps({"name": "n", **MANIFEST}))
    result = CliRunner().invoke(main, ["report", str(storage)], catch_exceptions=False)
    assert result.exit_code == 0
    return storage, result.output


def test_the_report_has_the_table_the_sentences_the_checks_and_the_figures(table, write, tmp_path):
    storage, said = written(write, tmp_path, trials_of(table))
    first, *_ = section(said, "What robust training")
    assert numbers(first)[:3] == [90, 0.5, 0.05], "sparsity, epsilon, what it costs"
    checks = section(said, "Can the attacks")
    assert sum(line.startswith("passed: ") for line in checks) == 4
    for name in ("robustness", "robust_against_standard"):
        assert len(pd.read_csv(storage / "report" / f"{name}.csv")) > 0
    for name in FIGURES:
        assert (storage / "report" / "figures" / f"{name}.png").stat().st_size > 0


def test_a_sweep_without_attacks_has_one_line_of_robustness(table, write, tmp_path):
    storage, said = written(write, tmp_path, trials_of(table, {}, seeds=1))
    assert len(lines_with(said, "study.evaluation.path_pgd: [0.1]")) == 1
    assert "passed: " not in said
    assert "FAILED: " not in said
    assert not (storage / "report" / "robustness.csv").exists()
