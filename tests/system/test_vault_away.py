# SPDX-License-Identifier: AGPL-3.0-or-later
"""Servers of secrets that are away, sealed, slow or hostile: what is tried again,
what waits, what fails, and what nobody gets to see."""
import glob
import json
import os
import pathlib

import pytest

from fakebao import FakeBao
from vaultkit import (ASKED, KV, ONE, READS, VALUE, everything, fails, job,
                      reads, serve, succeeds)

HEALTH = "GET sys/health"


def started(nfo, text=None):
    """A run that is on its way."""
    a = nfo.submit("nfo: 1\nname: test\n" + (text or job(ONE, "wc -c < $x")))
    assert a.status == 201, a
    return a.json


def blocked(nfo, run):
    return nfo.until(lambda: nfo.fresh(run)["tasks"][0]["blocked"])


def log_lines(nfo, words):
    return [x for x in (nfo.home / "serve.err").read_text().splitlines()
            if words in x]


# --- tried again

@pytest.mark.parametrize("knob, options", [
    ("failed", {}), ("failed", {"status": 503, "message": "no active node"}),
    ("html", {}), ("limited", {}), ("limited", {"retry_after": 1}),
    ("index", {}), ("close", {}), ("cut", {}), ("cut_in_headers", {}),
    ("long_length", {}), ("truncated", {}), ("short_length", {}),
    ("twice", {})])
def test_what_fails_once_is_asked_again(vault, knob, options):
    vault.bao.fault(ASKED, knob, times=1, **options)
    assert succeeds(vault, ONE, "wc -c < $x") == [str(len(VALUE))]
    assert len(reads(vault.bao)) == 2


def test_what_is_refused_is_not_asked_again(vault):
    vault.bao.fault(ASKED, "failed", status=400, message="no")
    assert "no" in fails(vault, ONE["x"])
    assert len(reads(vault.bao)) == 1


# --- away

def test_a_server_that_is_down_is_waited_for(vault):
    bao = vault.bao
    bao.halt()
    run = started(vault)
    assert blocked(vault, run) == "secrets"
    bao.start()
    run = vault.ended(run)
    assert run["state"] == "succeeded", run
    assert len(log_lines(vault, "provider default is down")) == 1
    assert len(log_lines(vault, "provider default is up")) == 1


def test_a_sealed_server_is_waited_for(vault):
    bao = vault.bao
    bao.seal()
    run = started(vault)
    assert blocked(vault, run) == "secrets"
    assert "sealed" in json.dumps(vault.fresh(run))
    bao.unseal()
    assert vault.ended(run)["state"] == "succeeded"
    assert len(reads(bao)) <= 2  # one found it sealed


def test_a_server_that_is_away_is_asked_how_it_is_and_nothing_else(vault):
    bao = vault.bao
    bao.seal()
    first = started(vault)
    blocked(vault, first)
    before = len(bao.requests)
    runs = [started(vault) for _ in range(5)]
    for run in runs:
        blocked(vault, run)
    bao.wait(lambda: len(bao.asked(HEALTH)) >= 2)
    assert {r.path for r in bao.requests[before:]} <= {"sys/health"}
    bao.unseal()
    for run in [first, *runs]:
        assert vault.ended(run)["state"] == "succeeded"


# --- hostile

@pytest.mark.parametrize("knob, options, why", [
    ("truncated", {}, "not one of Vault's"),
    ("short_length", {}, "not one of Vault's"),
    ("twice", {}, "not one of Vault's"),
    ("html", {"status": 200}, "not one of Vault's"),
    ("replace", {"body": "[]"}, "not one of Vault's"),
    ("replace", {"body": "{"}, "not one of Vault's"),
    ("replace", {"body": '{"data":' * 5000}, "not one of Vault's"),
    ("replace", {"body": '{"data":[' + "1," * 1500000 + "1]}"},
     "not one of Vault's"),
    ("replace", {"body": ""}, "not one of Vault's"),
    ("replace", {"body": "{}"}, "no data"),
    ("types", {"data": "text"}, "not one of Vault's"),
    ("types", {"data": {"data": []}}, "no data"),
    ("types", {"lease_duration": "x"}, "not one of Vault's"),
    ("types", {"data": {"data": {"token": "x" * (1 << 20)}}}, "together over"),
    ("types", {"data": {"data": {f"f{i}": "x" for i in range(65)}}},
     "more than 64 fields"),
    ("endless", {}, "over 4194304 bytes"),
    ("endless", {"chunked": True}, "over 4194304 bytes"),
    ("endless_headers", {}, "over"),
], ids=lambda x: str(x)[:20])
def test_answers_that_are_none_fail(vault, knob, options, why):
    vault.bao.fault(ASKED, knob, **options)
    assert why in fails(vault, ONE["x"])
    vault.bao.clear()
    succeeds(vault, ONE, "true")


def test_what_is_sent_is_not_seen_in_an_error(vault):
    vault.bao.fault(ASKED, "echo")
    text = fails(vault, ONE["x"])
    assert "invalid request" in text and "[REDACTED]" in text
    assert vault.token not in text
    kept = everything(vault)
    assert vault.token.encode() not in kept and VALUE.encode() not in kept


def test_a_redirect_to_a_stranger_is_not_followed(vault):
    with FakeBao() as other:
        vault.bao.fault(ASKED, "redirect", to=other.address)
        assert "sends us elsewhere" in fails(vault, ONE["x"])
        assert other.requests == []


def test_a_redirect_to_a_named_one_is_followed_once(cold, bao):
    with FakeBao() as other:
        for it in (bao, other):
            it.policy("jobs", READS)
            it.kv(KV, "app", {"token": VALUE})
        serve(cold, bao, redirects=[other.address])
        bao.fault(ASKED, "redirect", to=other.address)
        other.core.store.make(["jobs"], "auth/token/create", id_=cold.token,
                              ns=other.core.ns())
        succeeds(cold, ONE, "true")
        assert len(reads(other)) == 1
        other.fault(ASKED, "redirect", to=bao.address)
        assert "sends us elsewhere" in fails(cold, ONE["x"])


# --- TLS

@pytest.fixture
def secure(tls_bao):
    tls_bao.policy("jobs", READS)
    tls_bao.kv(KV, "app", {"token": VALUE})
    return tls_bao


def test_over_tls(cold, secure):
    serve(cold, secure, ca_file=str(secure.ca_file))
    assert succeeds(cold, ONE, "wc -c < $x") == [str(len(VALUE))]


def test_a_server_that_nobody_vouches_for_gets_no_token(cold, secure):
    serve(cold, secure)
    run = started(cold)
    assert blocked(cold, run) == "secrets"
    assert [r for r in secure.requests if r.token == cold.token] == []


# --- how often

def waiting_runners(nfo):
    """Those that have asked for their secrets: it is the first that they wait
    for."""
    children = f"/proc/{nfo.role('zygote')}/task/*/children"
    pids = " ".join(pathlib.Path(p).read_text()
                    for p in glob.glob(children)).split()
    return [p for p in pids if "wait_for_more" in
            pathlib.Path(f"/proc/{p}/wchan").read_text()]


@pytest.mark.skipif(os.geteuid() != 0,
                    reason="only root sees what a runner waits for")
def test_many_attempts_at_once_ask_little(vault):
    """Equal reads that are under way are one, for all fields of all tasks."""
    n = 40
    hold = vault.bao.fault(ASKED, "delay")
    text = ("nfo: 1\nname: many\nsecrets:\n  x: { vault: kv/app, field: token }"
            "\n  y: { vault: kv/app, field: user }\ntasks:\n" + "".join(
                f"  t{i}: {{ run: test -s $NFO_SECRETS/x, secrets: [x, y] }}\n"
                for i in range(n)))
    a = vault.submit(text)
    assert a.status == 201, a
    vault.until(lambda: len(waiting_runners(vault)) == n)
    hold.release()
    run = vault.ended(a.json)
    assert run["state"] == "succeeded", run
    assert len(reads(vault.bao)) == 1
    assert len([r for r in vault.bao.requests if "mounts" in r.path]) == 1
