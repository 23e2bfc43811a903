# SPDX-License-Identifier: AGPL-3.0-or-later
"""A task has tokens that say who it is, and others can check them."""
import base64
import json
import os
import re
import signal
import time

import jwt
import pytest

from identity import allow, job, token_of

AUDIENCE = "https://vault.example:8200"


@pytest.fixture
def ready(nfo):
    allow(nfo)
    nfo("runs")
    return nfo


def keys(nfo):
    """kid -> key, as PyJWT takes them from the served set."""
    served = nfo.get("/.well-known/jwks.json").json
    return {k["kid"]: jwt.PyJWK(k, algorithm="ES256").key
            for k in served["keys"]}


def check(nfo, token, audience=AUDIENCE, **more):
    """Somebody else's library, with nothing but the discovery document."""
    about = nfo.get("/.well-known/openid-configuration").json
    assert about["jwks_uri"] == about["issuer"] + "/.well-known/jwks.json"
    return jwt.decode(
        token, keys(nfo)[jwt.get_unverified_header(token)["kid"]],
        algorithms=about["id_token_signing_alg_values_supported"],
        audience=audience, issuer=about["issuer"],
        options={"require": ["exp", "iat", "nbf", "iss", "sub", "aud", "jti"]},
        **more)


def test_another_library_takes_it(ready):
    token, run = token_of(ready, job())
    claims = check(ready, token)
    assert claims["sub"] == "nfo:project:default:sent:release:task:publish"
    assert claims["aud"] == AUDIENCE
    assert claims["exp"] - claims["iat"] == 300
    assert claims["nfo_project"] == "default"
    assert claims["nfo_job"] == "release"
    assert claims["nfo_task"] == "publish"
    assert claims["nfo_run_id"] == run["id"]
    assert "sha256:" + claims["nfo_definition_sha256"] == \
        run["definition_digest"]
    assert "sha256:" + claims["nfo_run_sha256"] == run["run_digest"]
    assert claims["nfo_submitter"] == run["submitter"]
    assert claims["nfo_source"] == "none"
    assert claims["nfo_backend"] == "sandbox"
    # one byte of what was signed, and it is none
    head, body, sig = token.split(".")
    other = json.loads(base64.urlsafe_b64decode(body + "=="))
    other["nfo_project"] = "other"
    forged = ".".join([head, base64.urlsafe_b64encode(
        json.dumps(other).encode()).decode().rstrip("="), sig])
    with pytest.raises(jwt.InvalidSignatureError):
        check(ready, forged)
    with pytest.raises(jwt.InvalidAudienceError):
        check(ready, token, audience="https://other")


def test_a_stored_job_has_the_subject_that_was_sent_has_not(ready):
    text = job()
    ready.ask("PUT", "/v1/projects/default/jobs/release", text.encode(),
              {"Content-Type": "application/yaml"})
    token, _ = token_of(ready, text)
    assert check(ready, token)["sub"] == \
        "nfo:project:default:job:release:task:publish"
    token, _ = token_of(ready, text + "    env: { A: b }\n")
    claims = check(ready, token)
    assert claims["sub"] == "nfo:project:default:sent:release:task:publish"
    assert claims["nfo_definition_from"] == "sent"


def test_policy_says_for_whom(nfo):
    a = nfo.submit(job())
    assert (a.status, a.json["code"]) == (403, "policy")
    assert re.search(r'a token for "https://vault.example:8200" is allowed '
                     r'by no rule', a.json["errors"][0]["message"])
    allow(nfo, '["https://*.example:8200", "{project}"]')
    nfo("runs")
    assert check(nfo, token_of(nfo, job())[0])
    assert check(nfo, token_of(nfo, job(audience="default"))[0], "default")
    for other in ("https://a.b/c.example:8200", "other"):
        assert nfo.submit(job(audience=other)).status == 403


@pytest.mark.parametrize("line, code", [
    ('audience: "a b"', "bad-value"), ('audience: ""', "bad-value"),
    ("audience: \"a'b\"", "bad-value"), ("audience: ü", "bad-value"),
    ("audience: " + "a" * 256, "bad-value"), ("ttl: 1m", "missing-key"),
    ("audience: a, ttl: 11m", "out-of-range"),
    ("audience: a, ttl: 10s", "out-of-range"),
])
def test_what_is_none_is_refused(nfo, line, code):
    a = nfo.submit(f"nfo: 1\nname: j\ntasks: {{ t: {{ run: x, "
                   f"identity: {{ v: {{ {line} }} }} }} }}\n")
    assert a.status == 422
    assert code in [e["code"] for e in a.json["errors"]], a


def test_names_do_not_collide_and_are_not_too_many(nfo):
    a = nfo.submit("nfo: 1\nname: j\nsecrets: { v: { store: v } }\n"
                   "tasks: { t: { run: x, secrets: [v], "
                   "identity: { v: { audience: a } } } }\n")
    assert a.json["errors"][0]["code"] == "duplicate-secret"
    many = ", ".join(f"v{i}: {{ audience: a }}" for i in range(9))
    a = nfo.submit("nfo: 1\nname: j\ntasks: { t: { run: x, identity: "
                   f"{{ {many} }} }} }}\n")
    assert a.json["errors"][0]["code"] == "too-many"


def test_it_is_masked_and_only_that_task_has_it(ready):
    token, run = token_of(ready, job(
        run='cat "$NFO_SECRETS/vault"; cp "$NFO_SECRETS/vault" token; '
            'test "$(stat -c %a "$NFO_SECRETS/vault")" = 400',
        more='  other: { run: test ! -e "$NFO_SECRETS/vault" }\n'))
    log = ready.log(run, "publish").decode()
    assert "[REDACTED" in log
    for part in token.split("."):
        assert part not in log
    for path in ready.state.rglob("*"):
        if path.is_file() and "blobs" not in path.parts:
            assert token.encode() not in path.read_bytes(), path


def test_it_is_written_anew_before_it_ends(ready):
    """Both count while both are there, and neither can be read."""
    first, run = token_of(ready, job(ttl="30s", run="""\
cp "$NFO_SECRETS/vault" first
      for i in $(seq 600); do
        cmp -s "$NFO_SECRETS/vault" first || break
        sleep 0.1
      done
      cat "$NFO_SECRETS/vault"; echo; cat first
      cp "$NFO_SECRETS/vault" token; ! cmp -s token first"""))
    claims = check(ready, first)
    assert claims["exp"] > time.time()
    log = ready.log(run, "publish").decode()
    assert log.count("[REDACTED") == 2
    assert first not in log


def test_it_ends_with_its_task(ready):
    token, _ = token_of(ready, job().replace(
        "    run:", "    timeout: 60s\n    run:"))
    claims = check(ready, token)
    assert claims["exp"] - claims["iat"] <= 75  # and the grace that it has to end


def test_the_keys_are_public_kept_and_the_same_after_a_restart(ready):
    a = ready.get("/.well-known/jwks.json")
    assert a.headers["cache-control"] == "public, max-age=300"
    assert ready.get("/.well-known/jwks.json",
                     **{"If-None-Match": a.headers["etag"]}).status == 304
    assert all(set(k) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
               for k in a.json["keys"])
    token, _ = token_of(ready, job())
    ready.stop()
    ready("runs")
    assert ready.get("/.well-known/jwks.json").json == a.json
    assert check(ready, token)
    # what a key signs is not to be had by asking for it as a secret
    for project in ("_keeper", "%5fkeeper"):
        assert ready.get(f"/v1/projects/{project}/secrets/identity"
                         ).status in (404, 422)
    assert ready.get("/healthz").status == 200
    assert ready.submit("nfo: 1\nname: j\nsecrets: { k: { store: "
                        "_keeper/identity } }\ntasks: { t: { secrets: [k], "
                        "run: x } }\n").status == 422


def test_only_one_of_the_public_keys_is_used(ready):
    """The next is published long before."""
    served = [k["kid"] for k in ready.get("/.well-known/jwks.json"
                                          ).json["keys"]]
    assert len(served) == 2
    used = {jwt.get_unverified_header(token_of(ready, job())[0])["kid"]
            for _ in range(2)}
    assert len(used) == 1 and used < set(served)


def test_nobody_has_to_log_in_for_them(cold):
    cold.serve("--set", "identity.issuer=https://ci.example/nfo")
    about = cold.get("/.well-known/openid-configuration").json
    assert about["issuer"] == "https://ci.example/nfo"
    document = cold.get("/v1/openapi.json").json
    for path in ("openid-configuration", "jwks.json"):
        op = document["paths"][f"/.well-known/{path}"]["get"]
        assert op["x-nfo-role"] == "anybody"


def test_they_are_there_while_the_keeper_is_not(ready):
    before = ready.get("/.well-known/jwks.json").json
    keeper, server = ready.role("keeper"), ready.role("server")
    os.kill(keeper, signal.SIGSTOP)
    try:
        os.kill(server, signal.SIGKILL)
        ready.until(lambda: ready.role("server") not in (0, server))
        ready.until(lambda: answers(ready))
        assert ready.get("/.well-known/jwks.json").json == before
    finally:
        os.kill(keeper, signal.SIGCONT)


def answers(nfo):
    try:
        return nfo.get("/healthz").status == 200
    except OSError:
        return False
