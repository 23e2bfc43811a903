# SPDX-License-Identifier: AGPL-3.0-or-later
"""Policy is asked about a job, and nothing is run."""
import json

from test_access import LEVELS, somebody

PATH = "/v1/policies/test"
NET = ("nfo: 1\nname: net\ntasks:\n  t: { run: x, timeout: 99h, "
       "sandbox: { network: host, profile: net } }\n  u: { run: y }\n")
GOOD = ("nfo: 1\nname: good\ninputs: { n: { type: int, default: 1 } }\n"
        "tasks: { t: { run: x, matrix: { a: [b, c] } } }\n")


def ask(nfo, job, status=200, **more):
    a = nfo.ask("POST", PATH, {"job": job, **more})
    assert a.status == status, a
    return a.json


def test_each_task_with_reasons_and_places(nfo):
    v = ask(nfo, NET)
    assert not v["allowed"] and v["job"] == "net"
    assert v["policy_digest"].startswith("sha256:")
    t, u = v["tasks"]
    (why,) = t["reasons"]
    assert why["file"].endswith("default.yaml") and why["line"] > 1
    assert why["text"].startswith(f"{why['file']}:{why['line']}: ")
    lines = (nfo.state / "policies/default.yaml").read_text().splitlines()
    assert "networks" in lines[why["line"] - 1]
    assert t["limits"]["timeout_us"] == 24 * 3600 * 10**6
    assert t["clamped"] == ["timeout"]
    assert u["allowed"] and u["reasons"] == [] and u["clamped"] == []
    assert u["limits"]["memory_bytes"] == 2 << 30
    assert nfo.get("/v1/runs").json["items"] == []


def test_every_form_of_a_job(nfo):
    as_json = {"nfo": 1, "name": "j", "tasks": {"t": {"run": "x"}}}
    assert ask(nfo, as_json)["allowed"]
    assert ask(nfo, json.dumps(as_json), syntax="json")["allowed"]
    assert ask(nfo, 'nfo = 1\nname = "j"\n[tasks.t]\nrun = "x"\n',
               syntax="toml")["allowed"]
    v = ask(nfo, GOOD)
    assert [t["name"] for t in v["tasks"]] == ["t@b", "t@c"]
    nfo.ask("PUT", "/v1/projects/default/jobs/good", GOOD.encode(),
            {"Content-Type": "application/yaml"})
    stored = ask(nfo, "good", inputs={"n": 2})
    assert stored["definition_digest"] == v["definition_digest"]
    assert ask(nfo, "good", project="default")["tasks"] == v["tasks"]
    assert ask(nfo, "absent", 404)["code"] == "not-found"


def test_what_is_wrong_is_said(nfo):
    assert ask(nfo, GOOD, 422, inputs={"n": "x"})["code"] == "invalid-inputs"
    assert ask(nfo, GOOD, 422, project="web")["code"] == "name-mismatch"
    bad = ask(nfo, "nfo: 1\nname: b\ntasks: { t: { rum: x } }\n", 422)
    assert bad["errors"][0]["line"] == 3
    for more in ({"job": 1}, {"syntax": "xml"}, {"principal": "me"},
                 {"principal": {"name": "a b"}}, {"project": "../x"},
                 {"inputs": []}, {"other": 1}):
        a = nfo.ask("POST", PATH, {"job": GOOD, **more})
        assert (a.status, a.json["code"]) == (422, "bad-request"), more
    a = nfo.ask("POST", PATH, {})
    assert (a.status, a.json["code"]) == (422, "bad-request")


def test_a_source_has_its_verdict(nfo):
    job = ("nfo: 1\nname: g\nsource: { git: URL }\n"
           "tasks: { t: { run: x } }\n")
    v = ask(nfo, job.replace("URL", "https://git.example.com/x.git"))
    assert v["allowed"] and v["source"]["allowed"]
    v = ask(nfo, job.replace("URL", "http://git.example.com/x.git"))
    assert not v["allowed"] and v["source"]["reasons"][0]["line"]
    assert v["tasks"][0]["allowed"]


def test_it_says_what_a_run_meets_for_that_principal(nfo):
    """Also a plan is of who asks."""
    path = nfo.state / "policies/default.yaml"
    me = nfo.get("/v1/whoami").json["name"]
    nfo.stop()
    path.write_text(path.read_text().replace(
        'submitters: ["*"]', f'submitters: ["{me}", "user:ann"]'))
    nfo("runs")
    assert ask(nfo, GOOD)["allowed"]
    assert nfo.ask("POST", "/v1/projects/default/plan", GOOD.encode(),
                   {"Content-Type": "application/yaml"}).json["allowed"]
    assert ask(nfo, GOOD, principal={"name": "user:ann"})["allowed"]
    v = ask(nfo, GOOD, principal={"name": "user:bob"})
    assert not v["allowed"] and v["principal"] == {"name": "user:bob"}
    assert v["tasks"][0]["reasons"][0]["file"] is None


def test_who_may_ask(tcp):
    for level in LEVELS:
        who = somebody(tcp, level, level)
        status, answer = who.ask("POST", PATH, {"job": GOOD})
        assert status == 200 and answer["principal"]["name"] == f"user:{level}"
        status, answer = who.ask("POST", PATH, {
            "job": GOOD, "principal": {"name": "user:x"}})
        assert status == (200 if level in LEVELS[2:] else 403), answer
        for body in ({"job": GOOD, "project": "web"},
                     {"job": "absent", "project": "web"},
                     {"job": GOOD.replace("nfo: 1", "nfo: 1\nproject: web")}):
            status, answer = who.ask("POST", PATH, body)
            assert (status, answer["detail"]) == (404, "no such project")


def test_the_command_line(nfo):
    good, net = nfo.write("good.yaml", GOOD), nfo.write("net.yaml", NET)
    assert "allowed" in nfo("policy", "test", good, "-i", "n=2").out
    out = nfo("policy", "test", net, code=3).out
    assert "denied" in out and "default.yaml:" in out
    assert "t: more timeout is asked for" in out
    out = nfo("policy", "test", net, "-o", "json", code=3).out
    assert json.loads(out)["allowed"] is False
    nfo("job", "put", good)
    assert "t@c" in nfo("policy", "test", "good", "--as", "user:ann").out
    assert "bad.yaml:3" in nfo("policy", "test", nfo.write(
        "bad.yaml", "nfo: 1\nname: b\ntasks: { t: { rum: x } }\n"),
        code=2).err
    assert "web" in nfo("policy", "test", good, "-p", "web", code=2).err
