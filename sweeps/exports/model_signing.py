"""Model of a trial as a folder signed for OpenSSF Model Signing.

``model_signing verify key FOLDER --signature FOLDER/model.sig --public_key public.pem`` verifies
it. Source: OpenSSF Model Signing 1.0 (payload, predicate), Sigstore bundle 0.3, DSSE 1.0.
"""

import hashlib
import json
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hedgecore.bundle.folder import write
from sweeps.errors import UsageError
from sweeps.inspection.models import model_content, stored_trial
from sweeps.journal.stored_sweep import StoredSweep

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

SIGNATURE = "model.sig"
_PAYLOAD_TYPE = "application/vnd.in-toto+json"
_BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_IGNORED = (SIGNATURE, ".git", ".gitattributes", ".github", ".gitignore")


def export_signed(
    storage: str | Path, trial_id: str, *, key: "EllipticCurvePrivateKey", folder: Path
) -> Path:
    """Write the model of a completed trial, its origin and a signature of both; the folder.

    Args:
        storage: folder of a sweep, which is only read; it may still run.
        trial_id: a unique prefix of the trial's id.
        key: on the curve P-256; the signature is not deterministic.
        folder: a new one.
    Raises:
        UsageError: no such storage or trial, a trial without a model, or a folder that exists or
            cannot be written.
    """
    sweep = StoredSweep.read(storage)
    trial = stored_trial(sweep, trial_id)
    row = {n: v for n, v in trial.row(live=False).items() if v is not None}
    origin = {"sweep": sweep.manifest["name"], "trial_id": trial.entry.trial_id, "trial": row}
    files = {
        sweep.experiment.model_file: model_content(sweep, trial),
        "origin.json": json.dumps(origin, indent=1, sort_keys=True).encode(),
    }
    folder = Path(folder)
    if folder.exists():
        raise UsageError(f"{folder} exists; give a new folder, or remove it")
    statement = _statement(folder.resolve().name, files)
    try:
        write(folder, {**files, SIGNATURE: _bundle(statement, key)})
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be written ({error.strerror}); give another folder"
        ) from error
    return folder


def _statement(name: str, files: Mapping[str, bytes]) -> bytes:
    """In-toto statement on the digests of ``files`` of the model ``name``, as JSON."""
    digests = {path: hashlib.sha256(files[path]) for path in sorted(files)}
    root = hashlib.sha256(b"".join(digest.digest() for digest in digests.values()))
    predicate: dict[str, Any] = {
        "serialization": {
            "method": "files",
            "hash_type": "sha256",
            "allow_symlinks": False,
            "ignore_paths": list(_IGNORED),
        },
        "resources": [
            {"name": path, "algorithm": "sha256", "digest": digest.hexdigest()}
            for path, digest in digests.items()
        ],
    }
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": {"sha256": root.hexdigest()}}],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": predicate,
    }
    return json.dumps(statement).encode()


def _bundle(statement: bytes, key: "EllipticCurvePrivateKey") -> bytes:
    """Sigstore bundle of a DSSE envelope around ``statement``, signed by ``key``."""
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    kind = _PAYLOAD_TYPE.encode()
    signed = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(statement), statement)
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signature = b64encode(key.sign(signed, ECDSA(SHA256()))).decode()
    bundle = {
        "mediaType": _BUNDLE_TYPE,
        "verificationMaterial": {
            "publicKey": {"hint": hashlib.sha256(pem).hexdigest()},
            "tlogEntries": [],
        },
        "dsseEnvelope": {
            "payload": b64encode(statement).decode(),
            "payloadType": _PAYLOAD_TYPE,
            "signatures": [{"sig": signature, "keyid": ""}],
        },
    }
    return json.dumps(bundle).encode()
