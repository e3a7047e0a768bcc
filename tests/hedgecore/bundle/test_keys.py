"""Only the right kind of key is taken, and a private one is kept under a passphrase."""

from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from hedgecore.bundle.errors import BundleError
from hedgecore.bundle.hpke import encrypt
from hedgecore.bundle.keys import (
    decryption_key,
    encryption_key,
    is_encrypted,
    private_pem,
    public_pem,
    signing_key,
    verifying_key,
)

SECRET = "correct horse battery"


def clear(key):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public(key):
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("passphrase", [SECRET, None])
def test_keys_come_out_of_their_files_as_they_went_in(key, reader, passphrase):
    for own, read in ((key, signing_key), (reader, decryption_key)):
        again = read(private_pem(own, passphrase=passphrase), passphrase=passphrase)
        assert again.private_bytes_raw() == own.private_bytes_raw()
    for own, open_ in ((key, verifying_key), (reader, encryption_key)):
        assert open_(public_pem(own.public_key())) == own.public_key()


def test_a_private_key_is_in_the_clear_only_if_that_is_asked(key):
    assert is_encrypted(private_pem(key, passphrase=SECRET))
    assert not is_encrypted(private_pem(key, passphrase=None))


@pytest.mark.parametrize("passphrase", ["", "short", "eleven char"])
def test_a_short_passphrase_is_refused(key, passphrase):
    with pytest.raises(BundleError, match=f"has {len(passphrase)} characters; give at least 12"):
        private_pem(key, passphrase=passphrase)


@pytest.mark.parametrize("passphrase", ["wrong horse battery", "", None])
def test_a_wrong_or_missing_passphrase_says_what_damage_says(key, passphrase):
    pem = private_pem(key, passphrase=SECRET)
    said = set()
    for content in (pem, pem[:80], b"", public(key)):
        with pytest.raises(BundleError) as caught:
            signing_key(content, passphrase=passphrase)
        said.add(str(caught.value))
        assert caught.value.__suppress_context__
    assert len(said) == 1
    assert said.pop().endswith("make one with hedgesweep keys")


def others():
    yield "RSA private key of 1024 bits", rsa.generate_private_key(65537, 1024)
    yield "RSA private key of 2048 bits", rsa.generate_private_key(65537, 2048)
    yield "private key of 256 bits", ec.generate_private_key(ec.SECP256R1())
    yield "Ed448 private key", ed448.Ed448PrivateKey.generate()


def test_short_keys_and_keys_of_other_kinds_are_refused():
    for kind, other in others():
        for read in (signing_key, decryption_key):
            with pytest.raises(
                BundleError, match=f"holds an .*{kind}, not an .*25519 private key"
            ):
                read(clear(other))
        for read in (verifying_key, encryption_key):
            with pytest.raises(BundleError, match=r"holds an .*, not an .*25519 public key"):
                read(public(other))


def test_a_key_to_receive_does_not_sign_and_the_other_way_round(key, reader):
    with pytest.raises(
        BundleError, match="holds an X25519 private key, not an Ed25519 private key"
    ):
        signing_key(clear(reader))
    with pytest.raises(BundleError, match="holds an Ed25519 public key, not an X25519 public key"):
        encryption_key(public(key))


def test_a_key_that_was_shortened_is_refused(key):
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    for short in (der[:-1], der[:-16], der + b"\0"):
        lines = [b"-----BEGIN PUBLIC KEY-----", b64encode(short), b"-----END PUBLIC KEY-----", b""]
        with pytest.raises(BundleError, match="no public key can be read"):
            verifying_key(b"\n".join(lines))


def test_a_private_key_is_not_taken_for_a_public_one(key):
    with pytest.raises(BundleError, match=r"no public key can be read; give the public\.pem"):
        verifying_key(clear(key))


def test_nothing_is_encrypted_for_a_key_that_hides_nothing():
    with pytest.raises(BundleError, match="has low order and hides nothing"):
        encrypt(b"secret", X25519PublicKey.from_public_bytes(bytes(32)), info="")
