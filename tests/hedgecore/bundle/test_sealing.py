"""Sealed models are reproduced to the last bit for their recipients."""

import os

import pytest
import torch
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from hedgecore.bundle import folder as folders
from hedgecore.bundle.errors import BundleError
from hedgecore.bundle.keys import key_id
from hedgecore.bundle.manifest import ENVELOPE, MANIFEST, MODEL, Accepted
from hedgecore.bundle.model import fingerprint
from hedgecore.bundle.sealing import read_manifest, verify
from hedgecore.rng import stream


def content(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def outputs(tensors):
    x = torch.randn(50, 3, generator=stream(1, "inputs"))
    return (x @ (tensors["weight"] * tensors["kept"]).T + tensors["bias"]) * tensors["scale"]


def test_a_bundle_is_three_files(sealed):
    assert set(content(sealed())) == {"manifest.json", "manifest.dsse.json", "model.safetensors"}


CARD = "# Größe\n".encode()


def test_a_card_is_sealed_beside_the_model(sealed, trusted):
    folder = sealed(card=CARD)
    assert (folder / "README.md").read_bytes() == CARD
    opened = trusted(folder)
    assert [file.path for file in opened.manifest.files] == [MODEL, "README.md"]
    assert opened.card == CARD
    assert trusted(sealed()).card is None


def test_the_card_of_an_encrypted_model_is_readable(sealed, trusted):
    recipient = X25519PrivateKey.generate()
    folder = sealed(card=CARD, recipient=recipient.public_key())
    assert (folder / "README.md").read_bytes() == CARD
    assert trusted(folder, recipient=recipient).card == CARD


@pytest.mark.parametrize("change", [b"", CARD[:-1], CARD + b"x", CARD.replace(b"#", b"-"), None])
def test_a_card_that_was_changed_is_refused(change, sealed, trusted, key, architectures):
    folder = sealed(card=CARD)
    (folder / "README.md").unlink()
    if change is not None:
        (folder / "README.md").write_bytes(change)
    with pytest.raises(BundleError, match=r"README\.md"):
        trusted(folder)
    with pytest.raises(BundleError, match=r"README\.md"):
        verify(folder, pinned=[key.public_key()], architectures=architectures)


def test_a_card_that_was_not_signed_is_refused(sealed, trusted):
    folder = sealed()
    (folder / "README.md").write_bytes(CARD)
    with pytest.raises(BundleError, match=r"README\.md is not in the manifest"):
        trusted(folder)


def test_what_comes_out_is_bit_equal_to_what_was_sealed(sealed, trusted, tensors):
    opened = trusted(sealed())
    assert fingerprint(opened.tensors) == fingerprint(tensors)
    assert opened.tensors["bias"][0].signbit()
    assert torch.equal(outputs(opened.tensors), outputs(tensors))


def test_the_manifest_that_comes_out_is_the_one_that_was_signed(sealed, trusted, key):
    folder = sealed()
    manifest = trusted(folder).manifest
    assert manifest.content == (folder / MANIFEST).read_bytes()
    assert manifest.key_id == key_id(key.public_key())
    assert manifest.facts == {"seed": 0, "cvar_05": "-1.5"}


def test_equal_models_are_sealed_into_equal_bytes(sealed, tensors):
    backwards = dict(reversed(tensors.items()))
    assert content(sealed()) == content(sealed(tensors=backwards))


def test_no_byte_of_the_private_key_is_in_the_bundle(sealed, key):
    raw = key.private_bytes_raw()
    assert not any(
        raw in held or raw.hex().encode() in held for held in content(sealed()).values()
    )


def test_views_and_transposes_are_sealed_as_what_they_show(sealed, trusted, tensors):
    weight = tensors["weight"]
    shown = {**tensors, "weight": weight.T.contiguous().T, "bias": torch.zeros(9)[::5]}
    opened = trusted(sealed(tensors=shown)).tensors
    assert torch.equal(opened["weight"], weight)
    assert opened["bias"].tolist() == [0.0, 0.0]


def test_every_file_is_read_once(sealed, trusted, monkeypatch):
    folder, read, opened = sealed(), [], os.open

    def counted(path, *arguments, **options):
        read.append(str(path))
        return opened(path, *arguments, **options)

    monkeypatch.setattr(folders.os, "open", counted)
    trusted(folder)
    assert sorted(read) == sorted([str(folder), MANIFEST, ENVELOPE, MODEL])


def test_any_of_several_pinned_keys_will_do(sealed, trusted, key, stranger):
    pinned = [stranger.public_key(), key.public_key()]
    assert trusted(sealed(), pinned=pinned).manifest.key_id == key_id(key.public_key())


def test_a_key_that_is_pinned_no_more_is_revoked(sealed, trusted, stranger):
    with pytest.raises(BundleError, match="not signed by key"):
        trusted(sealed(), pinned=[stranger.public_key()])


def test_without_a_pinned_key_nothing_is_trusted(sealed, trusted):
    with pytest.raises(BundleError, match="none is pinned"):
        trusted(sealed(), pinned=[])


def test_a_model_of_another_architecture_is_not_sealed(sealed, tensors):
    wrong = {**tensors, "bias": torch.zeros(3)}
    with pytest.raises(BundleError, match=r"bias is float32 \[3\], in its architecture .*\[2\]"):
        sealed(tensors=wrong)
    with pytest.raises(BundleError, match=r"extra is float32 .*in its architecture absent"):
        sealed(tensors={**tensors, "extra": torch.zeros(1)})


def test_an_unknown_architecture_or_size_is_not_sealed(sealed):
    with pytest.raises(BundleError, match="unknown architecture 'liner'; did you mean 'linear'"):
        sealed(architecture="liner")
    with pytest.raises(BundleError, match="unexpected keyword argument 'width'"):
        sealed(sizes={"width": [3, 2]})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_model_that_is_not_finite_is_not_sealed(sealed, tensors, value, tmp_path):
    with pytest.raises(BundleError, match="scale is not finite"):
        sealed(tensors={**tensors, "scale": torch.tensor(value, dtype=torch.float64)})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_anything_is_not_written_to(sealed, trusted, tmp_path):
    folder = tmp_path / "bundle-0"
    folder.mkdir()
    (folder / "mine").write_text("kept")
    with pytest.raises(BundleError, match=r"cannot be written .*give a new folder"):
        sealed()
    assert [path.name for path in tmp_path.rglob("*")] == ["bundle-0", "mine"]


def test_facts_beyond_a_megabyte_are_refused(sealed):
    with pytest.raises(BundleError, match="at most 1048576; shorten facts"):
        sealed(facts={"notes": "x" * 2**20})


@pytest.mark.parametrize("name", ["", "../dispatcher", "a b", "x" * 65])
def test_the_name_of_a_line_is_a_plain_name(sealed, name):
    with pytest.raises(BundleError, match="name must be letters, digits"):
        sealed(name=name)


def test_a_version_names_the_manifest_it_replaces(sealed, trusted, manifest_of):
    first = manifest_of(sealed())
    second = trusted(sealed(parent=first)).manifest
    third = trusted(sealed(parent=second)).manifest
    assert [m.version for m in (first, second, third)] == [1, 2, 3]
    assert [m.parent for m in (first, second, third)] == [None, first.sha256, second.sha256]


def test_a_parent_of_another_line_is_refused(sealed, manifest_of):
    with pytest.raises(BundleError, match="the parent is a model 'dispatcher', not 'bank'"):
        sealed(name="bank", parent=manifest_of(sealed()))


def test_an_older_version_than_the_last_accepted_is_refused(sealed, trusted, manifest_of):
    old = sealed()
    new = sealed(parent=manifest_of(old))
    accepted = {"dispatcher": Accepted.of(manifest_of(new))}
    assert trusted(new, accepted=accepted).manifest.version == 2
    with pytest.raises(BundleError, match="version 1 of 'dispatcher' is older than version 2"):
        trusted(old, accepted=accepted)


def test_two_models_of_one_version_are_not_accepted_one_after_another(
    sealed, trusted, manifest_of
):
    accepted = {"dispatcher": Accepted.of(manifest_of(sealed()))}
    with pytest.raises(
        BundleError, match="version 1 of 'dispatcher' is another bundle of version 1"
    ):
        trusted(sealed(facts={}), accepted=accepted)


def test_lines_of_models_age_by_themselves(sealed, trusted, manifest_of):
    newer = manifest_of(sealed(parent=manifest_of(sealed())))
    assert (
        trusted(sealed(name="bank"), accepted={"dispatcher": Accepted.of(newer)}).manifest.version
        == 1
    )


def test_an_encrypted_model_comes_out_bit_equal_for_its_reader(sealed, trusted, tensors, reader):
    folder = sealed(recipient=reader.public_key())
    assert set(content(folder)) == {MANIFEST, ENVELOPE, "model.safetensors.hpke"}
    assert torch.equal(outputs(trusted(folder, recipient=reader).tensors), outputs(tensors))


def test_an_encrypted_model_shows_nothing_of_its_weights(sealed, trusted, reader):
    plain = trusted(sealed()).model
    hidden = b"".join(content(sealed(recipient=reader.public_key())).values())
    runs = {plain[i : i + 12] for i in range(len(plain) - 12)}
    assert not any(run in hidden for run in runs)


def test_an_encrypted_model_is_verified_without_its_key(sealed, key, architectures, reader):
    folder = sealed(recipient=reader.public_key())
    verify(folder, pinned=[key.public_key()], architectures=architectures)
    stored = folder / "model.safetensors.hpke"
    stored.write_bytes(stored.read_bytes()[::-1])
    with pytest.raises(BundleError, match="is not the file that was signed"):
        verify(folder, pinned=[key.public_key()], architectures=architectures)


def test_an_encrypted_model_is_not_opened_without_its_key(sealed, trusted, reader):
    folder = sealed(recipient=reader.public_key())
    wanted = f"encrypted for key {key_id(reader.public_key())[:8]}; give that private key"
    for given in (None, X25519PrivateKey.generate()):
        with pytest.raises(BundleError, match=wanted):
            trusted(folder, recipient=given)


def test_the_manifest_alone_can_be_read(sealed, key, manifest_of):
    folder = sealed()
    assert read_manifest(folder, pinned=[key.public_key()]) == manifest_of(folder)
