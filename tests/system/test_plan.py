# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a run would be, before there is one."""

JOB = """\
nfo: 1
name: plan
inputs: { to: { type: string, enum: [a, b], default: a } }
concurrency: { group: "to-${{ inputs.to }}" }
secrets: { key: { store: api_key } }
tasks:
  make: { run: make, artifacts: { bin: { path: x } }, timeout: 5m }
  test:
    needs: [make]
    matrix: { suite: [unit, integ] }
    files: [make.bin]
    secrets: [key]
    run: test
"""
YAML = {"Content-Type": "application/yaml"}
PLAN = "/v1/projects/default/plan"


def plan(nfo, text=JOB):
    a = nfo.ask("POST", PLAN, text.encode(), YAML)
    assert a.status == 200, a
    return a.json


def test_every_instance_with_what_it_may_touch(nfo):
    p = plan(nfo)
    tasks = {t["name"]: t for t in p["tasks"]}
    assert set(tasks) == {"make", "test@unit", "test@integ"}
    assert p["allowed"] and p["group"] == "to-a" and p["inputs"] == {"to": "a"}
    unit = tasks["test@unit"]
    assert unit["needs"] == ["make"] and unit["files"] == ["make.bin"]
    assert unit["matrix"] == {"suite": "unit"}
    assert [s["name"] for s in unit["secrets"]] == ["key"]
    assert "api_key" in unit["secrets"][0]["ref"]
    assert not unit["secrets"][0]["keep"] and unit["templates"] == []
    assert tasks["make"]["network"] == "none"
    assert tasks["make"]["timeout_us"] == 300 * 10**6
    assert tasks["make"]["artifacts"] == ["bin"]
    assert nfo.get("/v1/runs").json["items"] == []


def test_what_policy_says(nfo):
    p = plan(nfo, "nfo: 1\nname: n\ntasks: { t: { run: x, "
             "sandbox: { network: host, profile: net } } }\n")
    (task,) = p["tasks"]
    assert not p["allowed"] and not task["allowed"]
    assert "default.yaml:" in task["reasons"][0]


def test_what_changed_since_the_last_run(nfo):
    text = "nfo: 1\nname: c\ntasks: { t: { run: echo one } }\n"
    assert plan(nfo, text)["last_run"] is None
    run = nfo.run(text)
    p = plan(nfo, text.replace("one", "two"))
    assert p["last_run"] == run["id"]
    (change,) = p["changes"]
    assert change["pointer"] == "/tasks/t/run" and change["to"] == "echo two"
    assert plan(nfo, text)["changes"] == []


def test_of_a_stored_job_with_inputs(nfo):
    nfo.ask("PUT", "/v1/projects/default/jobs/plan", JOB.encode(), YAML)
    path = "/v1/projects/default/jobs/plan/plan"
    a = nfo.ask("POST", path, {"inputs": {"to": "b"}})
    assert a.json["group"] == "to-b"
    assert nfo.ask("POST", path).json["group"] == "to-a"
    bad = nfo.ask("POST", path, {"inputs": {"to": "c"}})
    assert bad.status == 422 and bad.json["code"] == "invalid-inputs"
    assert nfo.ask("POST", PLAN, b"nfo: 2", YAML).status == 422


def test_the_command_line(nfo):
    path = nfo.write("job.yaml", JOB)
    out = nfo("plan", path, "-i", "to=b").out
    assert "test@unit" in out and "api_key" in out and "none" in out
    nfo("job", "put", path)
    assert "test@integ" in nfo("plan", "plan").out
    denied = nfo.write("net.yaml", "nfo: 1\nname: n\ntasks: { t: { run: x, "
                       "sandbox: { network: host, profile: net } } }\n")
    assert "default.yaml:" in nfo("plan", denied, code=3).out
