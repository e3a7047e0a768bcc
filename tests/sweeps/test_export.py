"""Hedges as C: compiled, they have the positions of the models; and their latency."""

import ctypes
import json
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hedged_paths import assert_positions_of
from local_sweep import run_locally
from printed import section
from spaces import TINY, TINY_XNN

import sweeps
from analysis import load_trials
from analysis.__main__ import main as analysis
from hedgecore.hedging.c_source import c_source
from hedgecore.kernel.shared_library import OFF, SWITCH, library
from hedgecore.market.pricing import heston_delta
from sweeps.inspection.latency import latencies
from sweeps.inspection.profiles import profiles
from sweeps.journal.stored_sweep import StoredSweep

pytestmark = pytest.mark.usefixtures("quick_card")

PATHS = 1000
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O3")
TICKETS = {"space.lr.grid": [1e-2, 1e15], "space.epsilon.grid": [0.0]}
TICKETS |= {"space.sparsity.grid": [0.0, 0.5, 0.8], "study.network.hidden": [16, 16]}
ONE_XNN = {"space.adj_weight.grid": [0.3], "space.clusters.grid": [3], "space.seed.grid": [0]}


@pytest.fixture(scope="module")
def storage(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tickets") / "out"
    run_locally(TINY, folder, overrides=TICKETS)
    return folder


def trials(storage, *, ended="completed"):
    return [i for i, t in StoredSweep.read(storage).state.trials.items() if t.ended == ended]


def compiled(source, *flags):
    """The function of a C file."""
    compiler = next(filter(shutil.which, ("cc", "gcc", "clang")), None)
    if compiler is None:
        pytest.skip("no C compiler")
    target = source.with_suffix(".so")
    command = [compiler, *STRICT, *flags, "-fPIC", "-shared", source, "-lm", "-o", target]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    function = ctypes.CDLL(str(target)).hedge_position
    function.restype, function.argtypes = ctypes.c_float, [ctypes.c_void_p]
    return function


def outputs(function):
    """Positions of the compiled ``function`` from rows of features."""
    return lambda rows: [function(row.ctypes.data) for row in rows]


@pytest.mark.parametrize("which", range(3))
def test_the_compiled_file_holds_the_positions_of_the_model(which, storage, tmp_path):
    trial = trials(storage)[which]
    file = sweeps.export_model(storage, trial[:6], out=tmp_path / "hedge.c")
    assert_positions_of(sweeps.load_model(storage, trial), outputs(compiled(file)))


def test_the_file_says_where_it_comes_from(storage, tmp_path):
    trial = trials(storage)[-1]
    text = sweeps.export_model(storage, trial, out=tmp_path / "hedge.c").read_text()
    comment = text.partition("*/")[0]
    sweep = StoredSweep.read(storage)
    row = sweep.state.trials[trial].row(live=False)
    for fact in (
        trial,
        sweep.manifest["name"],
        "tickets",
        str(row["sparsity_achieved"]),
        "kappa 1.5768",
    ):
        assert fact in comment
    assert "proportional 0.001" in comment


def test_text_of_a_storage_cannot_end_the_comment(storage, tmp_path):
    hedge = sweeps.load_model(storage, trials(storage)[0])
    text = c_source(hedge, {"sweep": 'a */ int main(void) { return 1; } /* é\n#error "b"'})
    (tmp_path / "hedge.c").write_text(text, encoding="ascii")
    compiled(tmp_path / "hedge.c")


def test_a_ticket_without_weights_has_a_constant_position(storage, tmp_path):
    hedge = sweeps.load_model(storage, trials(storage)[0])
    theta = {n: v * (v.ndim == 1) + (v.ndim == 1) * 0.25 for n, v in hedge.theta.items()}
    constant = type(hedge)(problem=hedge.problem, theta=theta)
    file = tmp_path / "hedge.c"
    file.write_text(c_source(constant, {}))
    features = np.ones(8, dtype=np.float32)
    assert compiled(file)(features.ctypes.data) == pytest.approx(float(theta["layers.2.bias"]))


def test_two_hedges_can_be_linked(storage, tmp_path):
    objects = []
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    for name, trial in zip("ab", trials(storage), strict=False):
        file = sweeps.export_model(storage, trial, out=tmp_path / f"{name}.c")
        objects.append(file.with_suffix(".o"))
        named = f"-Dhedge_position=hedge_{name}"
        command = [compiler, *STRICT, named, "-fPIC", "-c", str(file), "-o", str(objects[-1])]
        subprocess.run(command, check=True)
    together = str(tmp_path / "both.so")
    subprocess.run([compiler, "-shared", *map(str, objects), "-lm", "-o", together], check=True)
    assert ctypes.CDLL(together).hedge_a
    assert ctypes.CDLL(together).hedge_b


def test_the_command_writes_a_file_once(typed, storage, tmp_path):
    file = tmp_path / "hedge.c"
    trial = trials(storage)[0]
    status, line = typed("export-model", storage, trial, "--out", file)
    assert (status, file.stat().st_size > 1000) == (0, True)
    assert f"cc -std=c99 -O3 -c {file}" in line
    before = file.read_bytes()
    status, line = typed("export-model", storage, trial, "--out", file)
    assert status == 2
    assert line == f"error: {file} cannot be written (File exists); give another --out\n"
    assert file.read_bytes() == before


@pytest.mark.usefixtures("real_card")
def test_a_model_card_lies_beside_the_file(typed, storage, tmp_path):
    trial = trials(storage)[1]
    status, said = typed("export-model", storage, trial[:8], "--out", tmp_path / "hedge.c")
    card = tmp_path / "hedge.md"
    assert (status, f"model card in {card}" in said) == (0, True)
    text = card.read_text()
    assert f"trial {trial}" in text
    assert "cc -std=c99 -O3 -c hedge.c -o hedge.o" in text
    status, said = typed("export-model", storage, trial, "--out", tmp_path / "other.c")
    assert (tmp_path / "other.md").read_text() == text.replace("hedge.", "other.")


def test_without_room_for_a_card_there_is_no_file(typed, storage, tmp_path):
    (tmp_path / "hedge.md").write_text("mine")
    status, line = typed(
        "export-model", storage, trials(storage)[0], "--out", tmp_path / "hedge.c"
    )
    assert status == 2
    assert (
        line
        == f"error: {tmp_path / 'hedge.md'} cannot be written (File exists); give another --out\n"
    )
    assert not (tmp_path / "hedge.c").exists()
    assert (tmp_path / "hedge.md").read_text() == "mine"


@pytest.mark.usefixtures("real_card")
def test_tables_that_cannot_be_read_are_one_line(typed, storage, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(storage, copy)
    (copy / "trials.parquet").write_bytes(b"")
    status, line = typed("export-model", copy, trials(copy)[0], "--out", tmp_path / "hedge.c")
    assert (status, line.count("\n")) == (2, 1)
    assert line.startswith("error: no model card: ")
    assert not (tmp_path / "hedge.c").exists()


def test_bad_input_is_one_line(typed, storage, tmp_path):
    out = tmp_path / "hedge.c"
    (failed, *_), (trial, *_) = trials(storage, ended="failed"), trials(storage)
    for folder, identifier, file, text in (
        (storage, "zz", out, "nearest: "),
        (storage, failed, out, "has no model"),
        (tmp_path / "none", "a", out, "error: "),
        (storage, trial, out / "b.c", "give another --out"),
    ):
        status, line = typed("export-model", folder, identifier, "--out", file)
        assert (status, text in line, line.count("\n")) == (2, True, 1)
    assert not out.exists()


def test_an_xnn_is_not_exported(typed, tmp_path):
    run_locally(TINY_XNN, tmp_path / "xnn", overrides=ONE_XNN)
    out = tmp_path / "xnn.c"
    status, line = typed(
        "export-model", tmp_path / "xnn", trials(tmp_path / "xnn")[0], "--out", out
    )
    assert status == 2
    assert "'xnn' cannot be exported as C; sweeps.load_model" in line
    assert not out.exists()


@pytest.mark.skipif(library() is None, reason="no compiled kernel")
@pytest.mark.slow
def test_latency_is_measured_for_every_ticket_and_reported_by_sparsity(storage, tmp_path):
    measured = latencies(storage)
    rows = {row["trial_id"]: row for row in measured["rows"]}
    assert set(rows) == set(trials(storage))
    assert all(row["nanoseconds"] > 0 for row in rows.values())
    (tmp_path / "latency.json").write_text(json.dumps(measured))
    arguments = ["report", f"--latency={tmp_path / 'latency.json'}", f"--out={tmp_path / 'r'}"]
    done = CliRunner().invoke(analysis, [*arguments, str(storage)], catch_exceptions=False)
    assert "Latency of one hedge on this machine" in done.output
    assert (tmp_path / "r" / "latency.csv").exists()


@pytest.mark.slow
def test_a_profile_repeats_the_cvar_of_the_table_and_its_delta_is_hestons(storage, tmp_path):
    ids = trials(storage)[:2]
    found = profiles(storage, lambda: ids)
    table = load_trials(storage).set_index("trial_id")
    study = StoredSweep.read(storage).study
    for row in found["rows"]:
        recorded = table.loc[row["trial_id"]]
        assert row["cvar_05"]["ticket"] == pytest.approx(recorded["cvar_05"], rel=1e-6)
        assert row["cvar_05"]["dense"] == pytest.approx(recorded["dense_cvar_05"], rel=1e-6)
        assert sum(row["pnl"]["ticket"]) == sum(row["pnl"]["dense"]) == row["paths"]
        bins, left = row["by_spot"], row["maturity"] - row["date"]
        assert (np.diff(bins["at"]) > 0).all()
        k = len(bins["at"]) // 2
        market = replace(study.market.heston, spot=bins["at"][k])
        exact = heston_delta(market, strike=row["strike"], maturity=left)
        # Median over variances of a bin near today's: the delta at the money varies little.
        assert bins["heston"][k] == pytest.approx(exact, abs=0.1)
    (tmp_path / "profiles.json").write_text(json.dumps(found, allow_nan=False))
    arguments = ["report", f"--profiles={tmp_path / 'profiles.json'}", f"--out={tmp_path / 'r'}"]
    done = CliRunner().invoke(analysis, [*arguments, str(storage)], catch_exceptions=False)
    assert done.exit_code == 0
    assert (tmp_path / "r" / "figures" / "pnl_histogram.png").exists()


def test_profiles_are_computed_on_one_thread_whatever_the_machine(storage):
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        profiles(storage, list)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(threads)


def test_a_storage_that_cannot_be_read_has_a_reason_instead_of_profiles(tmp_path):
    assert "reason" in profiles(tmp_path, lambda: ["x"])


def test_where_nothing_is_recommended_the_profiles_say_so(storage):
    assert "recommended" in profiles(storage, list)["reason"]
    assert "nearest" in profiles(storage, lambda: ["zz"])["reason"]


@pytest.mark.slow
def test_without_the_kernel_the_report_says_so_in_one_line(storage, tmp_path, monkeypatch):
    monkeypatch.setenv(SWITCH, OFF)
    (tmp_path / "latency.json").write_text(json.dumps(latencies(storage)))
    arguments = ["report", f"--latency={tmp_path / 'latency.json'}", f"--out={tmp_path / 'r'}"]
    done = CliRunner().invoke(analysis, [*arguments, str(storage)], catch_exceptions=False)
    (line,) = section(done.output, "Latency of one hedge")
    assert line.startswith("not measured: it needs the compiled kernel")
    assert not (tmp_path / "r" / "latency.csv").exists()
