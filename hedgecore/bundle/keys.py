"""Keys as PEM: Ed25519 and P-256 to sign with, X25519 to receive encrypted models with.

A private key is PKCS8, encrypted under a passphrase by default. Keys are never part of a bundle:
readers need the public key from elsewhere.
"""

import hashlib
import re

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from hedgecore.bundle.errors import BundleError

PublicKey = Ed25519PublicKey | X25519PublicKey | EllipticCurvePublicKey
PrivateKey = Ed25519PrivateKey | X25519PrivateKey | EllipticCurvePrivateKey
SHORTEST_PASSPHRASE = 12
"""Characters; the 2,048 rounds of PBKDF2 in PKCS8 are too few to protect a shorter passphrase."""


def generate(purpose: str) -> PrivateKey:
    """A new key for "signing" (Ed25519), "receiving" (X25519) or "model-signing" (P-256)."""
    if purpose == "signing":
        return Ed25519PrivateKey.generate()
    return X25519PrivateKey.generate() if purpose == "receiving" else generate_key(SECP256R1())


def key_id(key: PublicKey) -> str:
    """sha256 (hex) of the public ``key`` as DER SubjectPublicKeyInfo.

    Equals the output of ``openssl pkey -pubin -in public.pem -outform DER | sha256sum``.
    """
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def public_pem(key: PublicKey) -> bytes:
    """The public ``key`` as PEM."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def private_pem(key: PrivateKey, *, passphrase: str | None) -> bytes:
    """The private ``key`` as PEM, encrypted under ``passphrase``; unencrypted if that is None.

    Raises:
        BundleError: ``passphrase`` is too short.
    """
    if passphrase is None:
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    if len(passphrase) < SHORTEST_PASSPHRASE:
        raise BundleError(
            f"the passphrase has {len(passphrase)} characters; give at least {SHORTEST_PASSPHRASE}"
        )
    cipher = BestAvailableEncryption(passphrase.encode())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, cipher)


def is_encrypted(pem: bytes) -> bool:
    """True if the private key in ``pem`` is encrypted under a passphrase."""
    return b"-----BEGIN ENCRYPTED PRIVATE KEY-----" in pem


def signing_key(pem: bytes, *, passphrase: str | None = None) -> Ed25519PrivateKey:
    """The Ed25519 private key in ``pem``.

    Args:
        pem: content of a file.
        passphrase: passphrase of an encrypted key; ignored for an unencrypted one.
    Raises:
        BundleError: the key is unreadable; the message does not reveal at which step it failed.
    """
    key = _private(pem, passphrase)
    if not isinstance(key, Ed25519PrivateKey):
        raise _another(key, "Ed25519 private key")
    return key


def decryption_key(pem: bytes, *, passphrase: str | None = None) -> X25519PrivateKey:
    """The X25519 private key in ``pem``; see :func:`signing_key`."""
    key = _private(pem, passphrase)
    if not isinstance(key, X25519PrivateKey):
        raise _another(key, "X25519 private key")
    return key


def model_signing_key(pem: bytes, *, passphrase: str | None = None) -> EllipticCurvePrivateKey:
    """The P-256 private key in ``pem``, for OpenSSF Model Signing; see :func:`signing_key`."""
    key = _private(pem, passphrase)
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise _another(key, "P-256 private key")
    return key


def verifying_key(pem: bytes) -> Ed25519PublicKey:
    """The Ed25519 public key in ``pem``.

    Raises:
        BundleError: the key is unreadable.
    """
    key = _public(pem)
    if not isinstance(key, Ed25519PublicKey):
        raise _another(key, "Ed25519 public key")
    return key


def encryption_key(pem: bytes) -> X25519PublicKey:
    """The X25519 public key in ``pem``; see :func:`verifying_key`."""
    key = _public(pem)
    if not isinstance(key, X25519PublicKey):
        raise _another(key, "X25519 public key")
    return key


def _private(pem: bytes, passphrase: str | None) -> object:
    secret = passphrase.encode() if passphrase and is_encrypted(pem) else None
    try:
        return load_pem_private_key(pem, secret)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BundleError(
            "no private key can be read: another file, damage or a wrong passphrase; "
            "make one with hedgesweep keys"
        ) from None


def _public(pem: bytes) -> object:
    try:
        return load_pem_public_key(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BundleError(
            "no public key can be read; give the public.pem of hedgesweep keys"
        ) from None


def _another(key: object, requirement: str) -> BundleError:
    """Error for a ``key`` that is not of the required type."""
    kind = re.sub("(Private|Public)Key", lambda m: f" {m[1].lower()} key", type(key).__name__)
    bits = f" of {key.key_size} bits" if hasattr(key, "key_size") else ""
    return BundleError(
        f"holds an {kind}{bits}, not an {requirement}; make one with hedgesweep keys"
    )
