"""Ed25519 signature over a manifest, in the Dead Simple Signing Envelope (DSSE 1.0).

Manifest, key and signature determine every byte of the envelope. A verifier therefore builds the
expected envelope and compares: it parses nothing that an attacker wrote.
"""

from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Iterable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from hedgecore.bundle.canonical import dumps
from hedgecore.bundle.errors import BundleError
from hedgecore.bundle.keys import key_id

PAYLOAD_TYPE = "application/vnd.hedgesweep.bundle+json"

# The signature, 64 bytes in base64, precedes the '"}]}' that closes the envelope.
_SIGNATURE = slice(-88 - 4, -4)


def pre_authentication(content: bytes) -> bytes:
    """Signed bytes for ``content``: DSSE's encoding of its type and content, with lengths.

    Source: DSSE protocol 1.0.0, section "Signature Definition".
    """
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(content), content)


def sign(content: bytes, key: Ed25519PrivateKey) -> bytes:
    """Envelope of ``content``, signed by ``key``; deterministic."""
    return _envelope(content, key.public_key(), key.sign(pre_authentication(content)))


def signer(content: bytes, envelope: bytes, pinned: Iterable[Ed25519PublicKey]) -> str:
    """Id of the ``pinned`` key that signed ``content``.

    Raises:
        BundleError: no pinned key signed it.
    """
    keys = tuple(pinned)
    for key in keys:
        try:
            signature = b64decode(envelope[_SIGNATURE])
            key.verify(signature, pre_authentication(content))
        except (Error, InvalidSignature):
            continue
        if envelope == _envelope(content, key, signature):
            return key_id(key)
    identities = " or ".join(key_id(key)[:8] for key in keys) or "(none is pinned)"
    raise BundleError(
        f"the manifest is not signed by key {identities}: changed, or sealed by another; get the "
        "bundle again, or the public key from whom you trust"
    )


def _envelope(content: bytes, key: Ed25519PublicKey, signature: bytes) -> bytes:
    signatures = [{"keyid": key_id(key), "sig": b64encode(signature).decode()}]
    payload = b64encode(content).decode()
    return dumps({"payload": payload, "payloadType": PAYLOAD_TYPE, "signatures": signatures})
