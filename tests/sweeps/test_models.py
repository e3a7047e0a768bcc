"""Models of storages and bundles, applied to new data: hedges to paths, an X-NN to rows."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from local_sweep import run_locally
from safetensors.torch import load_file
from spaces import TINY, TINY_XNN

import sweeps
from hedgecore.bundle.keys import private_pem, public_pem
from hedgecore.hedging.markets import market_data
from hedgecore.hedging.pnl import settle
from hedgecore.insurance.data.applicants import Applicants
from hedgecore.insurance.data.encoding import SENTINEL
from hedgecore.insurance.data.levels import encode
from hedgecore.insurance.data.rows import rows_of
from hedgecore.insurance.xnn.network import probabilities
from hedgecore.market.payoffs import call
from hedgecore.risk import cvar
from hedgecore.rng import stream
from sweeps.bundle_keys import PASSPHRASE
from sweeps.journal.stored_sweep import StoredSweep

TICKETS = {"space.lr.grid": [1e-2], "space.epsilon.grid": [0.0]}
ONE_XNN = {"space.adj_weight.grid": [0.3], "space.clusters.grid": [3], "space.seed.grid": [0]}


@pytest.fixture(scope="module")
def tickets(tmp_path_factory):
    storage = tmp_path_factory.mktemp("tickets") / "out"
    lr = {"space.lr.grid": [1e-2, 1e15]}
    run_locally(TINY, storage, overrides={**TICKETS, **lr})
    return storage


@pytest.fixture(scope="module", params=["sound", "published"])
def xnn(request, tmp_path_factory):
    storage = tmp_path_factory.mktemp("xnn") / "out"
    run_locally(TINY_XNN, storage, overrides={**ONE_XNN, "study.data.encoding": request.param})
    return storage


def completed(storage):
    return [i for i, t in StoredSweep.read(storage).state.trials.items() if t.ended == "completed"]


@pytest.fixture(autouse=True)
def _passphrase(monkeypatch):
    monkeypatch.setenv(PASSPHRASE, "correct horse battery")


@pytest.fixture
def keys(tmp_path):
    key = Ed25519PrivateKey.generate()
    (tmp_path / "private.pem").write_bytes(private_pem(key, passphrase=None))
    (tmp_path / "public.pem").write_bytes(public_pem(key.public_key()))
    return tmp_path


@pytest.fixture
def bundle(typed, keys, xnn):
    folder = keys / "bundle"
    (trial,) = completed(xnn)
    status, said = typed("seal", xnn, trial, "--key", keys / "private.pem", "--out", folder)
    assert status == 0, said
    return folder


@pytest.fixture(scope="module")
def applicants(xnn):
    return Applicants.of(StoredSweep.read(xnn).study.data, seed=0)


@pytest.fixture
def frame(applicants):
    return pd.DataFrame(applicants.table.columns)


@pytest.fixture
def rows(frame, tmp_path):
    path = tmp_path / "rows.csv"
    frame.assign(Id=range(100, 100 + len(frame))).to_csv(path, index=False)
    return path


# Tickets


def test_positions_on_the_test_paths_give_the_recorded_cvar(tickets):
    trials = StoredSweep.read(tickets).state.trials
    for trial in completed(tickets):
        hedge = sweeps.load_model(tickets, trial)
        paths = market_data(hedge.study, seed=0)["test"]
        position = hedge.positions(paths.spot[:, :-1], paths.variance[:, :-1])
        assert position.shape == (512, 6)
        assert (position.dtype, position.requires_grad) == (torch.float32, False)
        study = hedge.study
        payoff = call(paths.spot[:, -1], study.option.strike)
        outcome = settle(position, paths.spot, payoff, cost=study.cost, market=study.market)
        recorded = trials[trial].row(live=False)["cvar_05"]
        assert float(cvar(outcome.pnl.double(), tail=0.05)) == pytest.approx(recorded, rel=1e-6)


def some_paths():
    draw = stream(0, "market")
    spot = 100 + torch.randn(7, 7, generator=draw).cumsum(dim=1)
    return spot, 0.04 * torch.rand(7, 7, generator=draw)


def test_a_position_depends_on_prices_up_to_its_date_alone(tickets):
    hedge = sweeps.load_model(tickets, completed(tickets)[0])
    spot, variance = some_paths()
    whole = hedge.positions(spot, variance)
    assert whole.shape == (7, 6)
    for dates in range(1, 7):
        part = hedge.positions(spot[:, :dates], variance[:, :dates])
        torch.testing.assert_close(part, whole[:, :dates])


def test_arrays_of_numpy_and_of_pandas_are_paths_too(tickets):
    hedge = sweeps.load_model(tickets, completed(tickets)[0])
    spot, variance = some_paths()
    position = hedge.positions(spot, variance)
    doubles = spot.double().numpy(), variance.double().numpy()
    torch.testing.assert_close(hedge.positions(*doubles), position)
    torch.testing.assert_close(hedge.positions(*map(pd.DataFrame, doubles)), position)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s, v: (s[0], v[0]), r"spot must have shape \[paths, dates\], got \[7\]; spot\["),
        (lambda s, v: (s, v[:, 1:]), r"one shape, got \[7, 7\] and \[7, 6\]"),
        (lambda s, v: (s.repeat(1, 2), v.repeat(1, 2)), "1 to 6 trading dates.*got 14"),
        (lambda s, v: (s - 100, v), "spot must be positive"),
        (lambda s, v: (s, v - 1), "variance must be finite and at least 0"),
        (lambda s, v: (s, v * np.nan), "variance must be finite"),
    ],
)
def test_paths_that_are_none_are_refused_in_one_line(change, message, tickets):
    hedge = sweeps.load_model(tickets, completed(tickets)[0])
    with pytest.raises(ValueError, match=message):
        hedge.positions(*change(*some_paths()))


def test_the_mask_is_applied(tickets):
    sweep = StoredSweep.read(tickets)
    states = sweep.state.trials
    (sparse,) = [i for i in completed(tickets) if states[i].config["sparsity"] == 0.8]
    hedge = sweeps.load_model(tickets, sparse[:6])
    masks = load_file(tickets / "models" / sparse / "ticket.safetensors")
    for name in ("layers.0.weight", "layers.1.weight"):
        assert not hedge.theta[name][~masks[f"mask.{name}"]].any()


def test_an_unknown_trial_or_one_without_a_model_is_one_line(tickets):
    known = completed(tickets)[0]
    near = known[:-1] + ("0" if known[-1] != "0" else "1")
    with pytest.raises(sweeps.UsageError, match=f"nearest: .*{known}"):
        sweeps.load_model(tickets, near)
    trials = StoredSweep.read(tickets).state.trials
    failed = next(i for i, t in trials.items() if t.ended == "failed")
    with pytest.raises(sweeps.UsageError, match="has no model"):
        sweeps.load_model(tickets, failed)
    with pytest.raises(sweeps.UsageError, match="is not a directory"):
        sweeps.load_model(tickets / "none", known)


def test_a_changed_model_is_not_loaded(tickets, tmp_path):
    import shutil

    copy, trial = shutil.copytree(tickets, tmp_path / "copy"), completed(tickets)[0]
    path = copy / "models" / trial / "ticket.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(sweeps.UsageError, match="not the model that the log names"):
        sweeps.load_model(copy, trial)


def test_a_sealed_ticket_holds_the_positions_of_the_stored_one(tickets, typed, keys):
    trial = completed(tickets)[0]
    typed("seal", tickets, trial, "--key", keys / "private.pem", "--out", keys / "desk")
    hedge = sweeps.load_bundle(keys / "desk", key=keys / "public.pem")
    stored = sweeps.load_model(tickets, trial)
    assert hedge.study == stored.study
    assert torch.equal(hedge.positions(*some_paths()), stored.positions(*some_paths()))


def test_predict_refuses_a_ticket_and_names_its_use(tickets, typed, keys):
    trial = completed(tickets)[0]
    typed("seal", tickets, trial, "--key", keys / "private.pem", "--out", keys / "desk")
    arguments = ("--key", keys / "public.pem", "--out", keys / "p.csv")
    status, said = typed("predict", keys / "desk", keys / "none.csv", *arguments)
    assert status == 2
    assert "hedging_network" in said
    assert ".positions(spot, variance)" in said
    assert said.count("\n") == 1


# X-NN


def test_predictions_of_the_table_equal_the_trained_network_to_the_last_bit(
    xnn, bundle, rows, applicants, keys, typed
):
    (trial,) = completed(xnn)
    trained = load_file(xnn / "models" / trial / "xnn.safetensors")
    names = sorted((n for n in trained if n.startswith("layers.")), key=lambda n: (n[7], n[-4:]))
    theta = {n: trained[n] for n in sorted(names, key=lambda n: (n[7], n.endswith("bias")))}
    x = torch.from_numpy(applicants.encoding.encode(applicants.table))
    expected = probabilities(theta, x)
    columns = [f"probability_{k}" for k in range(1, 9)]
    for name in ("p.parquet", "p.csv"):
        out = keys / name
        status, said = typed("predict", bundle, rows, "--key", keys / "public.pem", "--out", out)
        assert status == 0, said
        read = pd.read_parquet(out) if name == "p.parquet" else pd.read_csv(out)
        assert np.array_equal(read[columns].to_numpy(np.float32), expected)
        assert read["Id"].astype(int).tolist() == list(range(100, 100 + len(read)))
        assert read["likeliest"].tolist() == (expected.argmax(axis=1) + 1).tolist()
        distances = read.filter(regex="^distance_").to_numpy()
        assert distances.shape[1] == len(trained["centroids.points"]) > 1
        assert (distances.argmin(axis=1) + 1 == read["nearest_centroid"]).all()
    assert {b"weights_sha256", b"key_id"} < pq.read_schema(keys / "p.parquet").metadata.keys()


def test_three_lines_of_python_do_the_same(xnn, bundle, frame, keys):
    model = sweeps.load_bundle(bundle, key=keys / "public.pem")
    predictions = model.predict(frame)
    assert predictions["Id"].tolist() == list(range(1, len(frame) + 1))
    assert predictions.equals(sweeps.load_model(xnn, completed(xnn)[0]).predict(frame))
    assert isinstance(model, sweeps.Classifier)


def test_distances_are_those_of_training(xnn, frame, applicants):
    (trial,) = completed(xnn)
    sweep = StoredSweep.read(xnn)
    state = sweep.state.trials[trial]
    study = sweep.plan(state).study
    preparation = sweep.experiment.trainer.prepare(study, seed=0)
    predictions = sweeps.load_model(xnn, trial).predict(frame)
    distances = predictions.filter(regex="^distance_").to_numpy()
    np.testing.assert_allclose(
        distances[applicants.parts.test], preparation.distances("test"), rtol=1e-5
    )


def test_levels_never_seen_are_counted_and_encoded_as_the_encoding_says(xnn, frame, applicants):
    odd = frame.copy()
    odd.loc[:2, "Product_Info_2"] = ["F9", "A11", None]
    odd["Product_Info_3"] = odd["Product_Info_3"].astype(float)
    odd.loc[5:8, "Product_Info_3"] = 99
    model = sweeps.load_model(xnn, completed(xnn)[0])
    predictions = model.predict(odd)
    assert predictions.notna().all(axis=None)
    (note,) = [n for n in predictions.attrs["notes"] if n.startswith("levels never seen")]
    sound = "other" in note
    assert "Product_Info_2 3: nothing, A11, F9" in note
    assert "Product_Info_3 4: 99" in note
    assert " 7 rows" in note
    x = encode(model.encoding, rows_of(odd))
    untouched = np.setdiff1d(np.arange(len(odd)), [0, 1, 2, 5, 6, 7, 8])
    assert np.array_equal(x[untouched], applicants.encoding.encode(applicants.table)[untouched])
    if sound:
        scaling, names = model.encoding.scaling, model.encoding.columns
        raw = x[:3] * scaling.sd + scaling.mean
        product = [i for i, name in enumerate(names) if name.startswith("Product_Info_2 = ")]
        other = "Product_Info_2 = other"
        hot = {names[i]: raw[:, i].round(6).tolist() for i in product}
        assert hot.pop(other, [1.0] * 3) == [1.0] * 3
        assert all(value == [0.0] * 3 for value in hot.values())
    else:
        missing = model.encoding.features(rows_of(frame)).copy()
        missing[:3, [1, 126, 127]] = SENTINEL
        assert np.array_equal(x[:3], model.encoding.scaling.apply(missing)[:3])


def test_rows_need_no_order_no_id_and_no_response_and_extra_columns_are_named(xnn, frame):
    model = sweeps.load_model(xnn, completed(xnn)[0])
    plain = model.predict(frame)
    other = frame[frame.columns[::-1]].rename(columns=str.lower).assign(Response=3, Agent="x")
    again = model.predict(other)
    assert again.equals(plain)
    assert "columns ignored: Response, Agent" in again.attrs["notes"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns=["BMI", "Ht"]), r"lacks 2 of 126 columns \(Ht, BMI\); add them"),
        (lambda f: f.head(0), "no rows"),
        (lambda f: f.assign(Ht="tall"), "row 1 Ht must be a number, got tall"),
        (lambda f: f.assign(Medical_Keyword_3=2), "Medical_Keyword_3 must be one of 0, 1, got 2"),
        (lambda f: f.assign(Wt=np.inf), "row 1 Wt must be a number, got inf"),
    ],
)
def test_rows_that_cannot_be_encoded_are_one_line(change, message, xnn, frame):
    model = sweeps.load_model(xnn, completed(xnn)[0])
    with pytest.raises(ValueError, match=message) as refused:
        model.predict(change(frame))
    assert str(refused.value).count("\n") == 0


def test_numbers_beyond_the_table_are_counted(xnn, frame):
    model = sweeps.load_model(xnn, completed(xnn)[0])
    notes = model.predict(frame.assign(Ht=1.2)).attrs["notes"]
    assert any(f"{len(frame)} rows (Ht {len(frame)})" in note for note in notes)


def test_a_single_row_is_classified(xnn, frame):
    model = sweeps.load_model(xnn, completed(xnn)[0])
    one = model.predict(frame.head(1))
    np.testing.assert_allclose(
        one.filter(like="probability").to_numpy(),
        model.predict(frame).filter(like="probability").to_numpy()[:1],
        rtol=1e-5,
    )


def test_an_output_is_not_overwritten_without_force(bundle, rows, keys, typed):
    out = keys / "p.csv"
    out.write_text("mine")
    command = ("predict", bundle, rows, "--key", keys / "public.pem", "--out", out)
    status, said = typed(*command)
    assert (status, out.read_text()) == (2, "mine")
    assert "--force" in said
    assert typed(*command, "--force")[0] == 0
    assert out.read_text().startswith("Id,probability_1,")


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("p.txt", "must end in .parquet or .csv"),
        ("none/p.csv", "no such folder"),
        ("rows.csv", ""),
    ],
)
def test_an_output_that_cannot_be_written_is_refused_first(
    out, message, bundle, rows, keys, typed
):
    before = rows.read_bytes()
    arguments = ("--key", keys / "public.pem", "--out", keys / out, "--force")
    status, said = typed("predict", bundle, rows, *arguments)
    assert status == 2
    assert message in said
    assert said.count("\n") == 1
    assert rows.read_bytes() == before


def test_nothing_is_classified_before_the_signature_is_verified(bundle, keys, typed):
    out = keys / "p.csv"
    other = Ed25519PrivateKey.generate().public_key()
    (keys / "other.pem").write_bytes(public_pem(other))
    for pinned in ((), ("--key", keys / "other.pem")):
        status, said = typed("predict", bundle, keys / "none.csv", *pinned, "--out", out)
        assert status in (1, 2)
        assert "none.csv" not in said
    (bundle / "model.safetensors").write_bytes(b"x")
    arguments = ("--key", keys / "public.pem", "--out", out)
    assert typed("predict", bundle, keys / "none.csv", *arguments)[0] == 1
    assert not out.exists()


def test_rows_that_are_no_table_are_one_line(bundle, keys, typed):
    (keys / "page.csv").write_text("<html>")
    for name, message in (("page.csv", "web page"), ("none.csv", "no file"), ("", "directory")):
        arguments = ("--key", keys / "public.pem", "--out", keys / "p.csv")
        status, said = typed("predict", bundle, keys / name, *arguments)
        assert status == 2
        assert message in said
        assert said.count("\n") == 1
    assert not (keys / "p.csv").exists()


def test_a_storage_in_place_of_a_bundle_is_refused_with_the_way_to_one(xnn, rows, keys, typed):
    arguments = ("--key", keys / "public.pem", "--out", keys / "p.csv")
    status, said = typed("predict", xnn, rows, *arguments)
    assert status == 2
    assert "hedgesweep seal" in said


def test_an_encrypted_bundle_classifies_with_its_key_only(xnn, rows, keys, typed):
    typed("keys", "--for", "receiving", "--out", keys / "mine")
    (trial,) = completed(xnn)
    recipient = ("--recipient", keys / "mine" / "public.pem")
    typed("seal", xnn, trial, "--key", keys / "private.pem", "--out", keys / "hidden", *recipient)
    command = ("predict", keys / "hidden", rows, "--key", keys / "public.pem")
    command += ("--out", keys / "p.csv")
    status, said = typed(*command)
    assert status == 1
    assert "private key" in said
    assert typed(*command, "--private-key", keys / "mine" / "private.pem")[0] == 0


def test_models_are_described_in_one_short_line(tickets, xnn):
    for storage in (tickets, xnn):
        model = sweeps.load_model(storage, completed(storage)[0])
        assert len(repr(model)) < 80
        assert "\n" not in repr(model)
    assert "Hedge(6 trading dates, " in repr(sweeps.load_model(tickets, completed(tickets)[0]))
    assert len(repr(sweeps.plan("tickets"))) < 100
