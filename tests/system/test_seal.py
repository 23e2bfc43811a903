# SPDX-License-Identifier: AGPL-3.0-or-later
"""A sealed store: the server serves, what needs the store waits or is refused;
what opens it again; its keys made anew."""

import json
import os
import signal
import sqlite3
import time

import pytest

PASS = "correct horse battery"


def status(nfo):
    return json.loads(nfo("secret", "seal-status", "--output", "json").out)


def refused(nfo, why, *args, **more):
    result = nfo(*args, code=None, **more)
    assert result.code and why in result.err, result


def patient(nfo, *args, why=None, **more):
    """429 is waited for; why: that it is refused in the end."""
    def answer():
        result = nfo(*args, code=None, **more)
        return None if "too soon" in result.err else (result,)
    result, = nfo.until(answer)
    assert bool(result.code) == bool(why) and (why or "") in result.err, result


def unseal(nfo, line, *args, why=None):
    patient(nfo, "secret", "unseal", "--passphrase-fd", "0", *args,
            stdin=line + "\n", why=why)


def slot_add(nfo, line=PASS):
    nfo("secret", "slot", "add", "passphrase", "--passphrase-fd", "0",
        "--scrypt", "16", stdin=line + "\n")


def test_it_is_open_by_its_key_file(nfo):
    nfo("secret", "put", "a", stdin="alpha")
    s = status(nfo)
    assert s["sealed"] is False and s["to_rewrap"] == 0
    slots = json.loads(nfo("secret", "slot", "list", "--output", "json").out)
    assert [(x["slot"], x["kind"]) for x in slots["items"]] == [(1, "keyfile")]
    refused(nfo, "last slot", "secret", "slot", "remove", "1")
    refused(nfo, "no slot 7", "secret", "slot", "remove", "7")


def test_sealed_and_unsealed(nfo):
    nfo("secret", "put", "a", stdin="alpha")
    slot_add(nfo)
    nfo("secret", "seal")
    s = status(nfo)
    assert s["sealed"] is True and s["reason"] == "asked"
    refused(nfo, "sealed", "secret", "list")
    refused(nfo, "sealed", "secret", "put", "b", stdin="beta")
    assert nfo("runs").code == 0
    unseal(nfo, "wrong horse battery", why="does not open")
    unseal(nfo, PASS)
    assert status(nfo)["sealed"] is False
    assert "a" in nfo("secret", "list").out
    refused(nfo, "not sealed", "secret", "unseal", "--automatic")


def test_a_seal_outlives_the_server(nfo):
    nfo("secret", "put", "a", stdin="alpha")
    nfo("secret", "seal")
    nfo.stop()
    assert status(nfo)["reason"] == "asked"
    nfo("secret", "unseal", "--automatic")
    nfo.stop()
    assert status(nfo)["sealed"] is False


def test_without_its_key_the_server_serves(nfo):
    nfo("secret", "put", "a", stdin="alpha")
    slot_add(nfo)
    nfo.stop()
    key = nfo.state / "keeper/key"
    key.rename(nfo.state / "key.away")
    s = status(nfo)
    assert s["sealed"] is True and s["reason"] == "no-key"
    assert not key.exists()  # no new one is made beside a store
    patient(nfo, "secret", "unseal", "--automatic", why="is not there")
    unseal(nfo, PASS)
    assert status(nfo)["sealed"] is False


def test_guesses_are_slow_and_written_down(nfo):
    nfo("secret", "put", "a", stdin="alpha")
    slot_add(nfo)
    nfo("secret", "seal")
    started = time.monotonic()
    for i in range(3):
        unseal(nfo, f"guess number {i}", why="does not open")
    assert time.monotonic() - started > 2.5  # 1 and 2 seconds between
    db = sqlite3.connect(f"file:{nfo.state}/server/nfo.db?mode=ro", uri=True)
    actions = [a for (a,) in db.execute("SELECT action FROM audit")]
    assert actions.count("unseal.refused") >= 3
    assert "seal" in actions and "seal.slot.add" in actions
    every = "\n".join(db.iterdump())
    assert "guess number" not in every and PASS not in every


def test_an_older_copy_is_refused_and_may_be_accepted(nfo):
    nfo("secret", "put", "a", stdin="value one")
    nfo.stop()
    keeper = nfo.state / "keeper"
    old = (keeper / "secrets.db").read_bytes()
    nfo("secret", "put", "a", stdin="value two")
    nfo.stop()
    for name in ("secrets.db-wal", "secrets.db-shm"):
        (keeper / name).unlink(missing_ok=True)
    (keeper / "secrets.db").write_bytes(old)
    s = status(nfo)
    assert s["sealed"] is True and s["reason"] == "rollback"
    assert "rollback suspected" in s["text"]
    patient(nfo, "secret", "unseal", "--automatic", why="rollback suspected")
    patient(nfo, "secret", "unseal", "--automatic", "--accept-rollback",
            "the disk was lost")
    assert '"version":1' in nfo("secret", "show", "a", "--output", "json").out
    db = sqlite3.connect(f"file:{nfo.state}/server/nfo.db?mode=ro", uri=True)
    assert any("the disk was lost" in what for (what,) in
               db.execute("SELECT what FROM audit WHERE action = 'unseal'"))
    nfo.stop()
    assert status(nfo)["sealed"] is False


def test_a_damaged_store_stays_sealed(nfo):
    nfo("secret", "put", "a", stdin="value one")
    nfo.stop()
    db = sqlite3.connect(nfo.state / "keeper/secrets.db")
    db.execute("UPDATE heads SET updated_us = 1")
    db.commit()
    db.close()
    s = status(nfo)
    assert s["sealed"] is True and s["reason"] == "damaged"
    assert nfo("runs").code == 0


def test_versions_hidden_and_destroyed(nfo):
    for value in "value one", "value two", "value three":
        nfo("secret", "put", "a", stdin=value)
    nfo("secret", "rm", "a", "--version", "2")
    listed = nfo("secret", "versions", "a", "--output", "json").out
    states = {v["version"]: v["state"] for v in json.loads(listed)["items"]}
    assert states == {1: "kept", 2: "deleted", 3: "kept"}
    nfo("secret", "undelete", "a", "--version", "2")
    nfo("secret", "destroy", "a", "--version", "1")
    listed = nfo("secret", "versions", "a", "--output", "json").out
    states = {v["version"]: v["state"] for v in json.loads(listed)["items"]}
    assert states == {2: "kept", 3: "kept"}
    refused(nfo, "destroyed", "secret", "undelete", "a", "--version", "1")
    nfo("secret", "destroy", "a", code=2)
    nfo("secret", "describe", "a", "--description", "of the build",
        "--max-versions", "1")
    nfo("secret", "put", "a", stdin="value four")
    m = json.loads(nfo("secret", "show", "a", "--output", "json").out)
    assert m["description"] == "of the build" and m["versions"] == 1
    nfo("secret", "rm", "a")


@pytest.mark.parametrize("how", ["rotate", "rekey"])
def test_keys_made_anew(nfo, how):
    for i in range(40):
        nfo("secret", "put", f"s{i}", stdin=f"value {i}")
    slot_add(nfo)
    if how == "rotate":
        nfo("secret", "rotate")
    else:
        refused(nfo, "slot 2 (passphrase)", "secret", "rekey",
                "--passphrase-fd", "0", stdin="wrong one\n")
        nfo("secret", "rekey", "--passphrase-fd", "0", stdin=PASS + "\n")
    def wrapped():
        s = status(nfo)
        return None if s["to_rewrap"] or s["old_root_key"] else s
    assert nfo.until(wrapped)["term"] == 2
    nfo("secret", "seal")
    unseal(nfo, PASS)
    nfo("secret", "seal")
    patient(nfo, "secret", "unseal", "--automatic")
    assert "s39" in nfo("secret", "list").out


def test_a_killed_keeper_goes_on_with_it(nfo):
    for i in range(5):
        nfo("secret", "put", f"s{i}", stdin=f"value {i}")
    nfo("secret", "rekey")
    os.kill(nfo.role("keeper"), signal.SIGKILL)

    def done():
        result = nfo("secret", "seal-status", "--output", "json", code=None)
        s = json.loads(result.out) if not result.code else {"sealed": True}
        return not (s["sealed"] or s["to_rewrap"] or s["old_root_key"])

    nfo.until(done)


def test_a_credential_of_systemd(cold, tmp_path):
    """The store is made with it and needs no key file; another opens nothing."""
    key = tmp_path / "nfo-unseal-key"
    key.write_text("5a" * 32 + "\n")
    key.chmod(0o400)
    cold.env["CREDENTIALS_DIRECTORY"] = str(tmp_path)
    cold.serve()
    cold("secret", "put", "a", stdin="alpha")
    assert not (cold.state / "keeper/key").exists()
    assert "credential" in cold("secret", "slot", "list").out
    cold("secret", "rekey")
    cold.stop()
    cold.serve()
    assert status(cold)["sealed"] is False
    cold.stop()
    for wrong in "a5" * 32, "short":
        key.chmod(0o600)
        key.write_text(wrong)
        cold.serve()
        assert status(cold)["reason"] == "no-key"
        cold.stop()


def test_a_slot_of_the_credential_is_added(nfo):
    refused(nfo, "started without a credential", "secret", "slot", "add",
            "credential")


def test_a_copy_without_what_opens_it_is_useless(nfo, cold):
    """A backup of the store by itself: nothing opens, nothing is in the clear."""
    nfo("secret", "put", "a", stdin="a value to look for")
    nfo.stop()
    (nfo.state / "keeper/key").unlink()
    for path in (nfo.state / "keeper").rglob("*"):
        if path.is_file():
            assert b"a value to look for" not in path.read_bytes()
    s = status(nfo)
    assert s["sealed"] and s["reason"] == "no-key"
    patient(nfo, "secret", "unseal", "--automatic", why="is not there")
    unseal(nfo, "a passphrase of nobody", why="does not open")
    assert nfo.get("/v1/projects/default/secrets").status == 503


def test_runs_wait_for_a_sealed_store(nfo):
    """What runs goes on, what comes waits, and goes on when it is open."""
    nfo("secret", "put", "a", stdin="alpha and omega")
    job = ("secrets: { a: { store: a } }\n"
           "tasks: { t: { secrets: [a], run: 'wc -c < $NFO_SECRETS/a' } }")
    nfo("secret", "seal")
    run = nfo.run(job, wait="")
    nfo.until(lambda: "sealed" in nfo("why", run["id"]).out)
    assert nfo.run("tasks: { t: { run: 'echo hi' } }")
    nfo("secret", "unseal", "--automatic")
    nfo.ended(run)
    assert nfo.log(run, "t").strip() == b"15"
