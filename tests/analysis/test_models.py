import math

import faked_networks as faked
import numpy as np
import pytest

from analysis.tensors import SweepFiles
from analysis.tickets.networks import DENSE, FEATURES, STANDARD, choose, kinds, load_models


def sweep(**more):
    """Two sparsities, clean and two budgets, two seeds; only 80 % is efficient."""
    return sweep_of(2, **more)


def sweep_of(seeds, **more):
    return [
        {"sparsity": s, "epsilon": e, "seed": seed, "cvar_05": -3.0 - loss - 0.001 * seed}
        | {"cvar_05_minus_dense_se": 0.001}
        | more
        for s, loss in ((0.8, 0.01), (0.9, 0.5))
        for e in (0.0, 0.1, 0.3)
        for seed in range(seeds)
    ]


def test_the_kinds_are_the_standard_ticket_and_a_robust_one_for_every_budget(table):
    chosen = choose(table(*sweep()))
    assert [k.name for k in chosen.kinds] == [STANDARD, "robust (ε = 0.1)", "robust (ε = 0.3)"]
    assert [k.epsilon for k in chosen.kinds] == [0.0, 0.1, 0.3]


def test_the_sparsity_is_the_max_efficient_one(table):
    chosen = choose(table(*sweep_of(5)))
    assert (chosen.sparsity, chosen.recommended) == (0.8, True)


def test_of_two_seeds_no_sparsity_is_recommended(table):
    chosen = choose(table(*sweep_of(2)))
    assert (chosen.sparsity, chosen.recommended) == (0.9, False)


def test_a_sparsity_that_no_robust_ticket_reached_is_not_compared(table):
    rows = [r for r in sweep() if r["sparsity"] == 0.9 or r["epsilon"] == 0.0]
    chosen = choose(table(*rows))
    assert (chosen.sparsity, chosen.recommended) == (0.9, False)


def test_where_nothing_is_efficient_the_largest_sparsity_with_both_kinds_is_taken(table):
    rows = [r | {"cvar_05": -9.0} for r in sweep()]
    rows += [{"sparsity": 0.95, "cvar_05": -9.0, "seed": seed} for seed in (0, 1)]
    chosen = choose(table(*rows))
    assert (chosen.sparsity, chosen.recommended) == (0.9, False)


def test_a_sweep_without_attacks_has_the_standard_kind_alone(table):
    chosen = choose(table(*[r for r in sweep() if r["epsilon"] == 0.0]))
    assert [k.name for k in chosen.kinds] == [STANDARD]


def test_a_space_without_epsilon_does_not_claim_to_know_how_its_tickets_were_trained(table):
    (kind,) = choose(table({"sparsity": 0.8}).drop(columns=["config/epsilon"])).kinds
    assert kind.name == "ticket"
    assert math.isnan(kind.epsilon)


def test_the_learning_rate_is_the_best_by_validation_at_every_seed(table):
    rows = [
        {"sparsity": 0.8, "lr": lr, "seed": seed, "val_loss": loss, "cvar_05": cvar}
        for lr, loss, cvar in ((1e-3, 2.9, -3.1), (1e-4, 3.1, -2.0))
        for seed in (0, 1)
    ]
    (kind,) = choose(table(*rows)).kinds
    assert kind.trials == {0: "t0000", 1: "t0001"}


def test_a_control_of_the_lottery_never_stands_for_a_ticket(table):
    trials = table({"sparsity": 0.8, "val_loss": 3.0}, {"sparsity": 0.8, "val_loss": 1.0})
    trials["config/ticket"] = ["lottery", "shuffled_mask"]
    (kind,) = choose(trials).kinds
    assert kind.trials == {0: "t0000"}


@pytest.mark.parametrize("rows", [[{"sparsity": 0.0}], [{"sparsity": 0.8, "status": "running"}]])
def test_without_a_completed_ticket_there_is_no_choice(table, rows):
    assert choose(table(*rows)) is None


@pytest.fixture
def filed(table, tmp_path):
    """A storage with a standard and a robust ticket at two seeds, and their choice."""
    trials = table(*[r for r in sweep() if r["sparsity"] == 0.8 and r["epsilon"] < 0.2])
    networks = {}
    for i, row in trials.iterrows():
        seed = int(row["config/seed"])
        of = faked.weights(np.random.default_rng(seed))
        networks[row["trial_id"]] = masks = faked.largest(of, keep=0.2)
        key = f"seed-{seed}-abcd"
        own = {"scaled": np.full(8, 0.125 + i)}
        faked.file_ticket(tmp_path, row["trial_id"], of, masks, importance=own, preparation=key)
        faked.file_dense(tmp_path, key, of, importance={"scaled": np.arange(8.0)})
    return tmp_path, choose(trials), networks


def test_every_ticket_is_read_and_the_dense_network_of_each_seed_once(filed):
    storage, chosen, _ = filed
    models, missing = load_models(SweepFiles(storage=storage), chosen.kinds)
    assert missing == []
    assert kinds(models) == [DENSE, STANDARD, "robust (ε = 0.1)"]
    assert [(m.kind, m.seed) for m in models[:4]] == [
        (DENSE, 0),
        (DENSE, 1),
        (STANDARD, 0),
        (STANDARD, 1),
    ]


def test_masks_come_back_as_filed_and_a_layer_without_one_is_kept_whole(filed):
    storage, chosen, networks = filed
    models, _ = load_models(SweepFiles(storage=storage), chosen.kinds)
    ticket = models[2]
    for name, mask in networks[chosen.kinds[0].trials[0]].items():
        assert (ticket.masks[name] == mask).all()
    assert "layers.2.weight" not in ticket.masks
    assert ticket.mask("layers.2.weight").all()
    assert models[0].masks == {}


def test_layers_stand_in_the_order_of_the_network_beyond_ten_of_them(filed):
    storage, chosen, _ = filed
    of = faked.weights(np.random.default_rng(0), (4,) * 11)
    faked.file_ticket(storage, chosen.kinds[0].trials[0], of, {})
    models, _ = load_models(SweepFiles(storage=storage), chosen.kinds)
    deep = next(m for m in models if len(m.weights) == 12)
    assert list(deep.weights) == [f"layers.{i}.weight" for i in range(12)]


def test_importance_is_by_measure_in_the_order_of_the_features(filed):
    storage, chosen, _ = filed
    models, _ = load_models(SweepFiles(storage=storage), chosen.kinds)
    assert models[0].features == FEATURES
    assert models[0].importance["importance_scaled"].tolist() == list(range(8))
    assert models[2].importance["importance_scaled"][0] == 0.125


def test_a_file_that_names_its_features_is_believed(filed):
    storage, chosen, _ = filed
    of = faked.weights(np.random.default_rng(0))
    faked.file_ticket(storage, chosen.kinds[0].trials[0], of, {}, features=["a", "b"])
    models, _ = load_models(SweepFiles(storage=storage), chosen.kinds)
    assert any(m.features == ("a", "b") for m in models)


def test_a_file_that_is_not_there_is_named_and_the_others_are_read(filed):
    storage, chosen, _ = filed
    path = storage / "models" / chosen.kinds[0].trials[0] / "ticket.safetensors"
    path.unlink()
    models, (line,) = load_models(SweepFiles(storage=storage), chosen.kinds)
    assert line.startswith(str(path))
    assert "no such file" in line
    assert len(models) == 5


def test_a_torn_file_is_named_with_the_reason(filed):
    storage, chosen, _ = filed
    path = storage / "study" / "seed-0-abcd" / "theta_star.safetensors"
    path.write_bytes(path.read_bytes()[:40])
    models, missing = load_models(SweepFiles(storage=storage), chosen.kinds)
    # Another ticket of the seed names it too, so it is read again.
    assert {line.partition(" ")[0] for line in missing} == {str(path)}
    assert all(line.endswith(")") for line in missing), "the reason"
    assert kinds(models) == [DENSE, STANDARD, "robust (ε = 0.1)"]
    assert [m.seed for m in models if m.kind == DENSE] == [1]
