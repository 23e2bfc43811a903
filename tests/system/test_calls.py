# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tasks that are runs of other jobs: their outcome, their bounds, who may, and
what holds when the server is killed meanwhile."""
import signal

from test_git_source import allowed, served  # noqa: F401
from test_git_source import pytestmark as needs_git
from test_access import Caller, make, somebody, token_of
from test_approvals import kill_server

YAML = {"Content-Type": "application/yaml", "If-None-Match": "*"}


def put(server, name, body, project="default"):
    text = f"nfo: 1\nname: {name}\n" + (
        f"project: {project}\n" if project != "default" else "") + body
    a = server.ask("PUT", f"/v1/projects/{project}/jobs/{name}",
                   text.encode(), YAML)
    assert a.status in (200, 201), a
    return a.json


def call(job, more="", after="", head="", name="caller"):
    return (f"nfo: 1\nname: {name}\n{head}tasks:\n"
            f"  c: {{ job: {{ name: {job}{more} }}{after} }}\n"
            "  z: { needs: [c], run: echo z }\n")


def children(server, run):
    a = server.get(f"/v1/runs?parent={run['id']}")
    assert a.status == 200, a
    return a.json["items"]


def child(server, run, state=None):
    """The run that it has called, once there is one."""
    server.until_state(run, "running", "c")
    one, = children(server, run)
    if state:
        server.until_state(one, state)
    return server.fresh(one)


# --- outcome

def test_a_call_is_a_run_of_its_own(nfo):
    put(nfo, "deploy", "inputs: { to: { type: string }, n: { type: int } }\n"
        "tasks: { t: { env: { A: '${{ inputs.to }} ${{ inputs.n }} "
        "${{ run.trigger }}' }, run: echo $A } }\n")
    text = """
nfo: 1
name: caller
tasks:
  make:
    run: echo 42 > "$NFO_OUTPUT/n"
    outputs: { n: { type: int } }
  c:
    needs: [make]
    job: { name: deploy, inputs: { to: "x-${{ run.job }}",
                                   n: "${{ tasks.make.outputs.n }}" } }
  z: { needs: [c], run: echo z }
"""
    run = nfo.run(text)
    assert run["state"] == "succeeded" and run["parent"] is None
    one, = children(nfo, run)
    task = nfo.tasks(run)["c"]
    assert task["run_id"] == one["id"] and task["state"] == "succeeded"
    assert (one["job"], one["trigger"]) == ("deploy", "job")
    assert one["submitter"] == run["submitter"]
    assert one["parent"] == {"run_id": run["id"], "task": "c", "attempt": 1}
    assert nfo.log(one, "t") == b"x-caller 42 job\n"
    assert nfo.log(run, "c") == b""
    assert nfo.get("/v1/runs?trigger=job").json["items"][0]["id"] == one["id"]
    assert nfo.get("/v1/runs?parent=x").status == 400
    revisions = nfo.get("/v1/projects/default/jobs/deploy").json
    assert one["definition_digest"] == revisions["definition_digest"]


def test_it_takes_the_outcome(nfo):
    put(nfo, "bad", "tasks: { t: { run: exit 3 } }\n")
    run = nfo.run(call("bad"))
    one, = children(nfo, run)
    assert (run["state"], run["kind"]) == ("failed", "exit")
    assert one["id"] in run["error"] and "exit code 3" in run["error"]
    assert nfo.tasks(run)["z"]["state"] == "skipped"


def test_every_try_is_a_new_run(nfo):
    put(nfo, "bad", "tasks: { t: { run: exit 3 } }\n")
    run = nfo.run(call("bad", after=", retry: { max: 2, backoff: 1s }"))
    assert run["kind"] == "exit"
    all_ = children(nfo, run)
    assert [c["parent"]["attempt"] for c in all_] == [3, 2, 1]
    for n, c in zip((3, 2, 1), all_):
        a = nfo.get(f"/v1/runs/{run['id']}/tasks/c/attempts/{n}").json
        assert a["run_id"] == c["id"]
    put(nfo, "slow", "tasks: { t: { run: sleep 300, timeout: 1s } }\n")
    run = nfo.run(call("slow", after=", retry: { max: 1, when: [exit] }"))
    assert run["kind"] == "timeout" and len(children(nfo, run)) == 1


def test_without_waiting_it_is_done_when_the_run_is_there(nfo):
    put(nfo, "long", "tasks: { t: { run: sleep 300 } }\n")
    run = nfo.run(call("long", ", wait: false"))
    assert run["state"] == "succeeded"
    one, = children(nfo, run)
    assert nfo.tasks(run)["c"]["run_id"] == one["id"]
    assert nfo.fresh(one)["state"] not in ("succeeded", "failed")
    nfo.ask("POST", f"/v1/runs/{one['id']}/cancel")
    assert nfo.ended(one)["state"] == "cancelled"


def test_cancel_goes_down_and_up(nfo):
    put(nfo, "long", "tasks: { t: { run: sleep 300 } }\n")
    put(nfo, "middle", "tasks: { c: { job: { name: long } } }\n")
    run = nfo.run(call("middle"), wait=None)
    middle = child(nfo, run)
    low = child(nfo, middle, "running")
    assert nfo.ask("POST", f"/v1/runs/{run['id']}/cancel").status == 202
    assert nfo.ended(run)["state"] == "cancelled"
    for r in (middle, low):
        assert nfo.ended(r)["state"] == "cancelled"
    # a run that somebody else has ended
    run = nfo.run(call("long"), wait=None)
    one = child(nfo, run, "running")
    nfo.ask("POST", f"/v1/runs/{one['id']}/cancel")
    run = nfo.ended(run)
    assert run["state"] == "cancelled"
    assert nfo.tasks(run)["c"]["state"] == "cancelled"
    # what may not be interrupted goes on to its end
    run = nfo.run(call("long", after=", uninterruptible: true"), wait=None)
    one = child(nfo, run, "running")
    nfo.ask("POST", f"/v1/runs/{run['id']}/cancel")
    nfo.until_state(run, "cancelled", "z")
    assert nfo.fresh(one)["state"] == "running"
    nfo.ask("POST", f"/v1/runs/{one['id']}/cancel")
    nfo.ended(run)


def test_the_callers_time_ends_both(nfo):
    put(nfo, "long", "tasks: { t: { run: sleep 300 } }\n")
    run = nfo.run(call("long", head="timeout: 2s\n"))
    assert (run["state"], run["kind"]) == ("failed", "timeout")
    one, = children(nfo, run)
    assert nfo.ended(one)["state"] == "cancelled"


def test_what_cannot_be_called(nfo):
    put(nfo, "typed", "inputs: { n: { type: int, required: true } }\n"
        "tasks: { t: { run: echo } }\n")
    put(nfo, "sourced", "source: upload\ntasks: { t: { run: echo } }\n")
    for job, more, word in (("absent", "", "no such job"),
                            ("typed", ", inputs: { n: x }", "n"),
                            ("typed", "", "n"),
                            ("sourced", "", "source")):
        run = nfo.run(call(job, more))
        assert (run["state"], run["kind"]) == ("failed", "setup"), run
        assert word in run["error"]
        assert children(nfo, run) == []


def test_a_rerun_keeps_what_was_called(nfo):
    put(nfo, "good", "tasks: { t: { run: echo } }\n")
    run = nfo.run(call("good").replace("echo z", "exit 1"))
    again = nfo.ask("POST", f"/v1/runs/{run['id']}/rerun?wait=60s",
                    {"from": "failed"}).json
    assert nfo.tasks(again)["c"]["run_id"] == nfo.tasks(run)["c"]["run_id"]
    assert children(nfo, again) == []
    again = nfo.ask("POST", f"/v1/runs/{run['id']}/rerun?wait=60s", {}).json
    assert len(children(nfo, again)) == 1


@needs_git
def test_a_called_job_with_a_source_in_git(allowed, served):
    repo = served.repo("app")
    commit = repo.commit({"file": "one\n"})
    put(allowed, "built", f"source: {{ git: '{repo.url}', ref: main }}\n"
        "tasks: { t: { run: cat file } }\n")
    run = allowed.run(call("built"))
    assert run["state"] == "succeeded", run
    one, = children(allowed, run)
    assert one["source"]["commit"] == commit
    assert allowed.log(one, "t") == b"one\n"
    put(allowed, "none", f"source: {{ git: '{repo.url}', ref: none }}\n"
        "tasks: { t: { run: cat file } }\n")
    run = allowed.run(call("none"))
    assert (run["state"], run["kind"]) == ("failed", "setup")
    assert "could not be fetched" in run["error"]


# --- bounds

def test_a_cycle_ends_at_the_eighth(nfo):
    put(nfo, "loop", "tasks: { c: { job: { name: loop } } }\n")
    run = nfo.run(call("loop"))
    assert (run["state"], run["kind"]) == ("failed", "limit")
    depth, one = 0, run
    while children(nfo, one):
        one, = children(nfo, one)
        depth += 1
    assert depth == 8
    assert "8 deep" in nfo.fresh(one)["error"]


def test_no_more_than_so_many_in_all(nfo):
    put(nfo, "leaf", "tasks: { t: { if: false, run: echo } }\n")
    numbers = ", ".join(str(i) for i in range(300))
    run = nfo.run("nfo: 1\nname: wide\ntasks:\n  c: { job: { name: leaf }, "
                  f"matrix: {{ n: [{numbers}], fail_fast: false }} }}\n")
    assert run["kind"] == "limit" and "256" in run["error"]
    done = [t for t in run["tasks"] if t["state"] == "succeeded"]
    assert len(done) == 256


def test_one_at_a_time_in_the_callers_place(nfo):
    nfo.ask("PUT", "/v1/projects/default", {"max_running": 1})
    put(nfo, "good", "tasks: { t: { run: echo } }\n")
    assert nfo.run(call("good"))["state"] == "succeeded"


def test_in_the_place_of_who_waits_behind_another_project(nfo):
    make(nfo, "project", "other")
    nfo.ask("PUT", "/v1/projects/default", {"max_running": 1})
    put(nfo, "good", "tasks: { t: { run: echo } }\n")
    put(nfo, "between", "tasks: { c: { job: { name: good, "
        "project: default } } }\n", "other")
    run = nfo.run(call("between", ", project: other"))
    assert run["state"] == "succeeded"


def test_a_group_that_the_caller_holds(nfo):
    head = "concurrency: { group: g, limit: 1 }\n"
    put(nfo, "same", head + "tasks: { t: { run: echo } }\n")
    run = nfo.run(call("same", head=head))
    assert run["kind"] == "limit" and "held by those" in run["error"]
    put(nfo, "room", head.replace("1", "2") + "tasks: { t: { run: echo } }\n")
    assert nfo.run(call("room", head=head.replace("1", "2")))["state"] == \
        "succeeded"
    run = nfo.run(call("same", ", wait: false", head=head))
    assert run["state"] == "succeeded"  # it comes after it
    one, = children(nfo, run)
    assert nfo.ended(one)["state"] == "succeeded"


def test_it_passes_the_gates(nfo):
    make(nfo, "project", "other")
    put(nfo, "good", "tasks: { t: { run: echo } }\n", "other")
    nfo.ask("PUT", "/v1/projects/other", {"paused": True}, {"If-Match": "*"})
    run = nfo.run(call("good", ", project: other"), wait=None)
    one = child(nfo, run, "blocked")
    assert one["blocked"] == "maintenance" and one["project"] == "other"
    why = nfo.get(f"/v1/runs/{run['id']}/why").json
    task = [t for t in why["tasks"] if t["name"] == "c"][0]
    assert task["waits"][0]["for"] == "call"
    assert task["waits"][0]["runs"] == [one["id"]]
    assert "blocked: maintenance" in task["waits"][0]["text"]
    nfo.ask("PUT", "/v1/projects/other", {"paused": False}, {"If-Match": "*"})
    assert nfo.ended(run)["state"] == "succeeded"


# --- who may

def submit(who, text):
    return who.ask("POST", "/v1/projects/default/runs", text.encode(),
                   {"Content-Type": "application/yaml"})


def test_who_may_not_there_may_not_by_a_call(tcp):
    make(tcp, "project", "other")
    put(tcp, "good", "tasks: { t: { run: echo } }\n", "other")
    text = call("good", ", project: other")
    ann = somebody(tcp, "ann", "developer")
    status, answer = submit(ann, text)
    assert status == 403 and "other" in answer["detail"]
    make(tcp, "role", "there", role="operator", projects=["other"],
         members=["user/ann"])
    status, run = submit(ann, text)
    assert status == 201
    assert tcp.ended(run)["state"] == "succeeded"
    narrow = Caller(tcp, token_of(tcp, user="ann",
                                  projects=["default"])["token"])
    assert submit(narrow, text)[0] == 403


def test_it_is_decided_again_when_the_call_is_made(tcp):
    make(tcp, "project", "other")
    put(tcp, "good", "tasks: { t: { run: echo } }\n", "other")
    ann = somebody(tcp, "ann", "developer", ["default", "other"])
    token = token_of(tcp, user="ann")
    text = call("good", ", project: other").replace(
        "  c: {", "  wait: { approval: { from: [role/admin] } }\n"
        "  c: { needs: [wait], ")

    def until_asked(who):
        status, run = submit(who, text)
        assert status == 201
        tcp.until_state(run, "blocked", "wait")
        path = f"/v1/runs/{run['id']}/approvals/wait"
        return run, path, {"decision": "approve",
                           "digest": tcp.get(path).json["digest"]}

    gone, path1, say1 = until_asked(Caller(tcp, token["token"]))
    kept, path2, say2 = until_asked(ann)
    tcp.ask("DELETE", f"/v1/tokens/{token['id']}")
    assert tcp.ask("POST", path1, say1).status == 200
    gone = tcp.ended(gone)
    assert gone["kind"] == "policy" and "user:ann may not" in gone["error"]
    assert tcp.ask("POST", path2, say2).status == 200
    assert tcp.ended(kept)["state"] == "succeeded"
    later, path, say = until_asked(ann)
    tcp.ask("PUT", "/v1/roles/ann-is", {
        "role": "developer", "projects": ["default"],
        "members": ["user/ann"]}, {"If-Match": "*"})
    assert tcp.ask("POST", path, say).status == 200
    assert tcp.ended(later)["kind"] == "policy"


# --- the command line

def test_who_follows_learns_which_run_it_was(nfo):
    put(nfo, "good", "tasks: { t: { run: echo } }\n")
    nfo.write("job.yaml", call("good"))
    out = nfo("run", "job.yaml").out
    run = nfo.get("/v1/runs?job=caller").json["items"][0]
    one, = children(nfo, run)
    assert f"c: {one['id']}\n" in out


# --- restarts

def test_the_server_killed_while_it_waits(nfo):
    put(nfo, "long", "tasks: { t: { run: sleep 3 } }\n")
    run = nfo.run(call("long"), wait=None)
    one = child(nfo, run, "running")
    kill_server(nfo)
    run = nfo.ended(run)
    assert run["state"] == "succeeded"
    assert [c["id"] for c in children(nfo, run)] == [one["id"]]
    assert nfo.fresh(one)["state"] == "succeeded"


def test_all_of_it_killed_while_it_waits(cold):
    cold.serve()
    put(cold, "long", "tasks: { t: { run: sleep 300 } }\n")
    run = cold.run(call("long"), wait=None)
    one = child(cold, run, "running")
    cold.stop(signal.SIGKILL)
    cold.serve()
    run = cold.ended(run)
    assert (run["state"], run["kind"]) == ("failed", "lost")
    assert cold.fresh(one)["kind"] == "lost"
    assert len(children(cold, run)) == 1
