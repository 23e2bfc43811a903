# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a provider of secrets lends to an attempt is used, renewed, and given
back: at its end however it ends, and also when anything dies in the middle."""
import base64
import json
import os
import re
import signal
import subprocess

import jsonschema
import pytest

import nfo as programs

RIGHTS = """
path "database/creds/*" { capabilities = ["read"] }
path "ssh/sign/*" { capabilities = ["update"] }
path "pki/sign/*" { capabilities = ["update"] }
path "transit/decrypt/*" { capabilities = ["update"] }
path "kv/data/*" { capabilities = ["read"] }
path "sys/leases/revoke" { capabilities = ["update"] }
"""

POLICY = """policy: test
rules:
  - name: all
    projects: ["*"]
    submitters: ["*"]
    allow:
      profiles: [default]
      networks: [none]
      secrets: ["store:{project}/*", "vault:**"]
      keep_leases: true
      deliver: [file, fd, stdin]
"""

DB = "{ vault: database/creds/app, kind: read }"


def until(bao, condition, limit=programs.LIMIT):
    """For what the server asks the double for."""
    bao.wait(condition, limit)


def serve(nfo, bao):
    path = nfo.write("credential", nfo.credential)
    path.chmod(0o600)
    nfo.write("policies/test.yaml", POLICY)
    nfo.serve("--policy", "policies", "--config", nfo.write(
        "server.yaml", json.dumps({"secret_providers": [{
            "address": bao.address, **nfo.login(str(path))}]})))


@pytest.fixture
def vault(cold, bao):
    bao.policy("jobs", RIGHTS)
    bao.database("app", ttl=3600)
    cold.credential = bao.token(["jobs"])
    cold.login = lambda path: {"auth": "token", "token_file": path}
    cold.bao = bao
    serve(cold, bao)
    return cold


@pytest.fixture
def own(cold, bao):
    """The server logs in by itself, and so may revoke what it has."""
    bao.policy("jobs", RIGHTS)
    bao.database("app", ttl=3600)
    role_id, cold.credential = bao.approle("nfo", ["jobs"])
    cold.login = lambda path: {"auth": "approle", "role_id": role_id,
                               "secret_id_file": path}
    cold.bao = bao
    serve(cold, bao)
    return cold


def job(secrets, script, extra=""):
    body = "\n".join("      " + line for line in script.splitlines())
    declared = "".join(f"  {n}: {d}\n" for n, d in secrets.items())
    return (f"secrets:\n{declared}tasks:\n  t:\n    run: |\n{body}\n"
            f"    secrets: [{', '.join(secrets)}]\n{extra}")


def start(nfo, secrets, script, extra=""):
    """Its run, with the task's first word heard."""
    a = nfo.submit("nfo: 1\nname: test\n" +
                   job(secrets, "echo begun\n" + script, extra))
    assert a.status == 201, a
    log = f"/v1/runs/{a.json['id']}/tasks/t/log"
    nfo.until(lambda: b"begun" in nfo.get(log).body)
    return a.json


def none_left(nfo):
    until(nfo.bao, lambda: not nfo.bao.leases)
    return True


def items(nfo, query=""):
    return nfo.get("/v1/leases" + query).json["items"]


def there(nfo):
    """States, where the server is there: with a new keeper it starts anew."""
    try:
        return [x["state"] for x in items(nfo)]
    except (OSError, KeyError):  # or has no keeper yet
        return None


def test_used_and_given_back(vault):
    run = vault.run(job({"db": DB}, "cat $NFO_SECRETS/db/username"))
    assert run["state"] == "succeeded", vault.fresh(run)
    user, = vault.bao.users
    assert none_left(vault)
    assert len(vault.bao.asked("GET database/creds/*")) == 1
    assert user.username.encode() not in vault.log(run, "t")


def test_one_lease_for_all_fields(vault):
    run = vault.run(job({
        "user": "{ vault: database/creds/app, kind: read, field: username }",
        "pass": "{ vault: database/creds/app, kind: read, field: password }",
        "all": DB}, 'cmp $NFO_SECRETS/user $NFO_SECRETS/all/username\n'
                    'cmp $NFO_SECRETS/pass $NFO_SECRETS/all/password'))
    assert run["state"] == "succeeded", vault.fresh(run)
    assert len(vault.bao.users) == 1
    assert none_left(vault)


@pytest.mark.parametrize("script,extra,state", [
    ("false", "", "failed"),
    ("sleep 60", "    timeout: 1s\n", "failed"),
    ("kill -9 $$", "", "failed"),
])
def test_given_back_however_it_ends(vault, script, extra, state):
    run = vault.run(job({"db": DB}, script, extra))
    assert run["state"] == state
    assert len(vault.bao.users) == 1 and none_left(vault)


def test_given_back_after_a_cancel(vault):
    run = start(vault, {"db": DB}, "sleep 60")
    assert len(vault.bao.leases) == 1
    a = vault.ask("POST", f"/v1/runs/{run['id']}/cancel")
    assert a.status in (200, 202), a
    assert none_left(vault)


def test_the_list_and_revoking(vault):
    run = start(vault, {"db": DB}, "sleep 60")
    listed, = items(vault)
    document = vault.get("/v1/openapi.json").json
    jsonschema.Draft202012Validator(
        {"$ref": "#/components/schemas/Lease",
         "components": document["components"]}).validate(listed)
    assert listed["run"] == run["id"] and listed["state"] == "open"
    assert listed["path"] == "database/creds/app"
    assert vault.bao.leases[0] not in json.dumps(listed)
    for query, n in (("?project=default", 1), ("?project=x", 0),
                     (f"?provider={listed['provider']}", 1), ("?provider=x", 0),
                     (f"?run={run['id']}", 1),
                     ("?run=run_01ARZ3NDEKTSV4RRFFQ69G5FAV", 0)):
        assert len(items(vault, query)) == n, query
    assert vault.get("/v1/leases?run=1").status == 400
    assert b"\nnfo_leases_open 1\n" in vault.get("/metrics").body
    assert listed["id"] in vault("lease", "list").out
    vault("lease", "revoke", listed["id"])
    assert none_left(vault)
    vault.until(lambda: not items(vault))
    assert vault.ask("DELETE", f"/v1/leases/{listed['id']}").status == 404
    assert b"\nnfo_leases_open 0\n" in vault.get("/metrics").body


def test_kept_where_policy_lets(vault):
    run = vault.run(job({
        "db": "{ vault: database/creds/app, kind: read, on_end: keep }"},
        "true"))
    assert run["state"] == "succeeded", vault.fresh(run)
    # the keeper hears of the end when it may, and not before the run is told
    vault.until(lambda: [x["state"] for x in items(vault)] == ["kept"])
    kept, = items(vault)
    assert len(vault.bao.leases) == 1
    vault("lease", "revoke", kept["id"])
    assert none_left(vault)


def test_a_long_task_keeps_its_lease(vault):
    vault.bao.database("short", ttl=6)
    run = start(vault, {"db": "{ vault: database/creds/short, kind: read }"},
                "sleep 9")
    lease, = vault.bao.leases
    until(vault.bao, lambda: len(vault.bao.asked("* sys/leases/renew")) >= 2)
    assert vault.bao.leases == [lease]
    assert vault.ended(run)["state"] == "succeeded"
    assert none_left(vault)


def kill(nfo, role):
    pid = nfo.monitor() if role == "monitor" else nfo.role(role)
    assert pid > 1
    killed = programs.Watched([pid])
    os.kill(pid, signal.SIGKILL)
    assert not killed.wait()


ROLES = ["runner", "keeper", "monitor", "server"]


@pytest.mark.parametrize("role", ROLES)
def test_given_back_after_a_kill(vault, role):
    run = start(vault, {"db": DB}, "sleep 3")
    assert len(vault.bao.leases) == 1
    kill(vault, role)
    if role == "monitor":
        serve(vault, vault.bao)
        assert none_left(vault)
        return
    if role in ("keeper", "server"):  # the task lives, and has its lease
        vault.until(lambda: there(vault) == ["open"])
        assert len(vault.bao.leases) == 1
        assert vault.ended(run)["state"] == "succeeded"
    assert none_left(vault)
    vault.until(lambda: there(vault) == [])


def test_away_at_the_end_it_is_given_back_later(vault):
    start(vault, {"db": DB}, "sleep 1")
    vault.bao.fault("* sys/leases/revoke", "close", times=2)
    assert none_left(vault)


# --- what is made here ------------------------------------------------------

def test_an_ssh_certificate(vault):
    bao = vault.bao
    bao.enable("ssh", "ssh")
    ca = bao.must("POST", "ssh/config/ca", {"generate_signing_key": True,
                                            "key_type": "ed25519"})
    bao.must("POST", "ssh/roles/deploy", {
        "key_type": "ca", "allow_user_certificates": True,
        "allowed_users": "deploy", "default_user": "deploy",
        "ttl": "10m", "max_ttl": "1h"})
    run = vault.run(job({
        "login": "{ vault: ssh/sign/deploy, kind: ssh-cert, ttl: 5m, params: "
                 "{ valid_principals: deploy } }"},
        "ssh-keygen -L -f $NFO_SECRETS/login/cert.pub\n"
        "ssh-keygen -y -f $NFO_SECRETS/login/key > pub\n"
        "ssh-keygen -l -f pub"))
    assert run["state"] == "succeeded", (vault.fresh(run),
                                         vault.log(run, "t"))
    log = vault.log(run, "t").decode()
    assert " user certificate" in log
    assert re.search(r"Principals:\s+deploy\n", log), log
    made = re.search(r"Public key: ED25519-CERT (SHA256:\S+)", log)[1]
    assert made in log.rsplit("\n", 2)[-2]
    assert ca["data"]["public_key"].startswith("ssh-ed25519 ")
    body, = [json.loads(r.body) for r in bao.asked("POST ssh/sign/deploy")]
    assert body["public_key"].startswith("ssh-ed25519 ")
    assert "private" not in json.dumps(body).lower()


def test_a_certificate_with_its_chain(vault):
    bao = vault.bao
    bao.enable("pki", "pki")
    bao.must("POST", "pki/root/generate/internal", {
        "common_name": "root.example", "ttl": "24h"})
    bao.must("POST", "pki/roles/web", {
        "allowed_domains": "web.example", "allow_bare_domains": True,
        "allow_subdomains": True, "max_ttl": "1h", "key_type": "any"})
    run = vault.run(job({
        "web": "{ vault: pki/sign/web, kind: pki, ttl: 10m, params: "
               "{ common_name: web.example } }"},
        "cd $NFO_SECRETS/web\n"
        "openssl verify -CAfile chain.pem cert.pem\n"
        "openssl x509 -in cert.pem -noout -pubkey > $NFO_WORKSPACE/a\n"
        "openssl pkey -in key.pem -pubout > $NFO_WORKSPACE/b\n"
        "cmp $NFO_WORKSPACE/a $NFO_WORKSPACE/b && echo same"))
    assert run["state"] == "succeeded", (vault.fresh(run),
                                         vault.log(run, "t"))
    assert b"cert.pem: OK" in vault.log(run, "t")
    assert b"same" in vault.log(run, "t")
    sent, = bao.asked("POST pki/sign/web")
    assert b"PRIVATE" not in sent.body


def test_transit_decrypts(vault):
    bao = vault.bao
    bao.enable("transit", "transit")
    bao.must("POST", "transit/keys/k", {})
    plain = base64.b64encode(b"correct horse").decode()
    sealed = bao.must("POST", "transit/encrypt/k", {"plaintext": plain})
    run = vault.run(job({
        "x": "{ vault: transit/decrypt/k, kind: read, field: plaintext, "
             f"params: {{ ciphertext: {sealed['data']['ciphertext']} }} }}"},
        "base64 -d < $NFO_SECRETS/x | sha256sum"))
    assert run["state"] == "succeeded", vault.fresh(run)
    assert subprocess.run(["sha256sum"], input=b"correct horse",
                          capture_output=True).stdout.split()[0] in \
        vault.log(run, "t")


def test_pki_does_not_take_a_key_from_elsewhere(vault):
    text = job({"web": "{ vault: \"pki/issue/web\", kind: pki, params: "
                       "{ common_name: a.example } }"}, "true")
    head = "nfo: 1\nname: test\n"
    a = vault.submit(head + text)
    assert a.status == 422, a
    problem, = a.json["errors"]
    assert (problem["line"], problem["code"]) == (4, "bad-secret")
    assert "MOUNT/sign/ROLE" in problem["hint"]
    # what is filled in is looked at then
    run = vault.run(head + "inputs: { way: { type: string, enum: [issue], "
                    "default: issue } }\n" +
                    text.replace("issue/web", "${{ inputs.way }}/web"))
    assert (run["state"], run["kind"]) == ("failed", "secret")
    assert "MOUNT/sign/ROLE" in run["error"]
    assert not vault.bao.asked("POST pki/*")


# --- wrapped answers --------------------------------------------------------

def test_a_wrapped_answer_is_unwrapped(vault):
    run = vault.run(job({"db": "{ vault: database/creds/app, kind: read, "
                               "params: { wrap_ttl: 60s } }"},
                        "test -s $NFO_SECRETS/db/password"))
    assert run["state"] == "succeeded", vault.fresh(run)
    assert len(vault.bao.asked("* sys/wrapping/unwrap")) == 1
    assert len(vault.bao.users) == 1 and none_left(vault)


# --- values that change -----------------------------------------------------

def test_at_its_limit_it_is_read_anew(vault):
    vault.bao.database("brief", ttl=3, max_ttl=6)
    run = start(vault, {"db": "{ vault: database/creds/brief, kind: read, "
                              "refresh: true }"},
                "cp $NFO_SECRETS/db/username old\n"
                "while cmp -s old $NFO_SECRETS/db/username; do sleep 0.1; "
                "done\n"
                "cat old $NFO_SECRETS/db/username; echo changed")
    assert vault.ended(run)["state"] == "succeeded"
    assert len(vault.bao.users) >= 2 and none_left(vault)
    log = vault.log(run, "t")
    assert b"changed" in log
    for user in vault.bao.users:
        assert user.username.encode() not in log


def test_a_given_token_is_kept_alive_for_its_leases(vault):
    """There is another one in its file, and another keeper: the leases of the
    first live as long as their task does."""
    first = vault.bao.token(["jobs"], ttl="5s")
    vault.write("credential", first)
    run = start(vault, {"db": DB}, "sleep 14")
    lease, = vault.bao.leases
    vault.write("credential", vault.bao.token(["jobs"]))
    kill(vault, "keeper")
    until(vault.bao, lambda: [r.token for r in vault.bao.asked(
        "POST auth/token/renew-self")].count(first) >= 3)
    assert vault.bao.leases == [lease]
    vault.until(lambda: vault.fresh(run)["state"] == "succeeded")
    assert none_left(vault)


# --- what is not seen goes with its login -----------------------------------

def test_an_answer_that_was_lost(own):
    own.bao.fault("GET database/creds/app", "lost", times=1)
    run = own.run(job({"db": DB}, "true"))
    assert own.bao.users and run["kind"] in ("secret", None), run
    assert none_left(own)
    # what comes then is under another login
    run = own.run(job({"db": DB}, "true"))
    assert run["state"] == "succeeded", own.fresh(run)
    assert len(own.bao.asked("POST auth/approle/login")) == 2
    assert none_left(own)


def test_a_keeper_that_dies_before_the_answer(own):
    own.bao.fault("GET database/creds/app", "slow", times=1)
    a = own.submit("nfo: 1\nname: test\n" + job({"db": DB}, "true"))
    assert a.status == 201
    until(own.bao, lambda: own.bao.leases)
    kill(own, "keeper")
    assert none_left(own)
    own.ended(a.json)


def test_a_policy_that_does_not_let_one_be_revoked(own):
    own.bao.policy("jobs", RIGHTS.replace("sys/leases/revoke", "x"))
    run = own.run(job({"db": DB}, "true"))
    assert run["state"] == "succeeded", own.fresh(run)
    assert none_left(own)  # with its login
    own.until(lambda: there(own) == [])


def test_one_that_lives_keeps_the_login(own):
    """The login of two attempts cannot go before both have ended."""
    own.bao.policy("jobs", RIGHTS.replace("sys/leases/revoke", "x"))
    long = start(own, {"db": DB}, "sleep 60")
    run = own.run(job({"db": DB}, "true"))
    assert run["state"] == "succeeded", own.fresh(run)
    own.until(lambda: "stuck" in there(own))
    assert len(own.bao.leases) == 2 and "open" in there(own)
    own.ask("POST", f"/v1/runs/{long['id']}/cancel")
    assert none_left(own)


def test_all_is_given_back_when_the_server_stops(own):
    start(own, {"db": DB}, "sleep 60")
    assert len(own.bao.leases) == 1
    own.stop()
    assert own.bao.leases == [] and own.bao.tokens == []


def test_a_wrapped_answer_to_something_else(vault):
    """Somebody has put another token in the place of the one that was made."""
    vault.bao.fault("POST sys/wrapping/lookup", "types",
                    data={"creation_path": "database/creds/other",
                          "creation_ttl": 60})
    run = vault.run(job({"db": "{ vault: database/creds/app, kind: read, "
                               "params: { wrap_ttl: 60s } }"}, "true"))
    assert (run["state"], run["kind"]) == ("failed", "secret")
    assert "somebody may have changed it" in run["error"]
    assert not vault.bao.asked("* sys/wrapping/unwrap")


def test_a_stored_value_is_followed(vault):
    vault.bao.kv("kv", "app", {"token": "the-first-of-values"})
    run = start(vault, {"x": "{ vault: kv/app, field: token, refresh: true }"},
                "cp $NFO_SECRETS/x old\n"
                "while cmp -s old $NFO_SECRETS/x; do sleep 0.1; done\n"
                "printf 'T=%s\\n' \"$(cat $NFO_SECRETS/x)\" > new\n"
                "until cmp -s new $NFO_SECRETS/conf; do sleep 0.1; done\n"
                "cat old $NFO_SECRETS/x $NFO_SECRETS/conf; echo changed",
                '    templates: { conf: { text: '
                '"T=${{ line(secrets.x.value) }}\\n" } }\n')
    vault.bao.kv("kv", "app", {"token": "another-one-that-came"})
    assert vault.ended(run)["state"] == "succeeded"
    log = vault.log(run, "t")
    assert b"changed" in log
    assert b"first-of" not in log and b"one-that" not in log
