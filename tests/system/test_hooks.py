# SPDX-License-Identifier: AGPL-3.0-or-later
"""Runs that somebody outside asks for: the five ways to sign, what is answered
to whom, and that a delivery makes one run."""
import base64
import hashlib
import hmac
import http.client
import json
import os
import signal
import sqlite3
import threading
import time

import pytest

import nfo as programs

JOBS = "/v1/projects/default/jobs"
YAML = {"Content-Type": "application/yaml"}
DATA = programs.TOP / "tests/data/hooks"
SECRET = b"correct horse battery staple"


def mac(content, key=SECRET):
    return hmac.new(key, content, hashlib.sha256)


def github(body, delivery="d-1", event="push", key=SECRET):
    return {"X-GitHub-Event": event, "X-GitHub-Delivery": delivery,
            "X-Hub-Signature-256": "sha256=" + mac(body, key).hexdigest()}


def gitea(body, delivery="d-1", event="push", key=SECRET):
    return {"X-Gitea-Event": event, "X-Gitea-Delivery": delivery,
            "X-Gitea-Signature": mac(body, key).hexdigest()}


def gitlab(body, delivery="d-1", event="Push Hook", key=SECRET):
    return {"X-Gitlab-Event": event, "X-Gitlab-Event-UUID": delivery,
            "X-Gitlab-Token": key.decode()}


def standard(body, delivery="d-1", event=None, key=SECRET, at=None):
    at = str(int(time.time()) if at is None else at)
    signed = mac(f"{delivery}.{at}.".encode() + body, key).digest()
    return {"webhook-id": delivery, "webhook-timestamp": at,
            "webhook-signature": "v1a,AAAA v1,"
                                 + base64.b64encode(signed).decode()}


def generic(body, delivery=None, event=None, key=SECRET, at=None):
    at = str(int(time.time()) if at is None else at)
    signed = mac(f"{at}.".encode() + body, key).hexdigest()
    headers = {"X-Nfo-Signature": f"t={at},v1={signed}"}
    if event:
        headers["X-Nfo-Event"] = event
    return headers


SCHEMES = {"github": github, "gitea": gitea, "gitlab-token": gitlab,
           "standard": standard, "generic": generic}


def job(scheme="github", match="", inputs="", name="hooked", hook="push",
        more="", run="echo \"$NFO_INPUT_REF\"", secret="hook",
        declared="ref: { type: string, default: none }"):
    return (f"nfo: 1\nname: {name}\n"
            f"secrets: {{ key: {{ store: {secret} }} }}\n"
            f"inputs: {{ {declared} }}\n{more}"
            f"triggers: {{ webhook: [ {{ name: {hook}, scheme: {scheme}, "
            f"secret: key{match}{inputs} }} ] }}\n"
            f"tasks: {{ t: {{ run: '{run}' }} }}\n")


def put(nfo, text, name="hooked", status=None):
    a = nfo.ask("PUT", f"{JOBS}/{name}", text.encode(),
                {**YAML, **({} if status == 201 else {"If-Match": "*"}
                            if status == 200 else {})})
    assert a.status == (status or 201), a
    return a.json


def secret(nfo, value=SECRET, name="hook", project="default"):
    a = nfo.ask("PUT", f"/v1/projects/{project}/secrets/{name}", value,
                {"Content-Type": "application/octet-stream"})
    assert a.status in (200, 201), a


def call(nfo, url, body, headers, connection=None):
    if isinstance(body, dict):
        body = json.dumps(body).encode()
    return nfo.ask("POST", url, body,
                   {"Content-Type": "application/json", **headers},
                   connection)


@pytest.fixture
def hooked(nfo):
    """A job with a hook in GitHub's scheme; nfo.url is where it is."""
    secret(nfo)
    nfo.url = put(nfo, job(inputs=", inputs: { ref: /ref }"))["hooks"][0]["url"]
    return nfo


def deliveries(nfo, hook="push", name="hooked"):
    a = nfo.get(f"{JOBS}/{name}/hooks/{hook}/deliveries")
    assert a.status == 200, a
    return a.json["items"]


def run_of(nfo, answer):
    assert answer.status == 202, answer
    run = nfo.get(f"/v1/runs/{answer.json['run_id']}")
    assert run.status == 200, run
    return run.json


def runs(nfo):
    return nfo.get("/v1/runs?trigger=webhook").json["items"]


# --- who called

@pytest.mark.parametrize("scheme", SCHEMES)
def test_each_scheme(nfo, scheme):
    secret(nfo)
    url = put(nfo, job(scheme, inputs=", inputs: { ref: /ref }"))[
        "hooks"][0]["url"]
    sign = SCHEMES[scheme]
    body = b'{"ref": "refs/heads/main"}'
    run = run_of(nfo, call(nfo, url, body, sign(body)))
    assert run["trigger"] == "webhook" and run["submitter"] == "webhook:push"
    assert run["inputs"] == {"ref": "refs/heads/main"}
    assert nfo.log(nfo.ended(run), "t") == b"refs/heads/main\n"
    other = call(nfo, url, body, sign(body, "d-2", key=b"something else"))
    assert other.status == 401 and other.json["code"] == "bad-signature"
    if scheme != "gitlab-token":  # nothing of it is signed
        changed = call(nfo, url, body + b" ", sign(body, "d-3"))
        assert changed.status == 401
    assert len(runs(nfo)) == 1


def test_a_key_as_standard_webhooks_has_it(nfo):
    key = bytes(range(24))
    secret(nfo, b"whsec_" + base64.b64encode(key) + b"\n")
    url = put(nfo, job("standard"))["hooks"][0]["url"]
    assert call(nfo, url, b"{}", standard(b"{}", key=key)).status == 202
    assert call(nfo, url, b"{}", standard(b"{}", "d-2")).status == 401


@pytest.mark.parametrize("scheme", ("standard", "generic"))
def test_what_was_signed_long_ago(nfo, scheme):
    secret(nfo)
    url = put(nfo, job(scheme))["hooks"][0]["url"]
    for at in (time.time() - 400, time.time() + 400):
        a = call(nfo, url, b"{}", SCHEMES[scheme](b"{}", at=int(at)))
        assert (a.status, a.json["code"]) == (401, "stale-signature")
    assert runs(nfo) == []


def same(answers):
    """They tell nobody apart."""
    seen = {(a.status, json.dumps({k: v for k, v in a.json.items()
                                   if k != "request_id"}),
             a.headers.get("www-authenticate")) for a in answers}
    assert len(seen) == 1, seen
    assert seen.pop()[0] == 401


def test_strangers_learn_nothing(hooked):
    body = b'{"ref": "x"}'
    unknown = "/v1/hooks/" + "0" * 40
    answers = [call(hooked, unknown, body, github(body)),
               call(hooked, "/v1/hooks/short", body, github(body)),
               call(hooked, hooked.url, body, github(body, key=b"wrong")),
               call(hooked, hooked.url, body, {}),
               call(hooked, hooked.url, body,
                    {"X-Hub-Signature-256": "sha256=zz"}),
               call(hooked, hooked.url, body, gitea(body)),
               call(hooked, hooked.url, b"not json", github(body))]
    assert hooked.ask("DELETE",
                      "/v1/projects/default/secrets/hook").status == 204
    answers.append(call(hooked, hooked.url, body, github(body)))
    same(answers)
    assert runs(hooked) == [] and deliveries(hooked) == []


def test_over_tcp_nobody_has_to_log_in(tcp):
    import http.client
    secret(tcp)
    url = put(tcp, job())["hooks"][0]["url"]
    c = http.client.HTTPConnection("127.0.0.1", tcp.port, timeout=40)
    a = call(tcp, url, b"{}", github(b"{}"), c)
    assert a.status == 202 and a.json["run_id"]
    assert call(tcp, url, b"{}", {}, c).status == 401
    c.close()


# --- what was sent

def test_the_first_answer_stays(hooked):
    body = b'{"ref": "one"}'
    first = call(hooked, hooked.url, body, github(body))
    assert "idempotency-replayed" not in first.headers
    body = b'{"ref": "two"}'
    again = call(hooked, hooked.url, body, github(body))
    assert again.json == first.json and again.status == 202
    assert again.headers["idempotency-replayed"] == "true"
    assert len(runs(hooked)) == 1
    items = deliveries(hooked)
    assert [(i["id"], i["event"], i["outcome"], i["run_id"])
            for i in items] == [("d-1", "push", "run", first.json["run_id"])]


def test_a_ping_and_what_does_not_fit(nfo):
    secret(nfo)
    url = put(nfo, job(match=", match: { event: [push, tag], /ref: "
                             "refs/heads/main, /n: [1, true, x] }"))[
        "hooks"][0]["url"]
    fits = {"ref": "refs/heads/main", "n": 1}
    cases = [("ping", {}, "ping"), ("push", fits, None),
             ("tag", {**fits, "n": True}, None),
             ("issue", fits, "filtered"),
             ("push", {**fits, "ref": "refs/heads/x"}, "filtered"),
             ("push", {"ref": "refs/heads/main"}, "filtered"),
             ("push", {**fits, "n": [1]}, "filtered"),
             ("push", {**fits, "n": None}, "filtered"),
             ("push", [], "filtered")]
    for i, (event, body, reason) in enumerate(cases):
        body = json.dumps(body).encode()
        for _ in range(2):  # the second time from what was written down
            a = call(nfo, url, body, github(body, f"d-{i}", event))
            assert a.status == 202, a
            assert a.json.get("reason") == reason, (i, a)
            assert (a.json["run_id"] is None) == bool(reason)
    assert len(runs(nfo)) == 2


def test_what_becomes_of_inputs(nfo):
    secret(nfo)
    declared = ("ref: { type: string, pattern: \"[a-z]+\" }, "
                "n: { type: int, default: 7 }, on: { type: bool, "
                "default: false }, all: { type: json, default: null }, "
                "kind: { type: string, default: none }")
    url = put(nfo, job(declared=declared, inputs=(
        ", inputs: { ref: /a~1b/0, n: /n, on: /on, all: /all, kind: event }")
    ))["hooks"][0]["url"]

    def post(body, n=[0]):
        n[0] += 1
        body = json.dumps(body).encode()
        return call(nfo, url, body, github(body, f"d-{n[0]}"))

    run = run_of(nfo, post({"a/b": ["main"], "n": 3, "on": True,
                            "all": {"x": [1]}}))
    assert run["inputs"] == {"ref": "main", "n": 3, "on": True,
                             "all": {"x": [1]}, "kind": "push"}
    run = run_of(nfo, post({"a/b": ["main"], "n": None}))
    assert run["inputs"] == {"ref": "main", "kind": "push"}
    for bad in ({}, {"a/b": [1]}, {"a/b": ["MAIN"]}, {"a/b": [None]},
                {"a/b": ["main"], "n": "x"}, {"a/b": ["main"], "on": "yes"},
                {"a/b": ["main"], "n": [1]}):
        a = post(bad)
        assert (a.status, a.json["code"]) == (422, "invalid-inputs"), (bad, a)
    last = deliveries(nfo)[0]
    assert last["outcome"] == "rejected" and "n" in last["error"]
    assert last["run_id"] is None and len(runs(nfo)) == 2


def test_what_was_rejected_may_be_sent_again(nfo):
    secret(nfo)
    declared = "ref: { type: string, enum: [main] }"
    url = put(nfo, job(declared=declared, inputs=", inputs: { ref: /ref }"))[
        "hooks"][0]["url"]
    body = b'{"ref": "next"}'
    assert call(nfo, url, body, github(body)).status == 422
    put(nfo, job(declared="ref: { type: string }",
                 inputs=", inputs: { ref: /ref }"), status=200)
    a = call(nfo, url, body, github(body))
    assert run_of(nfo, a)["inputs"] == {"ref": "next"}
    assert [d["outcome"] for d in deliveries(nfo)] == ["run"]


def test_bodies_that_are_none(hooked):
    def post(body, kind="application/json", **headers):
        return hooked.ask("POST", hooked.url, body,
                          {"Content-Type": kind, **github(body), **headers})

    form = b"payload=%7B%7D"
    assert post(form, "application/x-www-form-urlencoded").status == 415
    assert post(b"").status == 400
    assert post(b'{"ref": }').status == 400
    assert post(b"[" * 40 + b"]" * 40).status == 400
    assert post(b'{"a": 1, "a": 2}').status == 400
    assert post(b'"' + b"x" * (1 << 20) + b'"').status == 413
    body = b"{}"
    missing = github(body)
    del missing["X-GitHub-Delivery"]
    a = call(hooked, hooked.url, body, missing)
    assert (a.status, a.json["code"]) == (400, "no-delivery-id")
    large = json.dumps({"ref": "big", "x": "y" * 900000}).encode()
    assert call(hooked, hooked.url, large, github(large, "large")).status == 202
    assert runs(hooked)[0]["inputs"] == {"ref": "big"}


@pytest.mark.parametrize("name, scheme, event, expect", (
    ("github-push.json", "github", "push", "refs/heads/main"),
    ("gitea-push.json", "gitea", "push", "refs/heads/main"),
    ("gitlab-push.json", "gitlab-token", "Push Hook", "refs/heads/main"),
))
def test_deliveries_as_they_come(nfo, name, scheme, event, expect):
    secret(nfo)
    place = {"github": "/head_commit/id", "gitea": "/commits/0/id",
             "gitlab-token": "/checkout_sha"}[scheme]
    url = put(nfo, job(
        scheme, match=f", match: {{ event: \"{event}\", /ref: [{expect}] }}",
        inputs=f", inputs: {{ ref: {place} }}"))["hooks"][0]["url"]
    body = (DATA / name).read_bytes()
    run = run_of(nfo, call(nfo, url, body, SCHEMES[scheme](
        body, "7a2c5f0e-0b1d-4b7a-9d1e-3f6f2c1a9b10", event)))
    assert run["inputs"]["ref"] == json.loads(body)["after"]


# --- the job

def test_it_outlives_a_revision_and_not_its_job(hooked):
    body = b'{"ref": "a"}'
    assert call(hooked, hooked.url, body, github(body)).status == 202
    again = put(hooked, job("gitea", inputs=", inputs: { ref: /after }"),
                status=200)
    assert again["hooks"][0]["url"] == hooked.url
    got = hooked.get(f"{JOBS}/hooked").json
    assert got["hooks"] == [{"name": "push", "scheme": "gitea",
                             "url": hooked.url}]
    assert call(hooked, hooked.url, body, generic(body)).status == 401
    body = b'{"after": "b"}'
    # what was answered in another revision stays answered
    assert call(hooked, hooked.url, body, gitea(body)).headers[
        "idempotency-replayed"] == "true"
    run = run_of(hooked, call(hooked, hooked.url, body, gitea(body, "new")))
    assert run["inputs"] == {"ref": "b"}
    put(hooked, job("gitea", hook="other"), status=200)
    assert call(hooked, hooked.url, body, gitea(body, "x")).status == 401
    assert hooked.get(f"{JOBS}/hooked/hooks/push/deliveries").status == 404
    url = hooked.get(f"{JOBS}/hooked/hooks").json["items"][0]["url"]
    assert url != hooked.url
    assert hooked.ask("DELETE", f"{JOBS}/hooked",
                      headers={"If-Match": "*"}).status == 204
    assert call(hooked, url, body, gitea(body, "x")).status == 401
    assert hooked.get(f"{JOBS}/hooked/hooks").status == 404


def test_another_url(hooked):
    body = b'{"ref": "a"}'
    first = call(hooked, hooked.url, body, github(body)).json
    a = hooked.ask("POST", f"{JOBS}/hooked/hooks/push/rotate")
    assert a.status == 200 and a.json["last_delivery"]["id"] == "d-1"
    assert a.json["url"] != hooked.url and len(a.json["url"]) == 50
    assert call(hooked, hooked.url, body, github(body)).status == 401
    assert call(hooked, a.json["url"], body, github(body)).json == first
    assert hooked.ask("POST",
                      f"{JOBS}/hooked/hooks/none/rotate").status == 404


def test_the_command(hooked):
    body = b'{"ref": "a"}'
    run = call(hooked, hooked.url, body, github(body)).json["run_id"]
    out = hooked("hook", "list", "hooked").out
    assert "push" in out and hooked.url in out and "run" in out
    out = hooked("hook", "deliveries", "hooked", "push").out
    assert "d-1" in out and run in out
    new = hooked("hook", "rotate", "hooked", "push").out.strip()
    assert call(hooked, new, body, github(body)).json["run_id"] == run
    file = hooked.write("job.yaml", job(inputs=", inputs: { ref: /ref }"))
    assert f"hook push (github): {new}\n" in hooked("job", "put", file).out
    assert "no such job" in hooked("hook", "list", "none", code=2).err
    assert "usage" in hooked("hook", "rotate", "hooked", code=2).err.lower()


def test_a_new_secret_and_the_one_before_it(hooked):
    secret(hooked, b"the new one")
    body = b"{}"
    for i, (key, status) in enumerate(((b"the new one", 202), (SECRET, 202),
                                       (b"neither", 401))):
        assert call(hooked, hooked.url, body,
                    github(body, f"d-{i}", key=key)).status == status
    secret(hooked, b"the newest")
    assert call(hooked, hooked.url, body, github(body, "x")).status == 401


@pytest.mark.parametrize("text, code", (
    (job(secret="other/hook"), "foreign-secret"),
    (job().replace("secret: key", "secret: nope"), "unknown-secret"),
    (job().replace(", secret: key", ""), "missing-key"),
    (job(match=", match: { ref: x }"), "bad-pointer"),
    (job(match=", match: { /a~2: x }"), "bad-pointer"),
    (job(match=", match: { /a: [] }"), "wrong-type"),
    (job(match=", match: { /a: { b: c } }"), "wrong-type"),
    (job(match=", match: [x]"), "wrong-type"),
    (job(inputs=", inputs: { nope: /a }"), "unknown-input"),
    (job(inputs=", inputs: { ref: a }"), "bad-pointer"),
    (job(more="source: upload\n"), "bad-hook"),
    (job().replace("[ {", "[ { name: push, scheme: gitea, secret: key }, {"),
     "duplicate-name"),
))
def test_what_is_no_hook(nfo, text, code):
    a = nfo.ask("PUT", f"{JOBS}/hooked", text.encode(), YAML)
    assert a.status == 422, a
    assert code in [e["code"] for e in a.json["errors"]], a.json
    file = nfo.write("job.yaml", text)
    assert nfo("check", file, code=2).err.count(code) == 1


def test_its_own_project_by_name_is_its_own(nfo):
    secret(nfo)
    url = put(nfo, job(secret="default/hook"))["hooks"][0]["url"]
    assert call(nfo, url, b"{}", github(b"{}")).status == 202


def test_validate_looks_at_zones_as_a_put_does(nfo):
    text = ("nfo: 1\nname: x\ntriggers: { schedule: [ { name: s, cron: "
            "'* * * * *', timezone: Nowhere/Else } ] }\n"
            "tasks: { t: { run: 'true' } }\n")
    a = nfo.ask("POST", "/v1/validate", text.encode(), YAML)
    assert a.status == 422 and a.json["errors"][0]["code"] == "bad-timezone"


# --- policy, gates, limits

def test_policy_and_gates_hold_for_it_too(hooked):
    text = job(run="true", more="concurrency: { group: g, conflict: reject }\n")
    put(hooked, text.replace("tasks: { t: {", "tasks: { t: { sandbox: "
                             "{ profile: net, network: host },"), status=200)
    a = call(hooked, hooked.url, b"{}", github(b"{}", "net"))
    assert (a.status, a.json["code"]) == (403, "policy"), a
    put(hooked, text.replace("'true'", "'sleep 60'"), status=200)
    run = run_of(hooked, call(hooked, hooked.url, b"{}", github(b"{}", "a")))
    a = call(hooked, hooked.url, b"{}", github(b"{}", "b"))
    assert (a.status, a.json["code"]) == (409, "conflict"), a
    assert [d["outcome"] for d in deliveries(hooked)] == [
        "rejected", "run", "rejected"]
    hooked.ask("POST", f"/v1/runs/{run['id']}/cancel")
    hooked.ended(run)
    hooked.ask("PUT", "/v1/system/maintenance", {"on": True})
    a = call(hooked, hooked.url, b"{}", github(b"{}", "b"))
    assert run_of(hooked, a)["blocked"] == "maintenance"


def test_too_many_calls(hooked):
    c = hooked.connect()
    seen = set()
    for _ in range(130):
        a = call(hooked, hooked.url, b"{}", github(b"{}", key=b"guess"), c)
        seen.add(a.status)
        if a.status == 429:
            assert int(a.headers["retry-after"]) >= 1
    assert seen == {401, 429}
    # who is nobody uses up nothing of somebody's
    other = put(hooked, job(name="second"), "second")["hooks"][0]["url"]
    for _ in range(130):
        call(hooked, "/v1/hooks/" + "f" * 40, b"{}", {}, c)
    assert call(hooked, other, b"{}", github(b"{}"), c).status == 202
    c.close()


def test_who_knows_the_url_does_not_use_up_what_is_the_provider_s(tcp):
    secret(tcp)
    url = put(tcp, job(inputs=", inputs: { ref: /ref }"))["hooks"][0]["url"]
    body = b'{"ref": "x"}'

    def from_(source, headers):
        c = http.client.HTTPConnection("127.0.0.1", tcp.port,
                                       timeout=programs.LIMIT,
                                       source_address=(source, 0))
        a = call(tcp, url, body, headers, c)
        c.close()
        return a.status

    seen = {from_("127.0.0.9", github(body, key=b"wrong"))
            for _ in range(100)}
    assert seen == {401, 429}
    assert from_("127.0.0.1", github(body)) == 202
    # nor does who has the secret call it as often as they like
    seen = {from_(f"127.0.0.{i}", github(body, f"n-{i}-{k}"))
            for i in range(10, 15) for k in range(20)}
    assert seen == {202, 429}


# --- once

def test_at_the_same_time(hooked):
    body = b'{"ref": "once"}'
    answers = []

    def post():
        answers.append(call(hooked, hooked.url, body, github(body)))

    threads = [threading.Thread(target=post) for _ in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert {a.status for a in answers} == {202}
    assert len({a.json["run_id"] for a in answers}) == 1
    assert sum("idempotency-replayed" not in a.headers for a in answers) == 1
    assert len(runs(hooked)) == 1


def test_the_server_dies_in_between(hooked):
    """Whatever was answered or not: the same delivery again makes one run."""
    body = b'{"ref": "once"}'
    for i in range(4):
        c = hooked.connect()
        c.request("POST", hooked.url, body, {
            "Content-Type": "application/json", **github(body, f"k-{i}")})
        os.kill(hooked.role("server"), signal.SIGKILL)
        c.close()

        def again():
            try:
                a = call(hooked, hooked.url, body, github(body, f"k-{i}"))
            except OSError:
                return None
            return a if a.status == 202 else None
        first = hooked.until(again)
        assert again().json == first.json
        assert len([r for r in runs(hooked)]) == i + 1


def test_the_keeper_dies(hooked):
    body = b'{"ref": "once"}'

    def post():
        try:
            a = call(hooked, hooked.url, body, github(body))
        except OSError:
            return None
        assert a.status in (202, 503), a
        return a if a.status == 202 else None
    os.kill(hooked.role("keeper"), signal.SIGKILL)
    assert hooked.until(post).json["run_id"] == runs(hooked)[0]["id"]
    assert len(runs(hooked)) == 1


def test_it_is_kept_for_a_week(hooked):
    body = b"{}"
    first = call(hooked, hooked.url, body, github(body)).json["run_id"]
    hooked.stop()
    db = sqlite3.connect(hooked.state / "server/nfo.db")
    db.execute("UPDATE deliveries SET at_us = at_us - ?",
               (8 * 86400 * 10**6,))
    db.commit()
    db.close()
    hooked("runs")
    second = call(hooked, hooked.url, body, github(body, "d-2"))
    assert second.status == 202  # a commit: what is old goes
    third = call(hooked, hooked.url, body, github(body)).json["run_id"]
    assert third not in (first, second.json["run_id"])


def test_nothing_of_it_is_kept(hooked):
    body = b'{"ref": "main", "token": "hush-hush-4711"}'
    assert call(hooked, hooked.url, body, github(body)).status == 202
    for i, bad in enumerate((b'{"ref": hush-hush-4711}',
                             b'{"hush-hush-4711": 1, "hush-hush-4711": 2}')):
        a = call(hooked, hooked.url, bad, github(bad, f"x-{i}"))
        assert a.status == 400 and b"4711" not in a.body, a
    hooked.stop()
    for path in hooked.state.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert b"hush-hush-4711" not in data, path
            assert SECRET not in data, path
