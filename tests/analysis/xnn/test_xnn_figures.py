import faked_xnn
import faked_xnn_files
import numpy as np
import pytest
from matplotlib.colors import to_hex
from printed import numbers

from analysis.figures import NothingToDraw, panels, render
from analysis.figures.palette import INK
from analysis.figures.xnn import controls, fairness, featured, heat_map, losses, pareto
from analysis.figures.xnn.featured import by_method
from analysis.figures.xnn.heat_map import of_method
from analysis.figures.xnn.tradeoff import competitors
from analysis.xnn import cells, choose, spelled_out

MANIFEST = {"study": faked_xnn_files.study()}


def trials(*, weights=(0.0, 0.3), clusters=(2, 6), seeds=(0,), method="alignment", **columns):
    frame = faked_xnn.trials(weights=weights, clusters=clusters, seeds=seeds, method=method)
    return frame.assign(**columns)


@pytest.fixture(scope="module")
def two():
    """Featured configuration of two seeds."""
    return featured(trials(seeds=(0, 1)), MANIFEST)


def figure(draw):
    return panels(draw, size=(10.0, 6.0))


def texts(ax):
    return [t.get_text() for t in ax.texts]


def note(drawn):
    return drawn.get_supxlabel()


def traded(subject, **more):
    return render(lambda ax: pareto(ax, subject=subject, **more)).axes[0]


def points(ax):
    """Every marker except the rings of the front, as pairs of cost and gain."""
    lines = [line for line in ax.get_lines() if line.get_marker() not in ("None", None)]
    dots = [line for line in lines if line.get_markerfacecolor() != "none"]
    return [xy for line in dots for xy in zip(*line.get_data(), strict=True)]


def test_the_largest_gain_within_two_hundredths_of_a_nat_is_told_of():
    subject = featured(trials(weights=(0.0, 0.3, 3.0)), MANIFEST)
    assert (subject.cell["adj_weight"], subject.cell["clusters"]) == (0.3, 2)
    assert numbers(subject.network) == [0.3, 2, 0], "the weight, K and the seed"
    assert numbers(subject.chosen) == [0.02]


def test_where_none_is_so_cheap_the_cheapest_is_featured_as_in_the_text():
    frame = trials(weights=(2.0, 3.0))
    subject = featured(frame, MANIFEST)
    assert subject.cell["adj_weight"] == 2.0
    choice = choose(cells(spelled_out(frame, MANIFEST)))
    assert (choice.cell.name, choice.criterion) == (subject.cell.name, subject.chosen)
    assert "none is within" in subject.chosen
    assert numbers(subject.chosen) == [0.02]


def test_where_validation_and_test_rows_are_the_same_the_words_say_so():
    study = MANIFEST["study"] | {"data": {"split": "published"}}
    same, apart = (featured(trials(), {"study": s}).chosen for s in (study, MANIFEST["study"]))
    assert same.startswith(apart)
    assert same.endswith("the same")


def test_a_sweep_of_weight_0_tells_of_the_plain_network():
    assert featured(trials(weights=(0.0,)), MANIFEST).chosen.startswith("the plain network")


def test_what_is_not_swept_is_read_from_the_study():
    frame = trials().query("`config/clusters` == 6").drop(columns="config/clusters")
    study = {"clustering": {"clusters": 6}, "explanation": {"method": "multiplier"}}
    words = featured(frame, {"study": study}).words
    assert words.startswith("multiplier,")
    assert numbers(words) == [0.3, 6]


def test_nothing_is_told_while_no_trial_has_completed():
    with pytest.raises(NothingToDraw, match="no trial has completed"):
        featured(trials(status="running"), MANIFEST)


def test_every_method_tells_of_its_own_best():
    frame = trials(weights=(0.0, 0.3), method=("alignment", "multiplier"))
    found = by_method(frame, featured(frame, MANIFEST), MANIFEST)
    best = [tuple(t.cell[["method", "adj_weight", "clusters"]]) for t in found.values()]
    assert best == [("alignment", 0.3, 2), ("multiplier", 0.3, 6)]
    for subject, (method, *settings) in zip(found.values(), best, strict=True):
        assert subject.words.startswith(method)
        assert numbers(subject.words) == settings


def test_a_point_is_the_mean_cost_and_the_mean_gain_of_a_configuration(two):
    drawn = points(traded(two))
    for _, cell in two.table.iterrows():
        expected = (cell["cross_entropy_minus_plain"], cell["explanation_gain"])
        assert any(xy == pytest.approx(expected) for xy in drawn)


def test_the_front_is_ringed_and_no_ring_is_beaten():
    ax = traded(featured(trials(weights=(0.0, 0.1, 0.3, 3.0)), MANIFEST))
    hollow = [line for line in ax.get_lines() if line.get_markerfacecolor() == "none"]
    (rings,) = [line for line in hollow if line.get_marker() == "o"]
    cost, gain = rings.get_data()
    assert np.all(np.diff(cost) > 0)
    assert np.all(np.diff(gain) > 0)


def test_the_best_cell_is_named_with_its_weight_and_number_of_centroids(two):
    named = [numbers(t)[:2] for t in texts(traded(two)) if t.startswith("weight")]
    assert [0.3, 2] in named


def published():
    """Trials of the published space, whose multiplier has no weight of its own."""
    frame = trials(method=("none", "alignment", "multiplier"), weights=(0.3,), clusters=(6,))
    alone = frame["config/method"].ne("alignment")
    return frame.assign(**{"config/adj_weight": frame["config/adj_weight"].mask(alone)})


def test_of_several_methods_the_plain_network_has_a_mark_of_its_own():
    ax = traded(featured(published(), MANIFEST))
    marked = [
        line for line in ax.get_lines() if line.get_marker() == "X" and len(line.get_xdata())
    ]
    assert {tuple(line.get_xdata()) for line in marked} == {(0.0,)}
    assert "plain network" in [t.get_text() for t in ax.get_legend().get_texts()]


def test_a_method_without_a_weight_of_its_own_has_the_studys_in_every_figure():
    study = MANIFEST["study"] | {"explanation": {"method": "alignment", "adj_weight": 3.0}}
    frame = published()
    subject = featured(frame, {"study": study})
    every = by_method(frame, subject, {"study": study})
    drawn = figure(lambda f: losses(faked_xnn.epochs(frame), f, subject=subject, methods=every))
    named = [t.get_text() for t in drawn.axes[1].get_legend().get_texts()]
    assert [text.split(",")[0] for text in named] == ["alignment", "multiplier"]
    assert [numbers(text) for text in named] == [[0.3, 6], [3, 6]]


def test_a_label_on_the_front_keeps_within_the_axes():
    ax = traded(featured(trials(weights=(0.0, 0.1, 0.3, 3.0)), MANIFEST))
    (label,) = [t for t in ax.texts if t.get_text().startswith("weight")]
    assert all(0.1 < share < 0.95 for share in label.get_position())


def test_a_competitor_is_the_mean_over_seeds_of_its_cross_entropy_over_the_plain_networks():
    prepared = {
        f"seed-{seed}-{k}": {
            "seed": seed,
            "baselines": {
                "plain": {"cross_entropy": 1.5},
                "boosted_classes": {"cross_entropy": 1.2 + 0.2 * seed},
            },
        }
        # Seed 0 has two clusterings, but counts once.
        for seed, k in ((0, 2), (0, 6), (1, 2))
    }
    assert competitors({"preparations": prepared}) == pytest.approx({"XGBoost classifier": -0.2})


def test_a_competitor_beyond_the_axis_is_an_arrow_and_one_within_a_tick(two):
    ax = traded(two, rivals={"far": -0.5, "near": 0.01})
    assert "◂ far −0.500" in texts(ax)
    assert "near +0.010" in texts(ax)


def test_competitors_have_rows_below_every_point_and_line(two):
    ax = traded(two, rivals={"a": -0.002, "b": 0.001, "far": 0.5})
    heights = {t.get_text(): t.xy[1] for t in ax.texts}
    rows = [heights[name] for name in ("a −0.002", "b +0.001", "far +0.500 ▸")]
    assert len(set(rows)) == 3
    (strip,) = (patch for patch in ax.patches if patch.get_facecolor()[:3] == (1.0, 1.0, 1.0))
    _, top = ax.transData.inverted().transform(strip.get_window_extent())[:, 1]
    bottom, highest = ax.get_ylim()
    assert max(rows) < (top - bottom) / (highest - bottom)
    points = two.table[["explanation_gain", "explanation_gain_low"]].min(axis=None)
    assert min(points, *ax.get_yticks()) >= top


def test_a_cell_that_lacks_a_seed_is_hollow():
    frame = trials(seeds=(0, 1), clusters=(2,))
    whole = traded(featured(frame, MANIFEST))
    frame.loc[frame.index[-1], "status"] = "running"
    lacking = traded(featured(frame, MANIFEST))
    faces = [
        {line.get_markerfacecolor() for line in ax.get_lines() if len(line.get_xdata())}
        for ax in (whole, lacking)
    ]
    assert ["white" in colours for colours in faces] == [False, True]
    assert ["Hollow" in texts(ax)[-1] for ax in (whole, lacking)] == [False, True]


def test_one_configuration_makes_no_bargain():
    with pytest.raises(NothingToDraw, match="a single configuration"):
        traded(featured(trials(weights=(0.3,), clusters=(2,)), MANIFEST))


def mapped(subject, method="alignment"):
    table = of_method(subject.table, method)
    return figure(lambda f: heat_map(table, f, subject=subject, method=method))


def test_a_cell_of_the_map_says_the_mean_and_half_its_interval():
    subject = featured(trials(seeds=range(4)), MANIFEST)
    left, _ = mapped(subject).axes
    half = (subject.cell["explanation_gain_high"] - subject.cell["explanation_gain_low"]) / 2
    assert f"{subject.cell['explanation_gain']:.2f}\n± {half:.2f}" in texts(left)


def test_a_cell_of_two_seeds_has_no_interval(two):
    left, _ = mapped(two).axes
    assert f"{two.cell['explanation_gain']:.2f}" in texts(left)


def test_the_colours_of_the_map_are_white_at_zero(two):
    for ax in mapped(two).axes:
        assert ax.images[0].norm(0.0) == pytest.approx(0.5)


def test_the_text_on_a_dark_cell_is_white():
    left, _ = mapped(featured(trials(weights=(0.0, 3.0)), MANIFEST)).axes
    darkest = max(left.texts, key=lambda t: float(t.get_text().split("\n")[0].replace("−", "-")))
    assert darkest.get_color() == "white"


def test_methods_have_maps_of_the_same_scale_that_share_weight_0():
    subject = featured(trials(method=("alignment", "multiplier")), MANIFEST)
    one, other = (
        mapped(subject, method).axes[0].images[0] for method in ("alignment", "multiplier")
    )
    assert one.norm.vmax == other.norm.vmax
    assert np.array_equal(one.get_array()[:, 0], other.get_array()[:, 0])


def test_a_cell_without_a_completed_trial_is_hatched():
    frame = trials()
    frame.loc[frame["config/adj_weight"].eq(0.3) & frame["config/clusters"].eq(6), "status"] = (
        "failed"
    )
    drawn = mapped(featured(frame, MANIFEST))
    assert [bool(p.get_hatch()) for p in drawn.axes[0].patches].count(True) == 1
    assert "Hatched" in note(drawn)


def test_weights_of_a_random_search_make_no_map():
    frame = trials(weights=tuple(np.linspace(0.1, 1.0, 13)), clusters=(2,), seeds=(0,))
    with pytest.raises(NothingToDraw, match="13 values of an axis"):
        mapped(featured(frame, MANIFEST))


def beside(subject):
    return render(lambda ax: controls(ax, subject=subject)).axes[0]


def test_raw_r2_stands_beside_its_five_controls_at_every_k(two):
    ax = beside(two)
    lines = {line.get_label(): line.get_ydata() for line in ax.get_lines()}
    untrained = faked_xnn.controls("alignment", 0.3, 6)["untrained"]
    assert lines["untrained network"][1] == pytest.approx(untrained)
    assert lines["X-NN, rows permuted"] == pytest.approx([2 / 1000, 6 / 1000])
    plain = [name for name in lines if name.startswith("plain network")]
    assert (len(lines), len(plain)) == (7, 2)
    assert {"X-NN", "X-NN, random points"} <= set(lines)


def test_the_gain_over_the_best_control_is_in_the_title_and_as_long_as_its_bar(two):
    ax = beside(two)
    gain = f"gain +{two.cell['explanation_gain']:.2f} at K = 2"
    assert ax.get_title(loc="left").endswith(gain)
    (bars,) = [c for c in ax.collections if c.get_label() == "explanation gain"]
    lengths = [np.ptp(segment[:, 1]) for segment in bars.get_segments()]
    rows = two.table[two.table["adj_weight"].eq(0.3)].sort_values("clusters")
    assert lengths == pytest.approx(rows["explanation_gain"].tolist())


def test_every_control_of_three_seeds_has_its_interval():
    subject = featured(trials(seeds=(0, 1, 2)), MANIFEST)
    rows = subject.table[subject.table["adj_weight"].eq(0.3)].sort_values("clusters")
    segments = [s for c in beside(subject).collections for s in c.get_segments() if len(s) == 2]
    drawn = [tuple(segment[:, 1]) for segment in segments]
    for name in ("r2_mean", "r2_random_points"):
        assert rows[f"{name}_low"].notna().all(), name
        for ends in zip(rows[f"{name}_low"], rows[f"{name}_high"], strict=True):
            assert any(pair == pytest.approx(ends) for pair in drawn), name


def test_the_frame_of_the_chosen_cell_is_seen_on_any_colour(two):
    for ax in mapped(two).axes:
        frames = [p for p in ax.patches if not p.get_fill()]
        assert [to_hex(p.get_edgecolor()) for p in frames] == ["#ffffff", INK.lower()]
        assert frames[0].get_linewidth() > frames[1].get_linewidth()
        weights = sorted(two.table["adj_weight"].unique())
        assert frames[1].get_x() + 0.45 == pytest.approx(weights.index(two.cell["adj_weight"]))


def test_the_chosen_configuration_has_a_square_frame_among_the_ringed(two):
    frames = [line for line in traded(two).get_lines() if line.get_marker() == "s"]
    frames = [line for line in frames if line.get_markerfacecolor() == "none"]
    assert len(frames) == 2
    for line in frames:
        place = two.cell["cross_entropy_minus_plain"], two.cell["explanation_gain"]
        assert next(zip(*line.get_data(), strict=True)) == pytest.approx(place)


def test_the_cost_of_the_plain_network_over_itself_is_no_measurement(two):
    _, right = mapped(two).axes
    assert [t.endswith("by definition") for t in texts(right)].count(True) == 2


def test_losses_are_the_mean_over_seeds_of_the_network_and_of_the_plain_one(two):
    epochs = faked_xnn.epochs(trials(seeds=(0, 1)))
    (ax,) = figure(lambda f: losses(epochs, f, subject=two)).axes
    finals = [line.get_ydata()[-1] for line in ax.get_lines() if len(line.get_xdata()) == 6]
    last = 0.01 * (6 - faked_xnn.BEST_EPOCH)
    assert any(y == pytest.approx(two.plain["val_loss"].mean() + last) for y in finals)
    assert any(y == pytest.approx(two.trials["val_loss"].mean() + last) for y in finals)


def test_a_mean_ends_where_the_first_seed_did():
    frame = trials(weights=(0.3,), clusters=(2,), seeds=(0, 1))
    epochs = faked_xnn.epochs(frame)
    short = epochs[epochs["config/seed"].eq(0) | epochs["epoch"].le(4)]
    (ax,) = figure(lambda f: losses(short, f, subject=featured(frame, MANIFEST))).axes
    thick = [line for line in ax.get_lines() if line.get_linewidth() == 2.0]
    assert [line.get_xdata()[-1] for line in thick] == [4, 4]


def test_without_a_trial_of_weight_0_the_plain_networks_best_is_a_dotted_line():
    frame = trials(weights=(0.3,))
    subject = featured(frame, MANIFEST)
    (ax,) = figure(lambda f: losses(faked_xnn.epochs(frame), f, subject=subject)).axes
    (dotted,) = [line for line in ax.get_lines() if line.get_linestyle() == ":"]
    assert dotted.get_ydata()[0] == pytest.approx(frame["plain_val_loss"].mean())


def test_methods_have_a_panel_of_their_own():
    frame = trials(method=("alignment", "multiplier"))
    subject = featured(frame, MANIFEST)
    every = by_method(frame, subject, MANIFEST)
    drawn = figure(lambda f: losses(faked_xnn.epochs(frame), f, subject=subject, methods=every))
    labels = [t.get_text() for t in drawn.axes[1].get_legend().get_texts()]
    assert [label.split(",")[0] for label in labels] == ["alignment", "multiplier"]


def test_rates_by_group_are_dots_between_the_ends_of_their_intervals(two):
    ax, *_ = figure(lambda f: fairness(f, subject=two)).axes
    dots = next(line for line in ax.get_lines() if line.get_label() == "X-NN")
    assert dots.get_xdata() == pytest.approx([0.38, 0.55])
    ends = [c.get_segments()[0][:, 0] for c in ax.collections if len(c.get_segments()) == 1]
    assert any(e == pytest.approx([0.36, 0.40]) for e in ends)


def test_the_dashed_line_is_four_fifths_of_the_largest_selection_rate(two):
    ax, *_ = figure(lambda f: fairness(f, subject=two)).axes
    crossings = [c.get_segments()[0][0, 0] for c in ax.collections]
    assert any(x == pytest.approx(0.8 * 0.55) for x in crossings)


def test_trials_without_groups_have_no_fairness_to_draw():
    frame = trials()
    bare = frame.drop(columns=[c for c in frame if "@" in c])
    with pytest.raises(NothingToDraw, match="no rates by group"):
        figure(lambda f: fairness(f, subject=featured(bare, MANIFEST)))
