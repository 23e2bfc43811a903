# SPDX-License-Identifier: AGPL-3.0-or-later
"""A store that the real server's transit engine opens, by keys of each kind that
encrypts, and when the server comes up later than we do."""
import json

import pytest

from api import Api
from real import Dev

RIGHTS = """
path "transit/encrypt/*" { capabilities = ["update"] }
path "transit/decrypt/*" { capabilities = ["update"] }
"""

KINDS = {"aes": {"type": "aes256-gcm96"},
         "derived": {"type": "aes256-gcm96", "derived": True},
         "chacha": {"type": "chacha20-poly1305"},
         "xchacha": {"type": "xchacha20-poly1305", "derived": True},
         "rsa": {"type": "rsa-4096"}}


@pytest.fixture(scope="module")
def dev(place):
    where = place / "unseal"
    where.mkdir()
    it = Dev(where)
    yield it
    it.stop()


@pytest.fixture(scope="module")
def api(dev):
    it = Api(dev.address, dev.root_token)
    it.must("POST", "sys/mounts/transit", {"type": "transit"})
    it.policy("unseal", RIGHTS)
    for name, how in KINDS.items():
        it.must("POST", f"transit/keys/{name}", how)
    it.must("POST", "transit/keys/signs", {"type": "ed25519"})
    return it


@pytest.fixture
def vault(cold, dev, api):
    token = api.new_token(["unseal"])
    path = cold.write("token", token)
    path.chmod(0o600)
    cold.config = cold.write("server.yaml", json.dumps({"secret_providers": [
        {"address": dev.address, "token_file": str(path), "timeout": "5s"}]}))
    cold.serve("--config", cold.config)
    return cold


def status(nfo):
    return json.loads(nfo("secret", "seal-status", "--output", "json").out)


@pytest.mark.parametrize("kind", KINDS)
def test_it_opens_by_each_kind_of_key(vault, api, kind):
    vault("secret", "put", "a", stdin="alpha-value")
    vault("secret", "slot", "add", "--transit", f"default/{kind}")
    vault("secret", "slot", "remove", "1")
    vault.stop()
    (vault.state / "keeper/key").unlink()
    api.must("POST", f"transit/keys/{kind}/rotate")
    vault.serve("--config", vault.config)
    vault.until(lambda: not status(vault)["sealed"])
    vault("secret", "rekey")
    vault.until(lambda: not status(vault)["old_root_key"])
    vault("secret", "seal")
    vault("secret", "unseal", "--automatic")
    api.must("POST", f"transit/keys/{kind}/config",
             {"min_decryption_version": 2})
    vault.stop()
    vault.serve("--config", vault.config)
    vault.until(lambda: "status 400" in status(vault).get("text", ""))
    api.must("POST", f"transit/keys/{kind}/config",
             {"min_decryption_version": 1})
    vault.until(lambda: not status(vault)["sealed"])


def test_a_key_that_does_not_encrypt(vault):
    said = vault("secret", "slot", "add", "--transit", "default/signs",
                 code=None)
    assert said.code and "not supported" in said.err
