# SPDX-License-Identifier: AGPL-3.0-or-later
"""A store that a transit engine opens: by itself, later, or not at all."""
import base64
import json
import os
import signal
import sqlite3

import pytest

RIGHTS = """
path "transit/encrypt/k" { capabilities = ["update"] }
path "transit/decrypt/k" { capabilities = ["update"] }
"""

JOB = """secrets: { s: { store: a } }
tasks:
  t:
    secrets: [s]
    run: test "$(cut -c1-5 "$NFO_SECRETS/s")" = alpha
"""

DECRYPT = "transit/decrypt/k"


def status(nfo):
    return json.loads(nfo("secret", "seal-status", "--output", "json").out)


def refused(nfo, why, *args):
    result = nfo(*args, code=None)
    assert result.code and why in result.err, result


def serve(nfo, **provider):
    if not provider:
        path = nfo.write("credential", nfo.credential)
        path.chmod(0o600)
        provider = {"auth": "approle", "role_id": nfo.role_id,
                    "secret_id_file": str(path)}
    nfo.serve("--config", nfo.write("server.yaml", json.dumps(
        {"secret_providers": [{"address": nfo.bao.address, "timeout": "2s",
                               **provider}]})))


@pytest.fixture
def vault(cold, bao):
    bao.enable("transit", "transit")
    bao.must("POST", "transit/keys/k", {})
    bao.policy("unseal", RIGHTS)
    cold.role_id, cold.credential = bao.approle("nfo", ["unseal"])
    cold.bao = bao
    serve(cold)
    return cold


@pytest.fixture
def only(vault):
    """Nothing else opens it; the server is stopped."""
    vault("secret", "put", "a", stdin="alpha-value")
    vault("secret", "slot", "add", "--transit", "default/k")
    vault("secret", "slot", "remove", "1")
    vault.stop()
    (vault.state / "keeper/key").unlink()
    return vault


def is_open(nfo):
    nfo.until(lambda: not status(nfo)["sealed"])


def waits(nfo, why):
    nfo.until(lambda: why in status(nfo).get("text", ""))
    assert status(nfo)["reason"] == "provider"


def test_it_opens_by_itself(only):
    bao = only.bao
    serve(only)
    is_open(only)
    slots = json.loads(only("secret", "slot", "list", "--output", "json").out)
    (slot,) = slots["items"]
    assert (slot["kind"], slot["provider"], slot["key"]) == (
        "transit", "default", "transit/k")
    assert only.run(JOB)["state"] == "succeeded"
    sealed, opened = bao.asked("transit/encrypt/k"), bao.asked(DECRYPT)
    assert len(sealed) == 1 and len(opened) == 2  # at the add, and now
    kept = sqlite3.connect(
        f"file:{only.state}/keeper/secrets.db?mode=ro&immutable=1", uri=True)
    text = " ".join(kept.iterdump())
    assert base64.b64decode(
        json.loads(sealed[0].body)["plaintext"]).hex() not in text.lower()


def test_away_it_waits_and_so_do_runs(only):
    only.bao.seal()
    serve(only)
    waits(only, "sealed")
    run = only.run(JOB, wait=None)
    only.until_state(run, "blocked", task="t")
    refused(only, "sealed", "secret", "list")
    only.bao.unseal()
    ended = only.ended(run)
    assert ended["state"] == "succeeded", ended["error"]
    assert not status(only)["sealed"]


def test_refused_it_is_asked_rarely_and_taken_back(only):
    bao = only.bao
    bao.policy("unseal", 'path "x" { capabilities = ["read"] }')
    serve(only)
    waits(only, "403")
    assert len(bao.asked(DECRYPT)) <= 6
    bao.policy("unseal", RIGHTS)
    is_open(only)


@pytest.mark.parametrize("plaintext, why", [
    (base64.b64encode(b"k" * 32).decode(), "is not the key of the slot"),
    (base64.b64encode(b"k" * 31).decode(), "no key of 32 bytes"),
    (base64.b64encode(b"k" * 33).decode(), "no key of 32 bytes"),
    (base64.b64encode(b"k" * 32).decode()[:-1], "no key of 32 bytes"),
    (base64.b64encode(b"k" * 32).decode()[:-3] + "\n\n=", "no key of 32"),
    (base64.b64encode(b"k" * 5000).decode(), "no key of 32 bytes"),
    (base64.b64encode(b"k" * 50000).decode(), "no key of 32 bytes"),
    ("", "no key of 32 bytes"), (32, "no key of 32 bytes"),
    ("?" * 44, "no key of 32 bytes"),
], ids=("another", "31", "33", "cut", "spaces", "5000", "50000", "empty",
        "number", "garbage"))
def test_another_answer_does_not_open_it(only, plaintext, why):
    only.bao.fault(f"POST {DECRYPT}", "replace", body=json.dumps(
        {"request_id": "x", "data": {"plaintext": plaintext}}))
    serve(only)
    only.until(lambda: why in status(only).get("text", ""))
    assert status(only)["reason"] == "no-key"
    n = len(only.bao.asked(DECRYPT))
    refused(only, why, "secret", "unseal", "--automatic")
    assert len(only.bao.asked(DECRYPT)) == n + 1
    only.bao.clear()
    only.until(lambda: not only("secret", "unseal", "--automatic",
                                code=None).code)
    assert only.run(JOB)["state"] == "succeeded"


def test_sealed_by_somebody_it_is_not_asked(only):
    serve(only)
    is_open(only)
    only("secret", "seal")
    n = len(only.bao.asked(DECRYPT))
    only.stop()
    serve(only)
    assert status(only)["reason"] == "asked"
    os.kill(only.role("keeper"), signal.SIGKILL)
    only.until(lambda: only("secret", "seal-status", code=None).code == 0)
    assert status(only)["reason"] == "asked"
    assert len(only.bao.asked(DECRYPT)) == n
    only.bao.seal()
    refused(only, "sealed", "secret", "unseal", "--automatic")
    waits(only, "sealed")
    only.bao.unseal()
    is_open(only)
    only.stop()
    serve(only)
    is_open(only)  # the mark is gone


def test_beside_others_and_a_new_root_key(vault):
    bao = vault.bao
    vault("secret", "put", "a", stdin="alpha-value")
    vault("secret", "slot", "add", "--transit", "default/transit/k")
    vault("secret", "slot", "add", "--transit", "default/k")
    bao.fault(f"POST {DECRYPT}", "failed", status=403, message="no")
    refused(vault, "403", "secret", "rekey")
    bao.clear()
    vault("secret", "rekey")
    vault.until(lambda: not status(vault)["old_root_key"])
    vault.stop()
    (vault.state / "keeper/key").unlink()
    serve(vault)
    is_open(vault)
    assert "a" in vault("secret", "list").out


def test_what_cannot_be_such_a_slot(vault):
    bao = vault.bao

    def add(where, why):
        refused(vault, why, "secret", "slot", "add", "--transit", where)

    add("nobody/k", 'no provider "nobody"')
    add("default", "provider and a key")
    add("default/a/../k", "PROVIDER/KEY")
    add("default/k?x", "PROVIDER/KEY")
    add("default/" + "k" * 129, "PROVIDER/KEY")
    add("default/other", "403")
    bao.policy("unseal", RIGHTS.replace("decrypt", "never"))
    add("default/k", "403")
    bao.policy("unseal", RIGHTS)
    for body, why in (
            ({"ciphertext": "vault:v1:" + "A" * 700}, "no ciphertext"),
            ({"ciphertext": 'vault:v1:"'}, "status 400"), ({}, "ciphertext")):
        bao.fault("POST transit/encrypt/k", "replace", times=1,
                  body=json.dumps({"request_id": "x", "data": body}))
        add("default/k", why)
        bao.clear()
    bao.fault(f"POST {DECRYPT}", "replace", times=1, body=json.dumps(
        {"data": {"plaintext": base64.b64encode(b"k" * 32).decode()}}))
    add("default/k", "is not what it had sealed")
    slots = json.loads(vault("secret", "slot", "list", "--output", "json").out)
    assert [s["kind"] for s in slots["items"]] == ["keyfile"]
    vault("secret", "slot", "add", "keyfile", "--transit", "default/k", code=2)
    vault("secret", "slot", "list", "--transit", "default/k", code=2)


def test_a_login_that_needs_the_store_is_refused(cold, bao):
    bao.enable("transit", "transit")
    cold.bao = bao
    serve(cold, auth="identity", auth_role="nfo",
          audience="vault")
    refused(cold, "auth: identity", "secret", "slot", "add", "--transit",
            "default/k")
