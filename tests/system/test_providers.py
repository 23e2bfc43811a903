# SPDX-License-Identifier: AGPL-3.0-or-later
"""Providers of secrets as people see them: a list, one, and a check step by
step, by the API and on the command line."""
import json

import jsonschema
import pytest

from vaultkit import FakeBao

YAML = {"Content-Type": "application/yaml"}
JOB = """
name: j
nfo: 1
inputs: { where: { type: string, enum: [a, b], default: a } }
secrets:
  app: { vault: kv/app, provider: prod, field: token }
  old: { vault: old/app, provider: prod, field: token }
  any: { vault: "kv/${{ inputs.where }}", provider: prod, field: token }
  other: { vault: kv/other, provider: elsewhere, field: token }
  local: { store: here }
tasks: { t: { run: "true", secrets: [app] } }
"""


def serve(nfo, bao, **more):
    role_id, secret_id = bao.approle("nfo", ["jobs"])
    path = nfo.write("sid", secret_id)
    path.chmod(0o600)
    given = {"name": "prod", "address": bao.address, "auth": "approle",
             "role_id": role_id, "secret_id_file": str(path),
             "timeout": "2s", **more}
    nfo.hidden = [secret_id]
    nfo.serve("--config", nfo.write("server.yaml", json.dumps(
        {"secret_providers": [given]})))


@pytest.fixture
def prod(cold, bao):
    bao.kv("kv", "app", {"token": "v"})
    bao.kv("old", "app", {"token": "v"}, version=1)
    bao.policy("jobs", 'path "kv/data/*" { capabilities = ["read"] }')
    serve(cold, bao)
    cold.bao = bao
    return cold


def check(nfo, code=0, name="prod"):
    """step -> (verdict, text, hint)"""
    told = nfo("secret", "provider", "check", name, "--output", "json",
               code=code)
    for secret in [*nfo.hidden, *(r.token for r in nfo.bao.requests)]:
        assert not secret or secret not in told.out + told.err
    it = json.loads(told.out)
    assert it["ok"] == (code == 0) and it["name"] == name, it
    return {s["step"]: (s["verdict"], s["text"], s.get("hint", ""))
            for s in it["steps"]}


def test_they_are_what_the_document_says(prod):
    document = prod.get("/v1/openapi.json").json
    prod("secret", "provider", "check", "prod")

    def holds(schema, it):
        jsonschema.Draft202012Validator(
            {"$ref": f"#/components/schemas/{schema}",
             "components": document["components"]}).validate(it)
    listed = prod.get("/v1/secret-providers").json
    holds("SecretProviderPage", listed)
    (one,) = listed["items"]
    assert one == prod.get("/v1/secret-providers/prod").json
    assert one["state"] == "up" and one["auth"] == "approle"
    assert one["address"] == prod.bao.address
    holds("SecretProviderCheck", prod.ask(
        "POST", "/v1/secret-providers/prod/check", b"").json)
    assert prod.get("/v1/secret-providers/none").status == 404
    assert prod.ask("POST", "/v1/secret-providers/none/check",
                    b"").status == 404
    text = json.dumps(listed)
    assert "sid" not in text and prod.hidden[0] not in text


def test_on_the_command_line(prod):
    assert "prod  vault  approle  up" in prod("secret", "provider",
                                              "list").out
    shown = prod("secret", "provider", "show", "prod").out
    assert f"address    {prod.bao.address}" in shown
    prod("secret", "provider", "show", "none", code=2)
    told = prod("secret", "provider", "check", "prod").out
    assert told.splitlines()[0].startswith("ok      address: ")
    prod("secret", "provider", "check", code=2)


def test_every_step_of_a_good_one(prod):
    steps = check(prod)
    assert [*steps] == ["address", "tls", "health", "login", "token", "paths"]
    assert steps["tls"][0] == "skipped" and "clear" in steps["tls"][2]
    assert steps["health"][1].startswith("unsealed, active")
    assert "jobs" in steps["token"][1]
    assert steps["paths"][0] == "skipped"


def test_paths_that_jobs_want(prod):
    a = prod.ask("PUT", "/v1/projects/default/jobs/j", JOB.encode(), YAML)
    assert a.status in (200, 201), a
    steps = check(prod, code=1)
    assert steps["path kv/app"][:2] == ("ok", "may read kv/data/app")
    assert steps["path old/app"][0] == "failed"
    assert 'path "old/app" { capabilities = ["read"] }' in \
        steps["path old/app"][2]
    assert steps["path kv/${{ inputs.where }}"][0] == "skipped"
    assert [s for s in steps if s.startswith("path ")] == [
        "path kv/${{ inputs.where }}", "path kv/app", "path old/app"]
    prod.bao.policy("jobs", 'path "kv/data/*" { capabilities = ["read"] }\n'
                    'path "old/*" { capabilities = ["read"] }')
    assert check(prod)["path old/app"][0] == "ok"


@pytest.mark.parametrize("how, step, says", [
    (lambda bao: bao.halt(), "address", "onnect"),
    (lambda bao: bao.seal(), "health", "sealed"),
    (lambda bao: bao.fault("GET sys/health", "html"), "health", "502"),
    (lambda bao: bao.fault("GET sys/health", "replace", body="{}"),
     "health", "not that of a Vault"),
    (lambda bao: bao.must("DELETE", "auth/approle/role/nfo"), "login",
     "invalid role or secret ID"),
])
def test_a_bad_one(prod, how, step, says):
    how(prod.bao)
    steps = check(prod, code=1)
    assert [*steps][-1] == step
    assert steps[step][0] == "failed" and says in steps[step][1], steps


def test_tls_that_is_not_trusted(cold, tls_bao):
    cold.bao = tls_bao
    tls_bao.policy("jobs", "")
    serve(cold, tls_bao)  # without its ca_file
    steps = check(cold, code=1)
    assert [*steps] == ["address"] and "ca_file" in steps["address"][2]


def test_tls_that_is(cold, tls_bao):
    cold.bao = tls_bao
    tls_bao.policy("jobs", "")
    serve(cold, tls_bao, ca_file=tls_bao.ca_file)
    assert check(cold)["tls"][0] == "ok"


@pytest.mark.parametrize("more, step, hint", [
    ({"ca_file": "junk.pem"}, "address", "certificates in PEM"),
    ({"address": "clear"}, "address", "is it http://"),
    ({"address": "/ui"}, "health", "without /v1"),
])
def test_what_a_newcomer_gets_wrong(cold, tls_bao, more, step, hint):
    cold.bao = tls_bao
    tls_bao.policy("jobs", "")
    more = {"ca_file": str(tls_bao.ca_file), **more}
    cold.write("junk.pem", "hello")
    if more["ca_file"] == "junk.pem":
        more["ca_file"] = str(cold.home / "junk.pem")
    with FakeBao() as clear:
        wrong = {"clear": clear.address.replace("http:", "https:"),
                 "/ui": tls_bao.address + "/ui"}
        if "address" in more:
            more["address"] = wrong[more["address"]]
        serve(cold, tls_bao, **more)
        steps = check(cold, code=1)
    assert steps[step][0] == "failed" and hint in steps[step][2], steps


def test_of_a_namespace(cold, bao):
    """The server as a whole is not one of it."""
    cold.bao, cold.hidden = bao, []
    bao.must("POST", "sys/namespaces/team", {})
    path = cold.write("token", bao.must(
        "POST", "auth/token/create", {"policies": ["default"]},
        ns="team")["auth"]["client_token"])
    path.chmod(0o600)
    cold.serve("--config", cold.write("server.yaml", json.dumps(
        {"secret_providers": [{"name": "prod", "address": bao.address,
                               "namespace": "team", "auth": "token",
                               "token_file": str(path)}]})))
    assert check(cold)["health"][0] == "ok"


def test_a_root_token_is_not_well(cold, bao):
    cold.bao, cold.hidden = bao, ["root-and-secret"]
    path = cold.write("token", bao.root_token)
    path.chmod(0o600)
    cold.serve("--config", cold.write("server.yaml", json.dumps({
        "secret_providers": [{"address": bao.address,
                              "token_file": str(path)}]})))
    it = json.loads(cold("secret", "provider", "check", "default", "--output",
                         "json", code=1).out)
    assert any("root token" in s["text"] for s in it["steps"])


def test_of_the_environment(cold, bao):
    """As the tools of Vault are told, and as a private server takes it."""
    bao.policy("jobs", "")
    token = bao.token(["jobs"])
    cold.bao, cold.hidden = bao, [token]
    cold.env["BAO_ADDR"] = bao.address + "/"
    cold.env["VAULT_ADDR"] = "http://127.0.0.1:9"  # BAO_ goes first
    cold.env["VAULT_TOKEN"] = token
    cold("runs")
    assert check(cold, name="default")["login"][0] == "ok"
    assert {r.token for r in bao.requests} <= {"", token}


def test_who_may(nfo):
    paths = nfo.get("/v1/openapi.json").json["paths"]
    at = "/v1/secret-providers"
    assert paths[at]["get"]["x-nfo-role"] == "viewer"
    assert paths[at + "/{provider}/check"]["post"]["x-nfo-role"] == "admin"


def test_without_any(nfo):
    assert nfo.get("/v1/secret-providers").json["items"] == []
    assert nfo.get("/v1/secret-providers/default").status == 404
    nfo("secret", "provider", "check", "default", code=2)
