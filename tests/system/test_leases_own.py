# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is lent under a login of the attempt's own (auth: identity): both are
renewed while it runs, and both end with it."""
import re

import pytest

from test_leases import (RIGHTS, items, job, kill, none_left, serve, start,
                         there, until)


@pytest.fixture
def each(cold, bao):
    """auth: identity; the keys that it is checked with are the server's."""
    bao.policy("jobs", RIGHTS)
    bao.database("short", ttl=4)
    bao.enable("auth/jwt", "jwt")
    cold.credential = "unused"
    cold.login = lambda path: {"auth": "identity", "auth_role": "nfo",
                               "audience": "bao"}
    cold.bao = bao
    serve(cold, bao)
    pems = re.findall("-----BEGIN.*?END PUBLIC KEY-----\n",
                      cold("identity", "keys", "--pem").out, re.S)
    bao.must("POST", "auth/jwt/config", {"jwt_validation_pubkeys": pems})
    bao.must("POST", "auth/jwt/role/nfo", {
        "role_type": "jwt", "user_claim": "sub", "bound_audiences": ["bao"],
        "token_policies": ["jobs"], "token_ttl": "4s"})
    return cold


SHORT = "{ vault: database/creds/short, kind: read }"


def test_under_a_login_of_its_own_it_is_renewed_and_revoked(each):
    bao = each.bao
    runs = [start(each, {"db": SHORT}, "sleep 9") for _ in range(2)]
    leases, tokens = bao.leases, {t.id for t in bao.tokens}
    assert len(leases) == len(tokens) == 2
    until(bao, lambda: len(bao.asked("* sys/leases/renew")) >= 4)
    until(bao, lambda: len(bao.asked("* auth/token/renew-self")) >= 4)
    assert bao.leases == leases and {t.id for t in bao.tokens} == tokens
    assert {r.token for r in bao.asked("* sys/leases/renew")} == tokens
    for run in runs:
        assert each.ended(run)["state"] == "succeeded"
    assert none_left(each)
    until(bao, lambda: not bao.tokens)
    assert len(bao.asked("POST auth/jwt/login")) == 2
    each.until(lambda: not items(each))


def test_its_login_ends_with_it_and_no_other(each):
    long = start(each, {"db": SHORT}, "sleep 60")
    theirs, = bao_tokens(each)
    assert each.run(job({"db": SHORT}, "true"))["state"] == "succeeded"
    until(each.bao, lambda: bao_tokens(each) == [theirs])
    until(each.bao, lambda: len(each.bao.leases) == 1)
    each.ask("POST", f"/v1/runs/{long['id']}/cancel")
    assert none_left(each)
    until(each.bao, lambda: not bao_tokens(each))


def bao_tokens(nfo):
    return sorted(t.id for t in nfo.bao.tokens)


@pytest.mark.parametrize("role", ["runner", "keeper"])
def test_its_login_goes_after_a_kill(each, role):
    run = start(each, {"db": SHORT}, "sleep 3")
    kill(each, role)
    if role == "keeper":
        each.until(lambda: there(each) == ["open"])
        assert each.ended(run)["state"] == "succeeded"
    assert none_left(each)
    until(each.bao, lambda: not each.bao.tokens)


@pytest.mark.parametrize("kind", ["ssh-cert", "pki"])
def test_what_is_signed_under_a_login_of_its_own(each, kind):
    bao = each.bao
    bao.enable("ssh", "ssh")
    bao.must("POST", "ssh/config/ca", {"generate_signing_key": True,
                                       "key_type": "ed25519"})
    bao.must("POST", "ssh/roles/r", {
        "key_type": "ca", "allow_user_certificates": True,
        "allowed_users": "*", "default_user": "deploy", "ttl": "10m"})
    bao.enable("pki", "pki")
    bao.must("POST", "pki/root/generate/internal", {
        "common_name": "root.example", "ttl": "24h"})
    bao.must("POST", "pki/roles/r", {
        "allowed_domains": "web.example", "allow_bare_domains": True,
        "max_ttl": "1h", "key_type": "any"})
    of, name = {"ssh-cert": ("ssh", "valid_principals: deploy"),
                "pki": ("pki", "common_name: web.example")}[kind]
    run = each.run(job({"x": f"{{ vault: {of}/sign/r, kind: {kind}, "
                             f"params: {{ {name} }} }}"},
                       "test -s $NFO_SECRETS/x/cert.p*"))
    assert run["state"] == "succeeded", each.fresh(run)
    until(bao, lambda: not bao.tokens)
    signed, = bao.asked(f"* {of}/sign/r")
    login, = bao.asked("POST auth/jwt/login")
    assert signed.token and signed.token != bao.root_token and login
