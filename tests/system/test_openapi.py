# SPDX-License-Identifier: AGPL-3.0-or-later
"""The OpenAPI document is sound, and answers are what it says."""
import json
import os
import re
import subprocess
import sys

import jsonschema
import pytest

YAML = {"Content-Type": "application/yaml"}
JOB = """\
nfo: 1
name: j
secrets: { key: { store: hook } }
triggers:
  schedule: [ { name: s, cron: "0 0 * * *" } ]
  webhook: [ { name: h, scheme: gitlab-token, secret: key } ]
tasks: { t: { run: echo hi > f; cat f, artifacts: { f: { path: f } } } }
"""


def refs(node):
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from refs(value)
    elif isinstance(node, list):
        for value in node:
            yield from refs(value)


def resolve(document, ref):
    node = document
    for part in ref.removeprefix("#/").split("/"):
        node = node[part]
    return node


def test_the_document_is_sound(nfo):
    document = nfo.get("/v1/openapi.json").json
    assert document["openapi"].startswith("3.1")
    for ref in refs(document):
        assert resolve(document, ref)
    for name, schema in document["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema), name
    ids, used = [], set()
    for path, item in document["paths"].items():
        for op in item.values():
            ids.append(op["operationId"])
            assert op["summary"] and op["x-nfo-role"] != "nobody"
            in_path = {p["name"] for p in op["parameters"]
                       if p["in"] == "path"}
            assert in_path == set(re.findall(r"\{(\w+)\}", path)), path
            good = {s: a for s, a in op["responses"].items()
                    if s[0] in "23"}
            assert good, path
            for answer in good.values():
                for kind, content in answer.get("content", {}).items():
                    if kind == "application/json" and \
                            path != "/v1/openapi.json":
                        assert "$ref" in content["schema"], path
                        used.add(content["schema"]["$ref"])
    assert len(ids) == len(set(ids)) and len(used) > 15


ASKING = """
tasks: { ask: { approval: { from: [role/admin], not: nobody } } }
"""


def kept(nfo):
    """The id of a cache."""
    nfo.run("tasks: { t: { cache: { key: k, paths: [c] }, run: mkdir c } }")
    return nfo.get("/v1/caches").json["items"][0]["id"]


def test_answers_are_what_it_says(nfo):
    """Every GET that gives JSON, on things that are there."""
    document = nfo.get("/v1/openapi.json").json
    nfo.ask("PUT", "/v1/projects/default", {"description": "x"})
    nfo.ask("PUT", "/v1/users/ann", {"full_name": "Ann"})
    nfo.ask("PUT", "/v1/groups/devs", {"members": ["ann"]})
    nfo.ask("PUT", "/v1/roles/r", {"role": "viewer", "projects": ["*"],
                                   "members": ["group/devs"]})
    token = nfo.ask("POST", "/v1/tokens", {"name": "t"}).json
    job = nfo.ask("PUT", "/v1/projects/default/jobs/j", JOB.encode(), YAML)
    run = nfo.ask("POST",
                  "/v1/projects/default/jobs/j/runs?wait=60s").json
    asking = nfo.run(ASKING, wait=None)
    nfo.until_state(asking, "blocked", "ask")
    cache = kept(nfo)
    nfo("secret", "put", "key", stdin="correct horse")
    nfo("secret", "put", "hook", stdin="battery staple")
    called = nfo.ask("POST", job.json["hooks"][0]["url"], {"a": 1}, {
        "X-Gitlab-Token": "battery staple", "X-Gitlab-Event-UUID": "1"})
    assert called.status == 202, called
    names = {"project": "default", "user": "ann", "group": "devs",
             "role": "r", "token": token["id"], "job": "j", "schedule": "s",
             "hook": "h", "cache": cache,
             "digest": job.json["definition_digest"], "run": run["id"],
             "task": "t", "attempt": "1", "artifact": "t.f", "name": "key"}
    checked = []
    for path, item in document["paths"].items():
        content = item.get("get", {}).get("responses", {}).get(
            "200", {}).get("content", {}).get("application/json")
        if not content or "schema" not in content or \
                "secret-providers" in path:  # test_providers.py
            continue
        here = {**names, "run": asking["id"], "task": "ask"} \
            if "approvals" in path else names
        a = nfo.get(re.sub(r"\{(\w+)\}", lambda m: here[m[1]], path),
                    Accept="application/json")
        assert a.status == 200, (path, a)
        jsonschema.Draft202012Validator(
            {**content["schema"], "components": document["components"]}
        ).validate(a.json)
        checked.append(path)
        # of /v1/leases: tests/system/test_leases.py
        if "items" in a.json and path not in ("/v1/queue", "/v1/leases"):
            assert a.json["items"], path  # an empty list shows nothing
    assert len(checked) > 25, checked


def test_what_may_be_sent_is_what_it_says(nfo):
    document = nfo.get("/v1/openapi.json").json
    schemas = document["components"]["schemas"]
    rows = [("PUT", "/v1/users/x", "UserPut", {"uid": 1}, {"uid": -1}),
            ("PUT", "/v1/groups/x", "GroupPut", {"members": []}, {}),
            ("PUT", "/v1/roles/x", "RolePut",
             {"role": "viewer", "projects": ["*"], "members": []},
             {"role": "king", "projects": ["*"], "members": []}),
            ("PUT", "/v1/projects/x", "ProjectPut", {"paused": True},
             {"max_running": 0}),
            ("POST", "/v1/tokens", "TokenAsk", {"name": "x", "ttl": "3d"},
             {"name": "x", "ttl": "d"}),
            ("PUT", "/v1/system/maintenance", "MaintenancePut",
             {"on": False}, {"on": 1})]
    for method, path, name, good, bad in rows:
        check = jsonschema.Draft202012Validator(schemas[name])
        assert check.is_valid(good) and not check.is_valid(bad), name
        assert nfo.ask(method, path, bad).status == 422, name
        assert nfo.ask(method, path, good).status in (200, 201), name
        got = nfo.get(path)
        if method == "PUT" and "created_at" in got.json:
            assert check.is_valid(got.json), name  # it can be put again


def test_a_problem_is_what_it_says(nfo):
    document = nfo.get("/v1/openapi.json").json
    check = jsonschema.Draft202012Validator(
        {"$ref": "#/components/schemas/Problem",
         "components": document["components"]})
    for a in (nfo.get("/v1/runs/x"), nfo.get("/v1/no"),
              nfo.get("/v1/runs?x=1"), nfo.ask("PATCH", "/v1/runs"),
              nfo.ask("POST", "/v1/validate", b"a: [", YAML)):
        assert a.status >= 400
        check.validate(a.json)


# --- conventions

def test_a_body_of_another_type_is_415_before_it_is_read(nfo):
    for method, path in (("PUT", "/v1/users/x"), ("POST", "/v1/tokens"),
                         ("PUT", "/v1/system/maintenance")):
        a = nfo.ask(method, path, b"{}", YAML)
        assert a.status == 415, (path, a)


def test_runs_by_label(nfo):
    run = nfo.ask("POST", "/v1/projects/default/runs",
                  {"job": {"nfo": 1, "name": "a",
                           "tasks": {"t": {"run": "echo"}}},
                   "labels": {"team": "web", "a b": "c/d"}}).json
    nfo.run("tasks: { t: { run: echo } }")
    for query in ("label.team=web", "label.a%20b=c%2Fd",
                  "label.team=web&label.a%20b=c%2Fd"):
        items = nfo.get(f"/v1/runs?{query}").json["items"]
        assert [r["id"] for r in items] == [run["id"]], query
    assert nfo.get("/v1/runs?label.team=x").json["items"] == []
    assert nfo.get("/v1/runs?label.=x").status == 400
    assert nfo.get("/v1/runs?" + "&".join(
        f"label.l{i}=x" for i in range(9))).status == 400
    link = nfo.ask("POST", "/v1/projects/default/runs",
                   {"job": {"nfo": 1, "name": "a",
                            "tasks": {"t": {"run": "echo"}}},
                    "labels": {"team": "web"}})
    assert link.status == 201
    page = nfo.get("/v1/runs?label.team=web&limit=1")
    assert "label.team=web" in page.headers["link"]


def test_prefer_wait(nfo):
    body = json.dumps({"job": {"nfo": 1, "name": "a", "tasks": {
        "t": {"run": "echo"}}}}).encode()
    a = nfo.ask("POST", "/v1/projects/default/runs", body,
                {"Content-Type": "application/json",
                 "Prefer": "respond-async, wait=60"})
    assert a.json["state"] == "succeeded"
    assert a.headers["preference-applied"] == "wait"


# --- the tools of others

@pytest.mark.skipif(not os.environ.get("NFO_OPENAPI_TOOLS"),
                    reason="NFO_OPENAPI_TOOLS=1 fetches them from PyPI")
def test_validator_and_schemathesis(tcp, tmp_path):
    def run(*argv):
        return subprocess.run(argv, capture_output=True, text=True,
                              timeout=600, cwd=tmp_path)
    run(sys.executable, "-m", "venv", tmp_path)
    if run(tmp_path / "bin/pip", "install", "-q", "schemathesis",
           "openapi-spec-validator").returncode:
        pytest.skip("the package index cannot be reached")
    document = tmp_path / "openapi.json"
    document.write_bytes(tcp.get("/v1/openapi.json").body)
    done = run(tmp_path / "bin/openapi-spec-validator", document)
    assert done.returncode == 0, done.stdout + done.stderr
    done = run(tmp_path / "bin/schemathesis", "run", document, "--url",
               f"http://127.0.0.1:{tcp.port}", "-H",
               f"Authorization: Bearer {tcp.token}", "--phases",
               "examples,coverage,fuzzing", "--checks",
               "not_a_server_error,response_schema_conformance,"
               "content_type_conformance", "-n", "8",
               "--exclude-path-regex", "events|log$")
    assert done.returncode == 0, done.stdout[-4000:]
