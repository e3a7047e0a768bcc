"""Commands from a storage to a bundle and back, and their one-line errors."""

import json
import shutil
import stat

import pytest
import torch
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from local_sweep import run_locally
from printed import files, lines_with
from safetensors.torch import load_file
from spaces import TINY

import analysis
from hedgecore.bundle.keys import signing_key, verifying_key
from hedgecore.bundle.sealing import unseal
from hedgecore.hedging.features import FEATURE_NAMES, Standardisation
from hedgecore.hedging.network import HedgingNetwork, positions
from hedgecore.rng import stream
from sweeps import UsageError
from sweeps.__main__ import cli
from sweeps.bundle_keys import PASSPHRASE
from sweeps.journal.stored_sweep import StoredSweep
from sweeps.sealing import ARCHITECTURES, seal_trial

pytestmark = pytest.mark.usefixtures("quick_card")

OVERRIDES = {
    "space.sparsity.grid": [0.5],
    "space.lr.grid": [1e-2, 3e-3, 1e15],
    "space.epsilon.grid": [0.0],
}
SECRET = "correct horse battery"


@pytest.fixture(scope="module")
def storage(tmp_path_factory):
    storage = tmp_path_factory.mktemp("swept") / "out"
    run_locally(TINY, storage, overrides=OVERRIDES)
    return storage


@pytest.fixture(scope="module")
def trials(storage):
    """Ids of the two that were completed, and of the one that failed."""
    trials = StoredSweep.read(storage).state.trials
    return sorted(trials, key=lambda known: (trials[known].ended != "completed", known))


@pytest.fixture
def key():
    return Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@pytest.fixture
def command(typed, monkeypatch):
    monkeypatch.setenv(PASSPHRASE, SECRET)
    return typed


@pytest.fixture
def keys(command, tmp_path):
    assert command("keys", "--out", tmp_path / "keys")[0] == 0
    return tmp_path / "keys"


@pytest.fixture
def bundle(command, keys, storage, trials, tmp_path):
    private = keys / "private.pem"
    status, said = command(
        "seal", storage, trials[0], "--key", private, "--out", tmp_path / "bundle"
    )
    assert status == 0, said
    return tmp_path / "bundle"


def held(tensors, exogenous, spot):
    """Positions of a ticket, from its file or from a bundle."""
    s = Standardisation(tensors["standardisation.mean"], tensors["standardisation.sd"])
    theta = {name: value for name, value in tensors.items() if name.startswith("layers.")}
    return positions(HedgingNetwork((8, 8), s, position_limit=100.0), theta, exogenous, spot)


def test_a_sealed_ticket_hedges_bit_equal_to_the_trained_one(storage, trials, key, tmp_path):
    seal_trial(storage, trials[0], key=key, folder=tmp_path / "bundle")
    opened = unseal(
        tmp_path / "bundle", pinned=[key.public_key()], architectures=ARCHITECTURES
    ).tensors
    trained = load_file(storage / "models" / trials[0] / "ticket.safetensors")
    draw = stream(0, "market")
    exogenous = torch.randn(64, 6, 5, generator=draw)
    spot = 100 + torch.randn(64, 7, generator=draw).cumsum(dim=1)
    assert torch.equal(held(opened, exogenous, spot), held(trained, exogenous, spot))
    assert all(
        torch.equal(opened[f"mask.{name}"], trained[f"mask.{name}"])
        for name in ("layers.0.weight", "layers.1.weight")
    )


def test_the_manifest_says_what_the_tables_say(storage, trials, key, tmp_path):
    facts = seal_trial(storage, trials[0], key=key, folder=tmp_path / "bundle").facts
    row = analysis.load_trials(storage).set_index("trial_id", drop=False).loc[trials[0]]
    assert facts["trial"]["trial_id"] == trials[0]
    for column in ("cvar_05", "val_loss", "config/lr", "dense_cvar_05"):
        assert float(facts["trial"][column]) == row[column]
    for column in ("theta_0_sha256", "data_sha256", "config/seed", "status"):
        assert facts["trial"][column] == row[column]


def test_the_manifest_says_what_the_model_was_trained_as(storage, trials, key, tmp_path):
    manifest = seal_trial(storage, trials[0], key=key, folder=tmp_path / "bundle")
    assert (manifest.name, manifest.version) == ("out", 1)
    assert manifest.sizes == {"widths": [8, 8, 8, 1], "masks": 2}
    assert manifest.facts["study"]["network"]["hidden"] == [8, 8]
    assert manifest.facts["study"]["training"]["epochs"] == 3
    assert manifest.facts["versions"]["torch"] == torch.__version__
    assert manifest.facts["inputs"] == list(FEATURE_NAMES)


def test_sealing_twice_gives_equal_bytes(storage, trials, key, tmp_path):
    for name in "ab":
        seal_trial(storage, trials[0], key=key, folder=tmp_path / name)
    first, second = (
        {file.name: file.read_bytes() for file in (tmp_path / name).iterdir()} for name in "ab"
    )
    assert first == second


def test_sealing_changes_nothing_in_the_storage(storage, trials, key, tmp_path):
    def content():
        return {file: file.read_bytes() for file in storage.rglob("*") if file.is_file()}

    before = content()
    seal_trial(storage, trials[0], key=key, folder=tmp_path / "bundle")
    assert content() == before


def test_a_trial_without_a_model_is_not_sealed(storage, trials, key, tmp_path):
    with pytest.raises(UsageError, match=r"failed \(.*\) and cannot be sealed; choose one that"):
        seal_trial(storage, trials[2], key=key, folder=tmp_path / "bundle")


@pytest.mark.parametrize("damage", ["flipped", "cut", "missing"])
def test_a_model_that_the_log_does_not_name_is_not_sealed(storage, trials, key, tmp_path, damage):
    copy = shutil.copytree(storage, tmp_path / "copy")
    path = copy / "models" / trials[0] / "ticket.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]) if damage == "flipped" else b"x")
    if damage == "missing":
        path.unlink()
    with pytest.raises(UsageError, match=r"ticket\.safetensors .*restore it from a copy"):
        seal_trial(copy, trials[0], key=key, folder=tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_a_private_key_is_for_its_owner_and_encrypted(keys):
    private = keys / "private.pem"
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    opened = signing_key(private.read_bytes(), passphrase=SECRET)
    assert opened.public_key() == verifying_key((keys / "public.pem").read_bytes())
    assert b"ENCRYPTED" in private.read_bytes()


def test_a_private_key_is_in_the_clear_if_asked(command, tmp_path):
    command("keys", "--out", tmp_path / "keys", "--unencrypted")
    signing_key((tmp_path / "keys" / "private.pem").read_bytes())


def test_keys_are_never_overwritten(command, keys):
    before = (keys / "private.pem").read_bytes()
    status, said = command("keys", "--out", keys)
    assert status == 2
    assert "give another --out" in said
    assert (keys / "private.pem").read_bytes() == before


def test_a_passphrase_is_never_asked_of_nobody(command, keys, storage, trials, monkeypatch):
    monkeypatch.delenv(PASSPHRASE)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    arguments = ("--key", keys / "private.pem", "--out", keys / "bundle")
    status, said = command("seal", storage, trials[0], *arguments)
    assert status == 2
    assert f"set {PASSPHRASE}" in said


def test_a_new_passphrase_is_asked_for_twice_and_never_shown(command, monkeypatch, tmp_path):
    asked = []

    def prompt(text, **how):
        asked.append(how)
        return SECRET

    monkeypatch.delenv(PASSPHRASE)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.prompt", prompt)
    assert command("keys", "--out", tmp_path / "keys")[0] == 0
    assert asked == [{"hide_input": True, "confirmation_prompt": True}]
    signing_key((tmp_path / "keys" / "private.pem").read_bytes(), passphrase=SECRET)


def test_verify_says_who_signed_what(command, bundle, keys):
    status, said = command("verify", bundle, "--key", keys / "public.pem")
    assert status == 0, said
    assert [line.split()[:2] for line in said.splitlines()] == [
        ["signature", "ok:"],
        ["model", "ok:"],
        ["version", "ok:"],
    ]


@pytest.mark.usefixtures("real_card")
def test_a_bundle_has_the_card_of_its_trial(command, bundle, keys, trials, tmp_path):
    text = (bundle / "README.md").read_text()
    assert f"trial {trials[0]}" in text
    assert "sweeps.load_bundle" in text
    opening = ("--key", keys / "public.pem", "--out", tmp_path / "opened")
    assert command("open", bundle, *opening)[0] == 0
    assert (tmp_path / "opened" / "README.md").read_text() == text
    (bundle / "README.md").write_text(text.replace("trial", "Trial", 1))
    status, said = command("verify", bundle, "--key", keys / "public.pem")
    assert status == 1
    assert "README.md is not the file that was signed" in said


def test_verify_still_knows_a_storage(command, storage):
    status, said = command("verify", storage)
    assert status == 0
    assert said.startswith("log         ok:")


def test_a_bundle_is_not_verified_without_a_pinned_key(command, bundle):
    status, said = command("verify", bundle)
    assert status == 2
    assert "give --key" in said


def test_a_bundle_that_was_touched_is_one_line_and_exit_code_1(command, bundle, keys):
    (bundle / "model.safetensors").write_bytes(b"\x80\x04.")
    status, said = command("verify", bundle, "--key", keys / "public.pem")
    assert status == 1
    assert said.startswith("error: ")
    assert said.count("\n") == 1


def test_a_bundle_without_its_signature_is_no_storage(command, bundle, keys):
    (bundle / "manifest.dsse.json").unlink()
    status, said = command("verify", bundle, "--key", keys / "public.pem")
    assert status == 1
    assert files(said) == [str(bundle / "manifest.dsse.json")]
    assert command("verify", bundle)[0] == 2


def test_open_takes_the_model_out(command, bundle, keys, tmp_path):
    status, said = command(
        "open", bundle, "--key", keys / "public.pem", "--out", tmp_path / "opened"
    )
    assert status == 0, said
    for name in ("model.safetensors", "manifest.json"):
        assert (tmp_path / "opened" / name).read_bytes() == (bundle / name).read_bytes()


def test_an_encrypted_bundle_is_opened_by_its_recipient(
    command, keys, bundle, storage, trials, tmp_path
):
    command("keys", "--for", "receiving", "--out", tmp_path / "mine")
    hidden, public = tmp_path / "hidden", keys / "public.pem"
    recipient = ("--recipient", tmp_path / "mine" / "public.pem")
    arguments = ("--key", keys / "private.pem", "--out", hidden)
    assert command("seal", storage, trials[0], *arguments, *recipient)[0] == 0
    (encryption,) = lines_with(command("verify", hidden, "--key", public)[1], "encryption")
    assert " ok: " in encryption
    opening = ("open", hidden, "--key", public, "--out", tmp_path / "opened")
    status, said = command(*opening)
    assert status == 1
    assert "private key" in said
    assert not (tmp_path / "opened").exists()
    assert command(*opening, "--private-key", tmp_path / "mine" / "private.pem")[0] == 0
    opened = (tmp_path / "opened" / "model.safetensors").read_bytes()
    assert opened == (bundle / "model.safetensors").read_bytes()


def test_a_new_version_replaces_its_parent_and_the_parent_is_accepted_no_more(
    command, keys, bundle, storage, trials, tmp_path
):
    accepted = ("--accepted", tmp_path / "accepted.json")
    pinned = ("--key", keys / "public.pem")
    newer = tmp_path / "newer"
    arguments = ("--key", keys / "private.pem", "--out", newer, "--parent", bundle)
    assert "2 of " in command("seal", storage, trials[1], *arguments)[1]
    assert command("open", bundle, *pinned, *accepted, "--out", tmp_path / "1")[0] == 0
    assert command("open", newer, *pinned, *accepted, "--out", tmp_path / "2")[0] == 0
    (entry,) = json.loads((tmp_path / "accepted.json").read_bytes()).values()
    assert entry["version"] == 2
    for typed in (("verify", bundle), ("open", bundle, "--out", tmp_path / "3")):
        status, said = command(*typed, *pinned, *accepted)
        assert status == 1
        assert "than version 2" in said
    assert command("verify", newer, *pinned, *accepted)[0] == 0


def test_a_parent_is_trusted_by_the_key_that_signed_it(
    command, keys, bundle, storage, trials, tmp_path
):
    command("keys", "--out", tmp_path / "next")
    arguments = ("--key", tmp_path / "next" / "private.pem", "--out", tmp_path / "newer")
    sealing = ("seal", storage, trials[0], *arguments, "--parent", bundle)
    status, said = command(*sealing)
    assert status == 1
    assert "signed by" in said
    assert command(*sealing, "--parent-key", keys / "public.pem")[0] == 0


def test_a_damaged_record_of_versions_is_refused(command, bundle, keys, tmp_path):
    for text in ("{", "[]", '{"tickets": {"version": "2"}}'):
        (tmp_path / "accepted.json").write_text(text)
        accepted = ("--accepted", tmp_path / "accepted.json")
        status, said = command("verify", bundle, "--key", keys / "public.pem", *accepted)
        assert status == 2
        assert "accepted.json is damaged" in said


@pytest.mark.parametrize("wrong", ["private.pem", "nothing.pem"])
def test_another_file_than_a_public_key_is_named(command, bundle, keys, wrong):
    status, said = command("verify", bundle, "--key", keys / wrong)
    assert status in (1, 2)
    assert f"{wrong}" in said
    assert said.count("\n") == 1


def test_the_commands_are_listed():
    said = CliRunner().invoke(cli, ["--help"]).output
    assert all(f"\n  {name} " in said for name in ("keys", "seal", "open", "verify"))
