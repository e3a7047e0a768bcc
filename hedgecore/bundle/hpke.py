"""Encryption of a model for one recipient: HPKE (RFC 9180) to an X25519 key.

It gives confidentiality, not authenticity: the public key is enough to encrypt. A bundle is
authenticated by its signature, before anything is decrypted.
"""

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from hedgecore.bundle.errors import BundleError

SUITE: Final = "X25519, HKDF-SHA256, AES-256-GCM"
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def encrypt(plaintext: bytes, recipient: X25519PublicKey, *, info: str) -> bytes:
    """``plaintext`` for ``recipient``, 48 bytes longer and different on every call.

    Raises:
        BundleError: the key has low order, so its ciphertexts can be decrypted without it.
    """
    try:
        return _SUITE.encrypt(plaintext, recipient, info=info.encode())
    except ValueError:
        raise BundleError(
            "the recipient's key has low order and hides nothing; make one with hedgesweep keys"
        ) from None


def decrypt(ciphertext: bytes, recipient: X25519PrivateKey, *, info: str) -> bytes:
    """Plaintext that was encrypted for ``recipient`` with the same ``info``.

    Raises:
        BundleError: it cannot be decrypted, for whatever reason.
    """
    try:
        return _SUITE.decrypt(ciphertext, recipient, info=info.encode())
    except (InvalidTag, ValueError):
        raise undecryptable() from None


def undecryptable() -> BundleError:
    """The single error for every failure of decryption."""
    return BundleError("the model cannot be decrypted; ask its maker to seal it for your key")
