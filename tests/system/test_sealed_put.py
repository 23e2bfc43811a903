# SPDX-License-Identifier: AGPL-3.0-or-later
"""A secret on its way that only the keeper can read."""
import base64
import json
import os
import signal

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

VALUE = b"correct horse battery staple"
LABEL = b"nfo-sealed-v1"


def seal(about, value=VALUE, project="default", name="key", expect="any",
         **other):
    """As docs/secrets.md says it."""
    about = {**about, **other}
    theirs = base64.urlsafe_b64decode(about["public_key"] + "=")
    mine = x25519.X25519PrivateKey.generate()
    public = mine.public_key().public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    shared = mine.exchange(x25519.X25519PublicKey.from_public_bytes(theirs))
    okm = HKDF(hashes.SHA256(), 44, public + theirs, LABEL).derive(shared)
    bound = "".join(line + "\n" for line in (
        LABEL.decode(), about["store"], about["kid"], str(about["time"]),
        project, name, expect)).encode()
    text = public + AESGCM(okm[:32]).encrypt(okm[32:], value, bound)
    return f"nfo1.{about['kid']}.{about['time']}." + \
        base64.urlsafe_b64encode(text).decode().rstrip("=")


def put(nfo, sealed, name="key", project="default", **headers):
    return nfo.ask("PUT", f"/v1/projects/{project}/secrets/{name}",
                   {"sealed": sealed}, headers)


def key_of(nfo):
    return nfo.get("/v1/sealing-key").json


def test_only_the_keeper_reads_it(nfo):
    a = put(nfo, seal(key_of(nfo)))
    assert a.status == 201 and a.json == {"version": 1}
    a = put(nfo, seal(key_of(nfo), b"x" * 65536))
    assert a.status == 200 and a.json == {"version": 2}
    a = put(nfo, seal(key_of(nfo), b"x" * 65537))
    assert a.status == 422


def test_the_client_seals(nfo):
    """What the command sends is not the value; --plain is."""
    assert "version 1" in nfo("secret", "put", "key", stdin=VALUE).out
    assert "version 2" in nfo("secret", "put", "key", "--if-version", "1",
                              stdin=VALUE).out
    nfo("secret", "put", "key", "--if-version", "1", stdin=VALUE, code=2)
    assert "version 1" in nfo("secret", "put", "new", "--if-version", "0",
                              stdin=VALUE).out
    assert "version 3" in nfo("secret", "put", "--plain", "key",
                              stdin=VALUE).out
    run = nfo.run("""
secrets: { a: { store: key, version: 2 }, b: { store: key } }
tasks:
  t:
    secrets: [a, b]
    run: cmp "$NFO_SECRETS/a" "$NFO_SECRETS/b"
""")
    assert run["state"] == "succeeded"


def test_it_counts_once(nfo):
    sealed = seal(key_of(nfo))
    assert put(nfo, sealed).status == 201
    a = put(nfo, sealed)
    assert a.status == 409 and "used before" in a.json["detail"]
    assert nfo.get("/v1/projects/default/secrets/key").json["version"] == 1


@pytest.mark.parametrize("change, says", [
    ({"name": "other"}, "changed, or sealed for another"),
    ({"project": "web"}, "changed, or sealed for another"),
    ({"expect": "1"}, "changed, or sealed for another"),
    ({"expect": "none"}, "changed, or sealed for another"),
    ({"store": "0" * 32}, "changed, or sealed for another"),
    ({"kid": "A" * 43}, "to a key that is not ours"),
    ({"time": 1}, "too old"), ({"time": 99999999999}, "of the future"),
    ({"time": -1}, "not of the form"), ({"kid": "A"}, "not of the form"),
])
def test_for_another_it_is_none(nfo, change, says):
    a = put(nfo, seal(key_of(nfo), **change))
    assert a.status == 422 and says in a.json["detail"], a
    assert nfo.get("/v1/projects/default/secrets/key").status == 404


def test_every_byte_counts(nfo):
    sealed = seal(key_of(nfo), b"vwxyz")
    head, text = sealed.rsplit(".", 1)
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    about = nfo.connect()
    for i in range(len(raw)):
        # the last bit of an X25519 key is not part of it (RFC 7748, 5), but
        # the salt has it
        other = bytearray(raw)
        other[i] ^= 0x80
        text = base64.urlsafe_b64encode(other).decode().rstrip("=")
        a = nfo.ask("PUT", "/v1/projects/default/secrets/key",
                    {"sealed": f"{head}.{text}"}, connection=about)
        assert a.status == 422 and "changed" in a.json["detail"], (i, a)
    for cut in range(0, len(sealed), 7):
        a = nfo.ask("PUT", "/v1/projects/default/secrets/key",
                    {"sealed": sealed[:cut]}, connection=about)
        assert a.status == 422, cut
    assert put(nfo, sealed).status == 201


def test_what_must_be_there_is_in_it(nfo):
    assert put(nfo, seal(key_of(nfo), expect="none"),
               **{"If-None-Match": "*"}).status == 201
    assert put(nfo, seal(key_of(nfo), expect="1"),
               **{"If-Match": '"1"'}).status == 200
    assert put(nfo, seal(key_of(nfo), expect="1"),
               **{"If-Match": '"1"'}).status == 412
    # and the server cannot leave it out
    assert put(nfo, seal(key_of(nfo), expect="2")).status == 422


def test_not_for_the_keeper_before(nfo):
    """What one keeper has forgotten is not for the next one."""
    about = key_of(nfo)
    first, second = seal(about), seal(about)
    assert put(nfo, first).status == 201
    keeper = nfo.role("keeper")
    os.kill(keeper, signal.SIGKILL)
    nfo.until(lambda: nfo.role("keeper") not in (0, keeper))
    nfo.until(lambda: nfo.get("/v1/sealing-key").status == 200)
    assert key_of(nfo)["kid"] == about["kid"]
    for sealed in (first, second):
        assert put(nfo, sealed).status == 422
    assert put(nfo, seal(key_of(nfo))).status == 200


def test_the_value_is_not_in_what_is_sent(nfo):
    assert VALUE not in json.dumps(seal(key_of(nfo))).encode()
    a = nfo.ask("PUT", "/v1/projects/default/secrets/key",
                {"sealed": "x", "value": "y"})
    assert a.status == 422 and a.json["code"] == "bad-value"
    assert put(nfo, 7).status == 422
