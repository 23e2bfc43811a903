# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tokens of a provider as logins: whose they are, what they give, and every
way in which one is none."""
import base64
import http.client
import json
import os
import signal
import subprocess
import time

import pytest

import nfo as programs
import provider
from provider import Key, serve as start


def settings(**more):
    return {"oidc": [{
        "name": "corp", "issuer": provider.ISSUER, "audience": ["nfo"],
        "groups_claim": "groups", "user_claim": "login",
        "require": {"org": "acme"},
        "roles": [
            {"when": {"path": "acme/*", "protected": "true"},
             "role": "operator", "projects": ["web"]},
            {"when": {"path": "acme/root"}, "role": "admin",
             "projects": ["*"]}], **more}]}


def ask(server, token, method="GET", path="/v1/whoami", body=None):
    c = http.client.HTTPConnection("127.0.0.1", server.port,
                                   timeout=programs.LIMIT)
    a = server.ask(method, path, body,
                   {"Authorization": f"Bearer {token}"}, connection=c)
    c.close()
    return a


def who(server, token):
    a = ask(server, token)
    assert a.status == 200, a
    return a.json


@pytest.fixture
def key():
    return Key("one")


@pytest.fixture
def corp(cold, key):
    """A server that takes the tokens of key."""
    path = cold.write("keys.json", provider.key_set(
        key, Key("rsa", "RS256"), Key("other")))
    return start(cold, settings(jwks_file=str(path)))


def token(key, **claims):
    return key.token(**{"org": "acme", **claims})


# --- who it is

@pytest.mark.parametrize("alg", ("ES256", "RS256", "EdDSA"))
def test_each_algorithm(cold, alg):
    key = Key("k", alg)
    path = cold.write("keys.json", provider.key_set(key))
    server = start(cold, settings(jwks_file=str(path)))
    me = who(server, token(key, groups=["devs", "ops"]))
    assert me["name"] == "oidc:corp:ann" and me["provider"] == "corp"
    assert me["groups"] == ["oidc:corp:devs", "oidc:corp:ops"]
    assert me["roles"] == ["none"] and me["projects"] == []
    assert me["expires_at"] and "token" not in me
    assert who(server, token(key, aud=["x", "nfo"]))["name"] == me["name"]


def test_claims_become_roles(corp, key):
    there = token(key, path="acme/pages", protected=True)
    me = who(corp, there)
    assert me["roles"] == ["operator"] and me["projects"] == ["web"]
    assert who(corp, token(key, path="acme/pages"))["projects"] == []
    assert who(corp, token(key, path="evil/acme/x",
                           protected=True))["projects"] == []
    root = token(key, path="acme/root")
    assert who(corp, root)["server"] == "admin"
    assert ask(corp, root, path="/v1/users").status == 200
    assert ask(corp, there, path="/v1/users").status == 403
    assert ask(corp, there, path="/v1/projects/web/jobs").status == 200
    assert ask(corp, there, path="/v1/projects/api/jobs").status == 404


def test_roles_name_a_subject_or_a_group(corp, key):
    for name, member in (("a", "oidc:corp:ann"),
                         ("b", "group/oidc:corp:/acme/devs")):
        a = corp.ask("PUT", f"/v1/roles/{name}", {
            "role": "developer", "projects": [name], "members": [member]})
        assert a.status == 201, a
    assert who(corp, token(key))["projects"] == ["a"]
    bob = token(key, sub="bob", groups=["/acme/devs"])
    assert who(corp, bob)["projects"] == ["b"]
    a = corp.ask("PUT", "/v1/groups/ours", {"members": ["oidc:corp:bob"]})
    assert a.status == 201, a
    corp.ask("PUT", "/v1/roles/c", {"role": "viewer", "projects": ["c"],
                                    "members": ["group/ours"]})
    assert sorted(who(corp, bob)["projects"]) == ["b", "c"]
    for bad in ("oidc:corp", "oidc::x", "oidc:Corp:x", "group/oidc:corp:"):
        assert corp.ask("PUT", "/v1/roles/d", {
            "role": "viewer", "projects": ["c"],
            "members": [bad]}).status == 422, bad


def test_a_claim_may_name_a_user(corp, key):
    corp.ask("PUT", "/v1/users/ann", {})
    corp.ask("PUT", "/v1/roles/r", {"role": "viewer", "projects": ["api"],
                                    "members": ["user/ann"]})
    ann = token(key, login="ann", sub="4711")
    me = who(corp, ann)
    assert me["name"] == "user:ann" and me["projects"] == ["api"]
    assert who(corp, token(key, login="bob"))["name"] == "oidc:corp:ann"
    corp.ask("PUT", "/v1/users/ann", {"disabled": True}, {"If-Match": "*"})
    assert ask(corp, ann).status == 403
    assert ask(corp, token(key, login="ann", path="acme/root"),
               path="/v1/users").status == 403


def test_it_makes_no_tokens_of_its_own(corp, key):
    root = token(key, path="acme/root")
    a = ask(corp, root, "POST", "/v1/tokens", {"name": "x"})
    assert a.status == 403 and "provider" in a.json["detail"]
    corp.ask("PUT", "/v1/users/ann", {})
    assert ask(corp, root, "POST", "/v1/tokens",
               {"name": "x", "user": "ann"}).status == 403


# --- what is none

def damaged(key, how):
    """A right token, made wrong."""
    good = token(key)
    head, body, sign = good.split(".")
    other = Key("one")
    if how == "none":
        return provider.b64({"alg": "none"}) + f".{body}."
    if how == "hmac":
        import hashlib
        import hmac
        text = provider.b64({"alg": "HS256", "kid": "one"}) + "." + body
        mac = hmac.new(json.dumps(key.public()).encode(), text.encode(),
                       hashlib.sha256).digest()
        return f"{text}.{provider.b64(mac)}"
    if how == "payload":
        claims = json.loads(base64.urlsafe_b64decode(body + "=="))
        return f"{head}.{provider.b64({**claims, 'sub': 'root'})}.{sign}"
    return {
        "another's key": lambda: token(other),
        "embedded key": lambda: token(
            other, header={"jwk": other.public(), "kid": None}),
        "cut": lambda: good[:-4],
        "longer": lambda: good + "AA",
        "four parts": lambda: good + ".x",
        "name of another": lambda: token(key, header={"kid": "other"}),
        "kind of another": lambda: token(key, header={"kid": "rsa"}),
        "no such key": lambda: token(key, header={"kid": "gone"}),
        "no audience": lambda: token(key, aud=None),
        "another's audience": lambda: token(key, aud="other"),
        "another's issuer": lambda: token(key, iss="https://evil.example"),
        "slash": lambda: token(key, iss=provider.ISSUER + "/"),
        "over": lambda: token(key, exp=int(time.time()) - 70),
        "early": lambda: token(key, nbf=int(time.time()) + 90),
        "future": lambda: token(key, iat=int(time.time()) + 90),
        "no end": lambda: token(key, exp=None),
        "no subject": lambda: token(key, sub=None),
        "crit": lambda: token(key, header={"crit": ["exp"]}),
        "logout": lambda: token(key, header={"typ": "logout+jwt"}),
        "required": lambda: token(key, org="other"),
        "large": lambda: token(key, x="x" * 8192),
    }[how]()


WRONG = ("none", "hmac", "payload", "another's key", "embedded key", "cut",
         "longer", "four parts", "name of another", "kind of another",
         "no such key", "no audience", "another's audience",
         "another's issuer", "slash", "over", "early", "future", "no end",
         "no subject", "crit", "logout", "required", "large")


def test_a_wrong_one_is_none(corp, key):
    """From a new address each: wrong ones are slowed."""
    for n, how in enumerate(WRONG):
        c = http.client.HTTPConnection(
            "127.0.0.1", corp.port, timeout=programs.LIMIT,
            source_address=(f"127.0.1.{n + 1}", 0))
        a = corp.ask("GET", "/v1/whoami", headers={
            "Authorization": f"Bearer {damaged(key, how)}"}, connection=c)
        c.close()
        if how == "large" and a.status == 431:
            continue
        assert a.status == 401, (how, a)
        assert "invalid_token" in a.headers["www-authenticate"]
    assert who(corp, token(key, exp=int(time.time()) - 30))  # within the skew
    long = token(key, x="x" * 5500)
    assert 7500 < len(long) <= 8192 and who(corp, long)
    log = (corp.home / "serve.err").read_text()
    assert token(key).split(".")[1][:40] not in log


def test_only_named_algorithms(cold, key):
    path = cold.write("keys.json", provider.key_set(key, Key("e", "EdDSA")))
    server = start(cold, settings(jwks_file=str(path), algorithms=["EdDSA"]))
    assert ask(server, token(key)).status == 401


def test_without_keys_nobody_comes_in(cold, key):
    path = cold.write("keys.json", "<html>")
    server = start(cold, settings(jwks_file=str(path)))
    a = ask(server, token(key))
    assert a.status == 503 and "corp" in a.json["detail"]
    assert a.headers["retry-after"]


# --- its end

def test_what_it_opened_ends_with_it(corp, key):
    """Streams, too: skew is a minute, so its end is a second away."""
    short = token(key, path="acme/root", exp=int(time.time()) - 57)
    c = http.client.HTTPConnection("127.0.0.1", corp.port,
                                   timeout=programs.LIMIT)
    c.request("GET", "/v1/events", None, {"Authorization": f"Bearer {short}"})
    a = c.getresponse()
    assert a.status == 200
    with pytest.raises(http.client.IncompleteRead):
        a.read()
    c.close()
    assert ask(corp, short).status == 401


def test_the_command_line_brings_one(corp, key):
    corp.env["NFO_TOKEN"] = token(key, path="acme/root")
    server = ("--server", f"http://127.0.0.1:{corp.port}")
    assert corp("runs", "-o", "json", *server).code == 0
    corp.env["NFO_TOKEN"] = token(key)
    corp("user", "list", *server, code=3)


# --- keys from a URL

@pytest.fixture
def source(key):
    it = provider.Provider(key)
    yield it
    it.close()


def from_source(cold, source, **more):
    return start(cold, settings(jwks_uri=source.uri, **more))


def test_keys_are_fetched(cold, key, source):
    server = from_source(cold, source)
    source.wait(1)
    assert who(server, token(key))["provider"] == "corp"
    assert server.role("fetcher")
    source.wait(1)
    a = ask(server, Key("one").token(org="acme"))
    assert a.status == 401
    assert source.asked == 1  # a wrong signature is no reason to ask again


def test_keys_are_changed(cold, key, source):
    """The first token with a new key waits for the key, and is right; who came
    by a key that is shown no more is out, with what it had opened."""
    server = from_source(cold, source)
    old = token(key, path="acme/root")
    assert who(server, old)
    c = http.client.HTTPConnection("127.0.0.1", server.port,
                                   timeout=programs.LIMIT)
    c.request("GET", "/v1/events", None, {"Authorization": f"Bearer {old}"})
    stream = c.getresponse()
    assert stream.status == 200
    new = Key("two", "RS256")
    source.show(new)
    asked = source.asked
    assert who(server, token(new))
    source.wait(asked + 1)
    with pytest.raises(http.client.IncompleteRead):
        stream.read()
    c.close()
    assert ask(server, old).status == 401
    source.show(key, new)  # shown again: but not asked for within a minute
    assert ask(server, old).status == 401
    assert source.asked == asked + 1


def test_a_provider_that_is_away_for_now(cold, key, source):
    source.status = 500
    server = from_source(cold, source)
    source.wait(1)
    a = ask(server, token(key))
    assert a.status == 503 and a.json["code"] == "provider-unavailable"
    assert "the answer is 500" in server.until(
        lambda: (lambda t: "provider corp" in t and t)(
            (server.home / "serve.err").read_text()))


@pytest.mark.parametrize("body", ("<html>", '{"keys": []}', "x" * 300000))
def test_what_is_no_key_set(cold, key, source, body):
    source.body = body
    server = from_source(cold, source)
    source.wait(1)
    assert ask(server, token(key)).status == 503


def test_no_redirect_is_followed(cold, key, source):
    elsewhere = provider.Provider(key)
    source.status, source.headers = 302, {"Location": elsewhere.uri}
    server = from_source(cold, source)
    source.wait(1)
    assert ask(server, token(key)).status == 503
    assert elsewhere.asked == 0
    elsewhere.close()


def test_no_url_of_a_token_is_asked(cold, key, source):
    evil = provider.Provider(Key("evil"))
    server = from_source(cold, source)
    source.wait(1)
    for header in ({"jku": evil.uri}, {"x5u": evil.uri}):
        a = ask(server, Key("evil").token(header=header, org="acme"))
        assert a.status == 401
    assert ask(server, Key("evil").token(iss=evil.uri)).status == 401
    assert evil.asked == 0
    evil.close()


@pytest.fixture
def certificate(cold):
    """A CA that nobody knows, and a certificate of 127.0.0.1 by it."""
    def run(*args):
        subprocess.run(["openssl", *args], check=True, cwd=cold.home,
                       capture_output=True)
    run("req", "-x509", "-newkey", "ec", "-pkeyopt",
        "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out",
        "ca.pem", "-subj", "/CN=test", "-days", "2")
    run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
        "-nodes", "-keyout", "tls.key", "-out", "tls.csr", "-subj",
        "/CN=localhost")
    cold.write("ext", "subjectAltName=IP:127.0.0.1\n")
    run("x509", "-req", "-in", "tls.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
        "-CAcreateserial", "-out", "tls.pem", "-days", "2", "-extfile", "ext")
    return cold.home / "ca.pem", (cold.home / "tls.pem",
                                  cold.home / "tls.key")


def test_over_https(cold, key, certificate):
    ca, own = certificate
    source = provider.Provider(key, certificate=own)
    server = from_source(cold, source, ca_file=str(ca))
    source.wait(1)
    assert who(server, token(key))
    server.stop()
    server = from_source(cold, source)  # whom the system trusts
    assert ask(server, token(key)).status == 503
    assert "certificate" in server.until(
        lambda: (lambda t: "provider corp" in t and t)(
            (server.home / "serve.err").read_text()))
    assert source.asked == 1
    source.close()


def test_the_fetcher_may_die(cold, key, source):
    server = from_source(cold, source)
    source.wait(1)
    assert who(server, token(key))
    old = server.role("fetcher")
    os.kill(old, signal.SIGKILL)
    server.until(lambda: server.role("fetcher") not in (0, old))
    assert who(server, token(key, sub="bob"))
    os.kill(server.role("server"), signal.SIGKILL)  # and the server
    source.wait(2)
    server.until(lambda: able(server))
    assert who(server, token(key, sub="carl"))


def able(server):
    try:
        return server.get("/healthz").status == 200
    except OSError:
        return False


def test_there_is_no_fetcher_where_nothing_is_fetched(corp):
    assert not corp.role("fetcher")


def test_a_file_is_read_anew_by_a_reload(cold, key):
    path = cold.write("keys.json", provider.key_set(key))
    server = start(cold, settings(jwks_file=str(path)))
    old, new = token(key), Key("two", "EdDSA")
    assert who(server, old)
    path.write_text(provider.key_set(new))
    os.kill(server.monitor(), signal.SIGHUP)
    server.until(lambda: ask(server, token(new)).status == 200)
    assert ask(server, old).status == 401
