"""Everything that can be done to a bundle, and by whom; none of it is trusted."""

import json
import os
import pickle
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from hedgecore.bundle import dsse
from hedgecore.bundle.errors import BundleError
from hedgecore.bundle.hpke import encrypt
from hedgecore.bundle.keys import key_id
from hedgecore.bundle.manifest import ENVELOPE, MANIFEST, MODEL, File
from hedgecore.bundle.model import fingerprint, pack
from hedgecore.bundle.sealing import unseal, verify

FILES = (MANIFEST, ENVELOPE, MODEL)


def refused(trusted, folder, **options):
    """True if ``folder`` is rejected with a one-line error."""
    with pytest.raises(BundleError) as caught:
        trusted(folder, **options)
    assert "\n" not in str(caught.value)
    return True


def flipped(path, bits=1):
    """Positions in the file, each with one bit flipped there; all, or the requested number."""
    content = path.read_bytes()
    # In place: a file that is written anew takes the disk a hundred times as long.
    with path.open("r+b", buffering=0) as stream:
        for place, byte in enumerate(content):
            for bit in range(place, place + bits):
                stream.seek(place)
                stream.write(bytes([byte ^ 1 << bit % 8]))
                yield place
            stream.seek(place)
            stream.write(bytes([byte]))
    assert path.read_bytes() == content


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "bits", [1, pytest.param(8, marks=pytest.mark.slow)], ids=["one bit", "every bit"]
)
def test_every_byte_that_is_flipped_is_found(sealed, trusted, name, bits):
    folder = sealed()
    trusted(folder)
    for place in flipped(folder / name, bits):
        assert refused(trusted, folder), place
    trusted(folder)


@pytest.mark.parametrize("name", FILES)
def test_every_file_that_is_cut_or_lengthened_is_found(sealed, trusted, name):
    folder = sealed()
    content = (folder / name).read_bytes()
    for other in (
        b"",
        content[:-1],
        content[1:],
        content + b"\0",
        content + b"\n",
        b" " + content,
    ):
        (folder / name).write_bytes(other)
        assert refused(trusted, folder)


def test_every_byte_of_a_ciphertext_that_is_flipped_is_found(sealed, trusted, reader):
    folder = sealed(recipient=reader.public_key())
    for place in flipped(folder / "model.safetensors.hpke"):
        assert refused(trusted, folder, recipient=reader), place
    trusted(folder, recipient=reader)


def test_signatures_of_two_models_that_are_swapped_are_refused(sealed, trusted):
    one, other = sealed(), sealed(facts={"seed": 1})
    first, second = (folder / ENVELOPE for folder in (one, other))
    mine, theirs = first.read_bytes(), second.read_bytes()
    first.write_bytes(theirs)
    second.write_bytes(mine)
    for folder in (one, other):
        with pytest.raises(BundleError, match="not signed by key"):
            trusted(folder)


def test_models_of_two_bundles_that_are_swapped_are_refused(sealed, trusted, tensors):
    one = sealed()
    other = sealed(tensors={**tensors, "bias": torch.ones(2)})
    shutil.copy(other / MODEL, one / MODEL)
    with pytest.raises(BundleError, match="is not the file that was signed"):
        trusted(one)


def test_a_bundle_made_with_public_material_only_is_refused(sealed, trusted, key, stranger):
    public = key.public_key()
    folder = sealed(key=stranger)
    assert refused(trusted, folder)
    # The name of the real key in manifest and envelope makes it no better.
    claimed, own = key_id(public).encode(), key_id(stranger.public_key()).encode()
    manifest = (folder / MANIFEST).read_bytes().replace(own, claimed)
    (folder / MANIFEST).write_bytes(manifest)
    envelope = dsse.sign(manifest, stranger)
    for forged in (envelope, envelope.replace(own, claimed)):
        (folder / ENVELOPE).write_bytes(forged)
        assert refused(trusted, folder)


def test_a_true_signature_over_the_bare_manifest_is_no_seal(sealed, trusted, key):
    """A signature for another purpose is not valid in an envelope."""
    folder = sealed()
    manifest = (folder / MANIFEST).read_bytes()
    envelope = json.loads((folder / ENVELOPE).read_bytes())
    sealed_envelope = (folder / ENVELOPE).read_bytes()
    bare = dsse.b64encode(key.sign(manifest)).decode()
    (signature,) = (entry["sig"] for entry in envelope["signatures"])
    (folder / ENVELOPE).write_bytes(sealed_envelope.replace(signature.encode(), bare.encode()))
    assert refused(trusted, folder)


def test_a_signature_that_base64_spells_in_another_way_is_refused(sealed, trusted):
    folder = sealed()
    envelope = (folder / ENVELOPE).read_bytes()
    # The last letter before the padding carries four bits that decoding drops.
    place = envelope.rindex(b"==") - 1
    letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    twin = letters[letters.index(envelope[place]) ^ 1]
    other = envelope[:place] + bytes([twin]) + envelope[place + 1 :]
    assert json.loads(other) != json.loads(envelope)
    (folder / ENVELOPE).write_bytes(other)
    assert refused(trusted, folder)


def test_a_signature_plus_the_order_of_the_curve_is_refused(sealed, trusted):
    folder = sealed()
    envelope = (folder / ENVELOPE).read_bytes()
    signature = dsse.b64decode(envelope[-92:-4])
    order = 2**252 + 27742317777372353535851937790883648493
    scalar = int.from_bytes(signature[32:], "little") + order
    other = signature[:32] + scalar.to_bytes(32, "little")
    (folder / ENVELOPE).write_bytes(envelope[:-92] + dsse.b64encode(other) + envelope[-4:])
    assert refused(trusted, folder)


def test_an_extra_file_or_folder_is_refused(sealed, trusted):
    for name, make in (("extra", Path.touch), (".hidden", Path.touch), ("folder", Path.mkdir)):
        folder = sealed()
        make(folder / name)
        with pytest.raises(BundleError, match=f"/{name} is not in the manifest"):
            trusted(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused(sealed, trusted, name):
    folder = sealed()
    (folder / name).unlink()
    with pytest.raises(BundleError, match=f"{name} (is missing|cannot be read)"):
        trusted(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_link_in_place_of_a_file_is_refused(sealed, trusted, name, tmp_path):
    folder = sealed()
    elsewhere = shutil.move(folder / name, tmp_path / "elsewhere")
    (folder / name).symlink_to(elsewhere)
    with pytest.raises(BundleError, match="cannot be read as a regular file"):
        trusted(folder)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["pipe", "folder"])
def test_what_is_no_file_is_refused_without_waiting(sealed, trusted, name, make):
    folder = sealed()
    (folder / name).unlink()
    make(folder / name)
    assert refused(trusted, folder)


def test_what_is_no_folder_is_refused(trusted, tmp_path):
    with pytest.raises(BundleError, match="give the folder of a bundle"):
        trusted(tmp_path / "nowhere")


# From here on the holder of the key errs, or serves two masters: the signature is right.


def test_signing_again_without_a_change_is_trusted(sealed, trusted, resign):
    folder = sealed()
    resign(folder)
    trusted(folder)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("../model.safetensors", "path must be a plain name without folders"),
        ("/etc/passwd", "path must be a plain name without folders"),
        ("a/b", "path must be a plain name without folders"),
        ("..", "path must be a plain name without folders"),
        ("", "path must be a plain name without folders"),
        ("other.safetensors", r"files must be model\.safetensors alone"),
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(sealed, trusted, resign, path, message):
    folder = sealed()
    entry = {"path": path, "sha256": "0" * 64, "size": 1}
    resign(folder, fields={"files": [entry]})
    with pytest.raises(BundleError, match=message):
        trusted(folder)


@pytest.mark.parametrize("count", [0, 2])
def test_a_manifest_names_one_model(sealed, trusted, resign, count):
    folder = sealed()
    (entry,) = json.loads((folder / MANIFEST).read_bytes())["files"]
    resign(folder, fields={"files": [entry] * count})
    with pytest.raises(BundleError, match=r"files must be model\.safetensors alone"):
        trusted(folder)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"schema": "hedgesweep.bundle.v2"}, "unknown choice 'hedgesweep.bundle.v2'"),
        ({"vresion": 1}, "unknown key 'vresion'; did you mean 'version'"),
        ({"version": "1"}, "version: expected a whole number"),
        ({"version": 0}, "version must be 1 without a parent"),
        ({"version": 2}, "version must be 1 without a parent"),
        ({"parent": "0" * 64}, "version must be 1 without a parent"),
        ({"weights_sha256": "0" * 64}, "differ from fingerprint 00000000"),
        ({"weights_sha256": "F" * 64}, "weights_sha256 must be 64 digits"),
        ({"key_id": "0" * 64}, "names key 00000000, but"),
        ({"architecture": "mlp"}, "unknown architecture 'mlp'"),
        ({"sizes": {"widths": [2, 3]}}, "bias is float32"),
        ({"sizes": {"widths": 3}}, "cannot unpack"),
        ({"sizes": {}}, "missing 1 required keyword-only argument"),
        ({"sizes": [3, 2]}, "sizes: expected a mapping"),
        ({"facts": "none"}, "facts: expected a mapping"),
        ({"encryption": {}}, "encryption.recipient: is required"),
    ],
)
def test_a_manifest_of_another_schema_is_refused(sealed, trusted, resign, fields, message):
    folder = sealed()
    resign(folder, fields=fields)
    with pytest.raises(BundleError, match=message):
        trusted(folder)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"version":1', '"version":1,"version":1', "gives 'version' twice"),
        ('{"seed":0}', '{"seed":0,"seed":1}', "gives 'seed' twice"),
        ('{"seed":0}', '{"seed": 0}', "not canonical"),
        ('{"seed":0}', '{"seed":-0}', "not canonical"),
        ('{"seed":0}', '{"s\\u0065ed":0}', "not canonical"),
        ('{"seed":0}', '{"seed":0.0}', r"holds 0\.0 \(float\)"),
        ('{"seed":0}', '{"seed":NaN}', r"holds nan \(float\)"),
        ('{"seed":0}', '{"seed":null}', "holds None"),
        ('{"seed":0}', '{"seed":"ü"}', "not canonical"),
        ('{"seed":0}', "[" * 9999 + "]" * 9999, "not canonical"),
        ('{"seed":0}', '{"seed":' + "9" * 5000 + "}", "not canonical"),
        ('"schema":"hedgesweep.bundle.v1",', "", "lacks a field"),
        ('"version":1', '"version":', "not canonical"),
    ],
)
def test_a_manifest_that_can_be_read_in_two_ways_is_refused(
    sealed, trusted, resign, old, new, message
):
    folder = sealed(facts={"seed": 0})
    assert (folder / MANIFEST).read_text().count(old) == 1
    resign(folder, text=lambda text: text.replace(old, new))
    with pytest.raises(BundleError, match=message):
        trusted(folder)


def test_a_manifest_that_is_no_mapping_is_refused(sealed, trusted, resign):
    folder = sealed()
    resign(folder, text=lambda _: "[]")
    with pytest.raises(BundleError, match="is not a mapping"):
        trusted(folder)


class Bomb:
    """Touches a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_pickle_as_model_is_refused_and_not_run(sealed, trusted, resign, tmp_path):
    folder = sealed()
    content = pickle.dumps(Bomb(tmp_path / "ran"))
    resign(folder, model=content)
    with pytest.raises(BundleError, match=r"model is not .*safetensors"):
        trusted(folder)
    assert not (tmp_path / "ran").exists()
    pickle.loads(content)
    assert (tmp_path / "ran").exists()  # it is a bomb


def test_a_checkpoint_of_torch_as_model_is_refused(sealed, trusted, resign, tensors, tmp_path):
    folder = sealed()
    torch.save(tensors, tmp_path / "model.pt")
    resign(folder, model=(tmp_path / "model.pt").read_bytes())
    with pytest.raises(BundleError, match=r"model is not .*safetensors"):
        trusted(folder)


@pytest.mark.parametrize("length", [2**63, 2**20 + 1, 3000])
def test_a_header_out_of_proportion_is_refused(sealed, trusted, resign, length):
    folder = sealed()
    content = (folder / MODEL).read_bytes()
    resign(folder, model=length.to_bytes(8, "little") + content[8:])
    with pytest.raises(BundleError, match=f"its header would have {length} bytes"):
        trusted(folder)


@pytest.mark.parametrize("content", [b"", b"\0" * 7, b"\0" * 8, b"\2" + b"\0" * 7 + b"{}"])
def test_a_model_of_nothing_is_refused(sealed, trusted, resign, content):
    folder = sealed()
    resign(folder, model=content)
    assert refused(trusted, folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scale": torch.tensor(torch.nan, dtype=torch.float64)}, "scale is not finite"),
        ({"weight": torch.full((2, 3), torch.inf)}, "weight is not finite"),
        ({"bias": torch.zeros(2).double()}, r"bias is float64 \[2\], .* float32 \[2\]"),
        ({"bias": torch.zeros(2, 1)}, r"bias is float32 \[2, 1\]"),
        ({"more": torch.zeros(1)}, "more is float32"),
        ({"bias": None}, "bias is absent"),
    ],
)
def test_weights_that_are_not_those_of_the_architecture_are_refused(
    sealed, trusted, resign, tensors, change, message
):
    folder = sealed()
    changed = {name: t for name, t in {**tensors, **change}.items() if t is not None}
    resign(folder, model=pack(changed), fields={"weights_sha256": fingerprint(changed)})
    with pytest.raises(BundleError, match=message):
        trusted(folder)


def test_a_flipped_byte_of_the_model_is_found_even_if_its_hash_was_made_anew(
    sealed, trusted, resign
):
    folder = sealed()
    for place in flipped(folder / MODEL):
        resign(folder)
        assert refused(trusted, folder), place


def test_a_model_that_was_trained_further_has_another_fingerprint(
    sealed, trusted, resign, tensors
):
    folder = sealed()
    further = {**tensors, "bias": torch.nextafter(tensors["bias"], torch.ones(2))}
    resign(folder, model=pack(further))
    with pytest.raises(BundleError, match="the weights differ from fingerprint"):
        trusted(folder)


def test_another_container_of_the_same_weights_has_the_same_fingerprint(
    sealed, trusted, resign, tensors
):
    folder = sealed()
    resign(folder, model=save(tensors, metadata={"note": "another"}))
    trusted(folder)


def undecryptable(folder, reader, trusted, **options):
    with pytest.raises(BundleError) as caught:
        trusted(folder, recipient=reader, **options)
    # Neither the message nor its cause reveals where decryption failed.
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return str(caught.value)


def test_every_failure_of_decryption_says_the_same(
    sealed, trusted, resign, reader, stranger, tensors
):
    recipient = reader.public_key()
    folder = sealed(recipient=recipient)
    path = folder / "model.safetensors.hpke"
    content = path.read_bytes()
    before = json.loads((folder / MANIFEST).read_bytes())
    info = f"{before['schema']} {before['key_id']}"
    other = pack({**tensors, "bias": torch.ones(2)})
    said = set()
    for stored in (
        bytes([content[0] ^ 1]) + content[1:],  # the encapsulated key
        bytes(32) + content[32:],  # a point of low order
        content[:40] + bytes([content[40] ^ 1]) + content[41:],  # the ciphertext
        content[:-1] + bytes([content[-1] ^ 1]),  # the tag
        content[:-1],
        content[:20],
        b"",
        encrypt(other, recipient, info=info),  # decrypts to what was not signed
        encrypt(pack(tensors), recipient, info="another format"),
    ):
        resign(folder, model=stored)
        said.add(undecryptable(folder, reader, trusted))
    # A ciphertext moved to a bundle of another signer.
    resign(
        folder, model=content, fields={"key_id": key_id(stranger.public_key())}, signer=stranger
    )
    said.add(undecryptable(folder, reader, trusted, pinned=[stranger.public_key()]))
    assert said == {"the model cannot be decrypted; ask its maker to seal it for your key"}


def test_the_signature_is_verified_before_anything_is_decrypted(
    sealed, trusted, reader, monkeypatch
):
    folder = sealed(recipient=reader.public_key())
    (folder / ENVELOPE).write_bytes(b"{}")
    monkeypatch.setattr("hedgecore.bundle.sealing.decrypt", None)
    with pytest.raises(BundleError, match="not signed by key"):
        trusted(folder, recipient=reader)


def test_the_model_in_the_clear_of_an_encrypted_bundle_has_its_own_name(
    sealed, trusted, resign, reader
):
    folder = sealed(recipient=reader.public_key())
    encryption = json.loads((folder / MANIFEST).read_bytes())["encryption"]
    encryption["plaintext"]["path"] = "other"
    resign(folder, fields={"encryption": encryption})
    with pytest.raises(BundleError, match=r"plaintext must be model\.safetensors, got other"):
        trusted(folder, recipient=reader)


def test_a_file_of_negative_size_is_no_file():
    with pytest.raises(BundleError, match="size must be at least 0, got -1"):
        File(path="a", sha256="0" * 64, size=-1)


def test_verifying_finds_what_unsealing_finds(sealed, key, architectures, resign, tensors):
    folder = sealed()
    resign(folder, model=pack({**tensors, "scale": torch.zeros((), dtype=torch.float64)}))
    for check in (verify, unseal):
        with pytest.raises(BundleError, match="fingerprint"):
            check(folder, pinned=[key.public_key()], architectures=architectures)
