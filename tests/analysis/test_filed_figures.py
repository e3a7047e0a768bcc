"""Figures of a sweep with files: learning curves, masks, heat maps and profiles."""

import json
from dataclasses import replace

import faked_networks as faked
import faked_xnn
import numpy as np
import pandas as pd
import pytest
from printed import numbers
from safetensors.numpy import load_file

from analysis import load_epochs, load_manifest, load_trials
from analysis.figures import NothingToDraw, panels, rendering, save, save_ticket_figures
from analysis.figures.tickets.heat_map import sparsity_and_epsilon
from analysis.figures.tickets.learning_curves import learning_curves, size_of_curves
from analysis.figures.tickets.mask_atlas import mask_atlas
from analysis.figures.tickets.profiles import hedge_ratio, pnl_histogram, profile_plans
from analysis.figures.tickets.speeds import convergence_speeds
from analysis.figures.xnn import save_xnn
from analysis.sweep import Sweep
from analysis.tensors import SweepFiles
from analysis.tickets.network_comparison import tickets as compared_tickets
from analysis.tickets.profiles import ProfileError, profiles
from analysis.tickets.robustness import robustness_table

HOSTILE = "<script>alert(1)</script>"
SPARSITIES, BUDGETS, RATES, SEEDS = (0.0, 0.5, 0.9), (0.0, 0.1), (1e-3, 1e-2), (0, 1, 2)
LENGTH, RUNG = 6, 2


@pytest.fixture(scope="module")
def storage(table, write, tmp_path_factory):
    """A sweep with curves, networks and attacks; of every pair, the smaller rate was stopped."""
    rng = np.random.default_rng(5)
    rows = []
    for sparsity in SPARSITIES:
        for epsilon in BUDGETS:
            for lr in RATES:
                stopped = lr == RATES[0]
                end = {"status": "stopped", "stopped_at": RUNG, "epochs": RUNG} if stopped else {}
                for seed in SEEDS:
                    cvar, attacked, sharpe, loss = rng.normal(scale=0.02, size=4)
                    given = {"sparsity": sparsity, "epsilon": epsilon, "lr": lr, "seed": seed}
                    measured = {
                        "cvar_05": -3.0 - 0.1 * sparsity + cvar,
                        "attacked_cvar_05@path_pgd:0.1": -3.4 - sparsity + 2 * epsilon + attacked,
                        "sharpe_ratio": -2.3 + sharpe,
                        "val_loss": 3.0 + loss,
                        "epochs_to_95pct": int(rng.integers(2, 6)),
                    }
                    rows.append(given | end | ({} if stopped else measured))
    trials = table(*rows)
    epochs = pd.DataFrame(
        [
            {"trial_id": row["trial_id"], "epoch": n, "val_loss": 3.0 + 1.0 / n + 0.01 * i}
            for i, row in enumerate(trials.to_dict("records"))
            for n in range(1, (RUNG if row["status"] == "stopped" else LENGTH) + 1)
        ]
    )
    folder = write(tmp_path_factory.mktemp("filed") / "sweep", trials, epochs)
    about = {"experiment": "tickets", "name": "t", "rungs": [RUNG]}
    (folder / "manifest.json").write_text(json.dumps(about), encoding="utf-8")
    features = [HOSTILE, *(f"input_{i}" for i in range(7))]
    for _, row in trials.iterrows():
        draw = np.random.default_rng([int(row["config/seed"]), int(100 * row["config/sparsity"])])
        of, key = faked.weights(draw), f"seed-{row['config/seed']}-abcd"
        kept = faked.largest(of, keep=1.0 - row["config/sparsity"] or 1.0)
        given = {"preparation": key, "features": features}
        own = np.random.default_rng([int(10 * row["config/epsilon"]), int(row["config/seed"])])
        given["importance"] = {n: own.random(8) for n in ("scaled", "permutation")}
        faked.file_ticket(folder, row["trial_id"], of, kept, **given)
        faked.file_dense(folder, key, of, importance={"scaled": draw.random(8)})
    return folder


@pytest.fixture(scope="module")
def problem(storage):
    trials, manifest = load_trials(storage), load_manifest(storage)
    files = SweepFiles.of(storage, trials, manifest)
    return Sweep(trials=trials, manifest=manifest, files=files).problems[0]


def figure(draw, size=(12.0, 8.0)):
    return panels(draw, size=size)


def profile(trial_id, *, cvar=-3.0, **changes):
    at = np.linspace(90.0, 110.0, 5)
    line = {"ticket": 0.5, "low": 0.4, "high": 0.6, "dense": 0.52, "heston": 0.55}
    line["minimum_variance"] = 0.45
    bins = {name: (level + 0.01 * (at - 100.0)).tolist() for name, level in line.items()}
    row = {
        "trial_id": trial_id,
        "seed": 0,
        "paths": 40,
        "date": 0.04,
        "maturity": 0.08,
        "strike": 100.0,
        "band": [98.0, 102.0],
        "cvar_05": {"ticket": cvar, "dense": -3.1},
        "pnl": {"edges": [-4.0, -3.0, -2.0, 0.0], "ticket": [2, 8, 30], "dense": [4, 6, 30]},
        "by_spot": {"at": at.tolist(), **bins},
        "by_variance": {"at": (at / 2000.0).tolist(), **bins},
    }
    return row | changes


def test_a_learning_curve_is_the_mean_over_seeds_and_ends_in_a_cross_where_it_was_stopped(problem):
    axes = figure(lambda f: learning_curves(problem, f), size_of_curves(problem)).axes
    assert len(axes) == len(SPARSITIES) * len(BUDGETS)
    epochs, trials = problem.epochs, problem.tickets
    for ax in axes[:3]:
        sparsity = SPARSITIES[axes.index(ax)]
        pair = trials[trials["config/sparsity"].eq(sparsity) & trials["config/epsilon"].eq(0.0)]
        for lr, mark, length in ((RATES[0], "x", RUNG), (RATES[1], "o", LENGTH)):
            ids = pair.loc[pair["config/lr"].eq(lr), "trial_id"]
            mean = epochs[epochs["trial_id"].isin(ids)].groupby("epoch")["val_loss"].mean()
            thick = [line for line in ax.get_lines() if line.get_linewidth() == 1.6]
            assert any(
                line.get_ydata() == pytest.approx(mean.to_numpy())
                for line in thick
                if len(line.get_ydata()) == length
            )
            (end,) = [line for line in ax.get_lines() if line.get_marker() == mark]
            assert end.get_xydata()[0] == pytest.approx((length, mean.iloc[-1]))
        assert [ln.get_xdata()[0] for ln in ax.get_lines() if ln.get_linestyle() == ":"] == [RUNG]


@pytest.mark.parametrize(("rates", "length"), [(20, 100), (8, 900)])
def test_the_points_of_learning_curves_are_bounded_and_the_best_are_drawn(
    table, write, tmp_path, rates, length
):
    trials = table(
        *(
            {"sparsity": s / 20, "lr": 1e-4 * (1 + lr), "seed": seed, "val_loss": 3.0 + lr}
            for s in range(12)
            for lr in range(rates)
            for seed in (0, 1)
        )
    )
    epochs = pd.DataFrame(
        {
            "trial_id": trials["trial_id"].repeat(length),
            "epoch": np.tile(np.arange(1, length + 1), len(trials)),
            "val_loss": (trials["val_loss"].repeat(length)).to_numpy()
            + np.tile(1.0 / np.arange(1, length + 1), len(trials)),
        }
    )
    storage = write(tmp_path / "many", trials, epochs)
    files = SweepFiles(storage=storage)
    many = Sweep(trials=load_trials(storage), manifest={"rungs": [1]}, files=files).problems[0]
    drawn = figure(lambda f: learning_curves(many, f), size_of_curves(many))
    lines = [line for ax in drawn.axes for line in ax.get_lines()]
    assert sum(len(line.get_xdata()) for line in lines) < 30_000
    means = [line for line in drawn.axes[0].get_lines() if line.get_linewidth() == 1.6]
    assert min(line.get_ydata()[-1] for line in means) == pytest.approx(3.0 + 1.0 / length)
    assert {line.get_xdata()[-1] for line in means} == {length}
    left_out = 12 * (rates - len(means))
    texts = " ".join(t.get_text() for t in drawn.texts)
    assert left_out > 0
    assert f"{left_out} more configurations" in texts


def test_without_epochs_there_are_no_learning_curves(problem, table, write, tmp_path):
    with pytest.raises(NothingToDraw, match="not at hand"):
        figure(lambda f: learning_curves(Sweep.of(table({})).problems[0], f))
    bare = write(tmp_path / "bare", table({}))
    lacking = Sweep(trials=table({}), files=SweepFiles(storage=bare)).problems[0]
    with pytest.raises(NothingToDraw, match=r"epochs\.parquet"):
        figure(lambda f: learning_curves(lacking, f))


def test_the_speed_at_the_best_rate_is_that_of_its_trials_and_a_stopped_rate_has_its_epochs(
    problem,
):
    axes = figure(lambda f: convergence_speeds(problem, f)).axes
    headline, panel = axes[0], axes[1]
    rows = problem.tickets
    rows = rows[rows["config/sparsity"].eq(0.0) & rows["config/epsilon"].eq(0.0)]
    completed = rows[rows["status"].eq("completed")]
    mean = completed["epochs_to_95pct"].astype("float64").mean()
    points = [line for line in headline.get_lines() if line.get_marker() == "o"]
    assert points[0].get_ydata()[0] == pytest.approx(mean)
    stopped, best = panel.patches
    assert (stopped.get_height(), best.get_height()) == pytest.approx((RUNG, mean))
    assert [bool(stopped.get_hatch()), bool(best.get_hatch())] == [True, False]


def test_cells_of_the_heat_map_are_the_means_and_the_recommended_one_is_framed(problem):
    table = robustness_table(problem)
    drawn = figure(lambda f: sparsity_and_epsilon(table, f, recommended=[(0.9, 0.1)]))
    tickets = table[table["network"].eq("ticket")]
    for ax, column in zip(drawn.axes, ("cvar_05", "attacked_cvar_05@path_pgd:0.1"), strict=False):
        expected = tickets.pivot_table(index="epsilon", columns="sparsity", values=column)
        assert np.asarray(ax.images[0].get_array()) == pytest.approx(expected.to_numpy())
        frames = [p for p in ax.patches if not p.get_fill()]
        assert {(p.get_x() + 0.45, p.get_y() + 0.45) for p in frames} == {(2.0, 1.0)}
        assert len(ax.texts) == expected.size


def test_the_atlas_has_the_first_mask_of_every_sparsity_and_seed(problem, storage):
    drawn = figure(lambda f: mask_atlas(problem, f))
    assert len(drawn.axes) == 2 * len(SEEDS)
    rows = problem.tickets[problem.tickets["status"].eq("completed")]
    rows = rows[rows["config/epsilon"].eq(0.0) & rows["config/sparsity"].gt(0.0)]
    order = rows.sort_values(["config/sparsity", "config/seed"])["trial_id"]
    for ax, trial_id in zip(drawn.axes, order, strict=True):
        tensors = load_file(storage / "models" / trial_id / "ticket.safetensors")
        mask = tensors["mask.layers.0.weight"].astype(bool)
        assert np.array_equal(np.asarray(ax.images[0].get_array()).astype(bool), mask.T)


def test_hostile_names_are_texts_of_the_picture_and_no_elements(problem):
    svg = rendering.svg_text(figure(lambda f: mask_atlas(problem, f)))
    assert "<script" not in svg
    assert "&lt;script&gt;" in svg


def test_all_formats_of_a_figure_share_one_layout(problem, tmp_path, monkeypatch):
    layouts = []

    class Engine(rendering.ConstrainedLayoutEngine):
        def execute(self, figure):
            layouts.append(figure.dpi)
            return super().execute(figure)

    monkeypatch.setattr(rendering, "ConstrainedLayoutEngine", Engine)
    drawn = figure(lambda f: mask_atlas(problem, f))
    places = [ax.get_position().bounds for ax in drawn.axes]
    rendering.figure_files(tmp_path, "atlas", drawn)
    laid_out = [ax.get_position().bounds for ax in drawn.axes]
    rendering.svg_text(drawn)
    assert layouts == [200]  # the resolution of a PNG
    assert laid_out != places
    assert [ax.get_position().bounds for ax in drawn.axes] == laid_out


def test_a_profile_is_drawn_as_it_was_computed_with_both_cvars_marked(problem):
    completed = problem.tickets[problem.tickets["status"].eq("completed")].iloc[0]
    cvar = float(completed["cvar_05"])
    drawn = profiles(problem, [profile(completed["trial_id"], cvar=cvar), profile("of another")])
    assert [one.trial_id for one in drawn] == [completed["trial_id"]]
    whole, tail = figure(lambda f: pnl_histogram(drawn, f)).axes
    for ax in (whole, tail):
        shares = [patch.get_data().values.tolist() for patch in ax.patches]
        assert shares == [[5.0, 20.0, 75.0], [10.0, 15.0, 75.0]]
        assert [line.get_xdata()[0] for line in ax.get_lines()] == pytest.approx([cvar, -3.1])
    assert [numbers(t.get_text().replace("−", "-"))[1] for t in tail.texts] == pytest.approx(
        [cvar, -3.1], abs=1e-3
    )
    spot, _ = figure(lambda f: hedge_ratio(drawn, f)).axes
    lines = {line.get_label(): line for line in spot.get_lines()}
    for label, name in (("ticket", "ticket"), ("Heston delta", "heston")):
        assert lines[label].get_ydata() == pytest.approx(drawn[0].by_spot[name])
        assert lines[label].get_xdata() == pytest.approx(drawn[0].by_spot["at"])


@pytest.mark.parametrize(
    ("profiled", "reason"),
    [
        (None, "hedgesweep report"),
        ({"reason": "no kernel"}, "no kernel"),
        ({"rows": [profile("unknown")]}, "no network of the problem"),
    ],
)
def test_without_profiles_their_figures_are_skipped_with_the_reason(problem, profiled, reason):
    plans, skipped = profile_plans(problem, profiled)
    assert plans == []
    assert [line.split(":")[0] for line in skipped] == ["pnl_histogram", "hedge_ratio"]
    assert all(reason in line for line in skipped)


@pytest.mark.parametrize("changes", [{"cvar": -2.0}, {"pnl": {}}, {"strike": None}])
def test_a_profile_of_another_arithmetic_or_in_part_is_refused(problem, changes):
    completed = problem.tickets[problem.tickets["status"].eq("completed")].iloc[0]
    given = {"cvar": float(completed["cvar_05"])} | changes
    with pytest.raises(ProfileError, match=completed["trial_id"]):
        profiles(problem, [profile(completed["trial_id"], **given)])


def test_a_profile_without_a_recorded_result_blames_no_arithmetic(problem):
    trials = problem.trials.copy()
    completed = trials[trials["status"].eq("completed")].iloc[0]
    trials.loc[trials["trial_id"].eq(completed["trial_id"]), "cvar_05"] = np.nan
    lacking = replace(problem, trials=trials)
    with pytest.raises(ProfileError, match="no CVaR 5 % in the table"):
        profiles(lacking, [profile(completed["trial_id"])])


@pytest.fixture
def pictures(monkeypatch):
    """Figures by name, as they are drawn, not written."""
    kept = {}

    def keep(folder, name, drawn):
        kept[name.removeprefix("figures/")] = drawn
        return [folder / f"{name}.png"]

    monkeypatch.setattr(rendering, "figure_files", keep)
    monkeypatch.setattr(rendering, "svg_text", lambda drawn: "<svg></svg>")
    monkeypatch.setattr(rendering, "in_processes", lambda function, plans: map(function, plans))
    return kept


def contents(ax):
    """What ``ax`` holds, as data: two that are equal show the same."""
    lines = [line.get_xydata().tolist() for line in ax.get_lines() if len(line.get_xdata())]
    images = [np.asarray(image.get_array()).tolist() for image in ax.images]
    bars = [patch.get_extents().bounds for patch in ax.patches if patch.get_visible()]
    dots = [np.asarray(c.get_offsets()).tolist() for c in ax.collections]
    paths = [[p.vertices.tolist() for p in c.get_paths()] for c in ax.collections]
    return lines, images, bars, dots, paths


def check_figures(pictures):
    for name, drawn in pictures.items():
        visible = [ax for ax in drawn.axes if ax.axison or ax.texts]
        visible = [ax for ax in visible if ax.get_label() != "<colorbar>"]
        assert visible, name
        seen = [contents(ax) for ax in visible]
        assert all(any(part) for part in seen), f"{name} has an empty panel"
        texts = [json.dumps(one, default=str) for one in seen]
        assert len(set(texts)) == len(texts), f"{name} shows the same twice"


def test_no_figure_of_tickets_is_empty_or_shows_the_same_twice(problem, pictures, tmp_path):
    completed = problem.tickets[problem.tickets["status"].eq("completed")].iloc[0]
    row = profile(completed["trial_id"], cvar=float(completed["cvar_05"]))
    row["by_variance"]["ticket"] = [0.4, 0.5, 0.6, 0.5, 0.4]
    row["pnl"]["edges"] = np.linspace(-4.0, 0.0, 41).tolist()
    row["pnl"] |= {
        name: (np.arange(40) + k).tolist() for k, name in enumerate(("ticket", "dense"))
    }
    saved = save(tmp_path, problem, profiled={"rows": [row]})
    saved += save_ticket_figures(tmp_path, compared_tickets(problem.files, problem))
    assert saved.skipped == ()
    assert {"learning_curves", "pnl_histogram", "hedge_ratio", "mask_atlas"} <= set(pictures)
    assert {"sparsity_and_epsilon", "convergence_speed", "mask_patterns"} <= set(pictures)
    pictures.pop("pnl_histogram")  # the same histogram twice, whole and magnified
    check_figures(pictures)


def test_no_figure_of_an_xnn_is_empty_or_shows_the_same_twice(pictures, tmp_path):
    given = {"weights": (0.0, 0.1, 0.3), "clusters": (2, 6), "seeds": (0, 1, 2)}
    storage = faked_xnn.storage(tmp_path / "x", **given)
    trials, manifest = load_trials(storage), load_manifest(storage)
    files = SweepFiles.of(storage, trials, manifest)
    saved = save_xnn(tmp_path, files, trials, load_epochs(storage), manifest)
    assert saved.skipped == ()
    pictures.pop("response_densities", None)  # faked models predict alike
    check_figures(pictures)
