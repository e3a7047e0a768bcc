"""Canonical JSON, fingerprints and envelopes: what a signature is over."""

import base64
import hashlib
import json

import pytest
import torch
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hedgecore.bundle import canonical, dsse
from hedgecore.bundle.errors import BundleError
from hedgecore.bundle.keys import key_id
from hedgecore.bundle.model import fingerprint, pack, unpack


def test_canonical_json_is_sorted_ascii_without_space():
    value = {"b": [1, "ü"], "a": {"y": 2**70, "x": ""}}
    assert canonical.dumps(value) == (
        b'{"a":{"x":"","y":1180591620717411303424},"b":[1,"\\u00fc"]}'
    )


@pytest.mark.parametrize("value", [1.0, True, None, b"", {1: 2}, {"a": [float("nan")]}])
def test_what_has_more_than_one_spelling_is_no_canonical_json(value):
    with pytest.raises(BundleError, match="write it as text"):
        canonical.dumps(value)


def test_canonical_json_reads_back_equal():
    value = {"a": [{"b": -1}, "\ud800"], "": []}
    assert canonical.loads(canonical.dumps(value), name="file") == value


def test_a_float_is_spelled_so_that_it_reads_back_equal():
    values = [0.1, -0.0, 1e300, 5e-324, 1 / 3]
    spelled = canonical.spelled(values)
    assert [float(text) for text in spelled] == values
    assert str(float(spelled[1])) == "-0.0"


def test_plain_data_is_spelled_as_integers_and_text():
    facts = {"flags": (True, None), "inner": {"n": 3, "x": torch.tensor(0.5).double().item()}}
    assert canonical.spelled(facts) == {"flags": ["true", "null"], "inner": {"n": 3, "x": "0.5"}}
    with pytest.raises(BundleError, match="Tensor"):
        canonical.spelled({"x": torch.zeros(1)})


def test_what_is_signed_says_the_lengths_of_type_and_content():
    # PAE(type, body) = "DSSEv1 <len(type)> <type> <len(body)> <body>"
    signed = dsse.pre_authentication(b"{}")
    assert signed == b"DSSEv1 38 application/vnd.hedgesweep.bundle+json 2 {}"
    assert len(dsse.PAYLOAD_TYPE) == 38


def test_an_envelope_can_be_read_by_any_reader_of_dsse(key):
    envelope = json.loads(dsse.sign(b"content", key))
    (signature,) = envelope["signatures"]
    assert base64.b64decode(envelope["payload"]) == b"content"
    assert signature["keyid"] == key_id(key.public_key())
    signed = dsse.pre_authentication(b"content")
    key.public_key().verify(base64.b64decode(signature["sig"]), signed)


def test_the_id_of_a_key_is_the_hash_of_its_der(key):
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert key_id(key.public_key()) == hashlib.sha256(der).hexdigest()


def test_the_fingerprint_is_that_of_its_definition():
    tensors = {"b": torch.tensor([[1, 2]], dtype=torch.int16), "a": torch.tensor(True)}
    expected = hashlib.sha256(
        b'["a","bool",[]]' + b"\x01" + b'["b","int16",[1,2]]' + b"\x01\x00\x02\x00"
    )
    assert fingerprint(tensors) == expected.hexdigest()


def test_the_fingerprint_does_not_depend_on_order_or_memory():
    weight = torch.arange(6.0).reshape(2, 3)
    bias = torch.zeros(2, dtype=torch.bfloat16)
    first = fingerprint({"weight": weight, "bias": bias})
    assert first == fingerprint({"bias": bias, "weight": weight.T.contiguous().T})


@pytest.mark.parametrize(
    "other",
    [
        {"x": torch.zeros(4)},
        {"a": torch.zeros(2, 2)},
        {"a": torch.zeros(4, dtype=torch.int32)},
        {"a": -torch.zeros(4)},
        {"a": torch.zeros(2), "b": torch.zeros(2)},
        {"a": torch.zeros(4), "b": torch.zeros(0)},
    ],
)
def test_the_fingerprint_sees_name_shape_type_sign_and_division(other):
    assert fingerprint(other) != fingerprint({"a": torch.zeros(4)})


def test_tensors_come_out_of_their_file_as_they_went_in():
    tensors = {
        "half": torch.tensor([1.5], dtype=torch.bfloat16),
        "many": torch.arange(7, dtype=torch.int64),
        "none": torch.zeros(0, 3),
    }
    assert fingerprint(unpack(pack(tensors))) == fingerprint(tensors)
