# SPDX-License-Identifier: AGPL-3.0-or-later
"""What waits, for what, and runs made again."""
import json

import pytest

LONG = "sleep 300"


def job(name, run=LONG, more=""):
    return (f"nfo: 1\nname: {name}\n{more}"
            f"tasks: {{ t: {{ run: '{run}' }} }}\n")


def group(limit=1, conflict="queue", name="g"):
    return (f"concurrency: {{ group: {name}, limit: {limit}, "
            f"conflict: {conflict} }}\n")


def submit(nfo, name, run=LONG, more="", **ask):
    a = nfo.submit(job(name, run, more), **ask)
    assert a.status == 201, a
    return a.json


def cancel(nfo, run):
    assert nfo.ask("POST", f"/v1/runs/{run['id']}/cancel").status == 202
    return nfo.ended(run)


def why(nfo, run):
    a = nfo.get(f"/v1/runs/{run['id']}/why")
    assert a.status == 200, a
    return a.json


# --- concurrency groups

def test_one_of_a_group_at_a_time_in_order(nfo):
    first = submit(nfo, "a", more=group())
    nfo.until_state(first, "running")
    second = submit(nfo, "b", more=group(limit=5))
    third = submit(nfo, "c", "echo c", more=group())
    nfo.until_state(second, "blocked")
    assert nfo.fresh(second)["blocked"] == "concurrency"
    (reason,) = why(nfo, second)["waits"]
    assert reason["for"] == "concurrency"
    assert reason["runs"] == [first["id"]] and "holds it" in reason["text"]
    assert why(nfo, third)["waits"][0]["runs"] == [first["id"], second["id"]]
    line = nfo.get("/v1/queue").json["items"]
    assert [(r["id"], r["position"]) for r in line] == \
        [(second["id"], 1), (third["id"], 2)]
    other = nfo.run(job("other", "echo x", group(name="h")))
    assert other["state"] == "succeeded"
    cancel(nfo, first)
    nfo.until_state(second, "running")
    assert nfo.fresh(third)["state"] == "blocked"
    cancel(nfo, second)
    assert nfo.ended(third)["state"] == "succeeded"


def test_the_higher_priority_goes_first(nfo):
    first = submit(nfo, "a", more=group())
    nfo.until_state(first, "running")
    low = submit(nfo, "low", more=group())
    nfo.until_state(low, "blocked")
    high = submit(nfo, "high", "echo x", more="priority: 90\n" + group())
    line = nfo.get("/v1/queue").json["items"]
    assert [r["id"] for r in line] == [high["id"], low["id"]]
    cancel(nfo, first)
    nfo.until_state(low, "running")
    assert nfo.ended(high)["started_at"] < nfo.fresh(low)["started_at"]
    cancel(nfo, low)


def test_the_group_may_be_named_by_inputs(nfo):
    more = ("inputs: { to: { type: string } }\n"
            "concurrency: { group: 'to-${{ inputs.to }}' }\n")
    first = submit(nfo, "a", more=more, inputs={"to": "x"})
    assert first["group"] == "to-x"
    nfo.until_state(first, "running")
    other = submit(nfo, "a", "echo", more=more, inputs={"to": "y"})
    assert nfo.ended(other)["state"] == "succeeded"
    same = submit(nfo, "a", "echo", more=more, inputs={"to": "x"})
    nfo.until_state(same, "blocked")
    cancel(nfo, first)
    assert nfo.ended(same)["state"] == "succeeded"


def test_reject_turns_away(nfo):
    first = submit(nfo, "a", more=group())
    nfo.until_state(first, "running")
    a = nfo.submit(job("b", more=group(conflict="reject")))
    assert a.status == 409 and first["id"] in a.json["detail"]
    cancel(nfo, first)
    again = nfo.run(job("b", "echo", group(conflict="reject")))
    assert again["state"] == "succeeded"


def test_cancel_running_makes_room(nfo):
    first = submit(nfo, "a", more=group(conflict="cancel-running"))
    nfo.until_state(first, "running")
    waiting = submit(nfo, "b", more=group())
    nfo.until_state(waiting, "blocked")
    last = nfo.run(job("c", "echo x", group(conflict="cancel-running")))
    assert last["state"] == "succeeded"
    assert nfo.ended(first)["state"] == "cancelled"
    assert nfo.ended(waiting)["state"] == "cancelled"


def test_cancel_running_leaves_finally_alone(nfo):
    more = group(conflict="cancel-running")
    text = (f"nfo: 1\nname: a\n{more}tasks: {{ t: {{ run: exit 0 }} }}\n"
            "finally: { f: { run: 'echo begun; sleep 2; echo through' } }\n")
    first = nfo.submit(text).json
    nfo.until_state(first, "running", "f")
    last = nfo.run(job("b", "echo x", more))
    assert last["state"] == "succeeded"
    first = nfo.ended(first)
    assert first["state"] == "succeeded"
    assert nfo.log(first, "f") == b"begun\nthrough\n"
    assert first["finished_at"] <= last["started_at"]


def test_a_group_is_held_over_a_restart(nfo):
    first = submit(nfo, "a", more=group())
    nfo.until_state(first, "running", "t")
    second = submit(nfo, "b", "echo x", more=group())
    nfo.until_state(second, "blocked")
    import os
    import signal
    os.kill(nfo.role("server"), signal.SIGKILL)
    nfo.until(lambda: nfo.role("server"))
    nfo.until(lambda: nfo("runs", code=None).code == 0)
    assert nfo.fresh(second)["state"] == "blocked"
    cancel(nfo, first)
    assert nfo.ended(second)["state"] == "succeeded"


# --- maintenance, projects

def test_maintenance_takes_runs_and_starts_none(nfo):
    going = submit(nfo, "going")
    nfo.until_state(going, "running")
    a = nfo.ask("PUT", "/v1/system/maintenance",
                {"on": True, "reason": "new disks"})
    assert a.status == 200 and a.json["on"] is True
    run = submit(nfo, "a", "echo x")
    nfo.until_state(run, "blocked")
    assert nfo.fresh(run)["blocked"] == "maintenance"
    assert "new disks" in why(nfo, run)["waits"][0]["text"]
    assert nfo.fresh(going)["state"] == "running"
    cancel(nfo, going)
    nfo.stop()
    nfo("runs")  # it is remembered
    assert nfo.fresh(run)["state"] == "blocked"
    nfo.ask("PUT", "/v1/system/maintenance", {"on": False})
    assert nfo.ended(run)["state"] == "succeeded"
    assert nfo.ask("PUT", "/v1/system/maintenance", {"x": 1}).status == 422


def test_a_project_is_paused_and_limited(nfo):
    path = "/v1/projects/default"
    nfo.ask("PUT", path, {"max_running": 1})
    first = submit(nfo, "a")
    nfo.until_state(first, "running")
    second = submit(nfo, "b")
    nfo.until_state(second, "blocked")
    assert "max_running" in why(nfo, second)["waits"][0]["text"]
    nfo.ask("PUT", path, {"paused": True}, {"If-Match": "*"})
    cancel(nfo, first)
    nfo.until(lambda: nfo.fresh(second)["blocked"] == "maintenance")
    assert "paused" in why(nfo, second)["waits"][0]["text"]
    nfo.ask("PUT", path, {}, {"If-Match": "*"})
    nfo.until_state(second, "running")
    cancel(nfo, second)


@pytest.mark.parametrize("how", ["maintenance", "paused"])
def test_a_later_try_waits_as_a_first_one_does(nfo, how):
    """What is under way goes on; what has failed is not tried again before it
    is over."""
    path, body = (("/v1/system/maintenance", "on") if how == "maintenance"
                  else ("/v1/projects/default", "paused"))
    nfo.ask("PUT", "/v1/projects/default", {})
    run = nfo.run("""
tasks:
  first: { run: 'mkfifo p; echo begun; read x < p || true; exit 1',
           retry: { max: 1, backoff: 1s }, timeout: 3s }
""", wait=None)
    nfo.until_state(run, "running", "first")
    a = nfo.ask("PUT", path, {body: True}, {"If-Match": "*"})
    assert a.status == 200, a
    nfo.until_state(run, "blocked")
    assert nfo.fresh(run)["blocked"] == "maintenance"
    (task,) = why(nfo, run)["tasks"]
    assert task["state"] == "queued"
    assert task["waits"][0]["for"] == "maintenance"
    nfo.ask("PUT", path, {body: False}, {"If-Match": "*"})
    run = nfo.ended(run)
    assert run["state"] == "failed" and nfo.tasks(run)["first"]["attempt"] == 2


def test_cancel_running_lets_an_uninterruptible_task_finish(nfo):
    more = group(conflict="cancel-running")
    first = nfo.submit(
        f"nfo: 1\nname: a\n{more}tasks:\n"
        "  t: { run: 'echo begun; sleep 2; echo through', "
        "uninterruptible: true }\n"
        "  u: { run: sleep 300 }\n  v: { needs: [t], run: echo }\n").json
    nfo.until_state(first, "running", "t")
    nfo.until_state(first, "running", "u")
    last = nfo.run(job("b", "echo x", more))
    assert last["state"] == "succeeded"
    first = nfo.ended(first)
    assert first["state"] == "cancelled"
    tasks = {t["name"]: t["state"] for t in first["tasks"]}
    assert tasks == {"t": "succeeded", "u": "cancelled", "v": "cancelled"}
    assert nfo.log(first, "t") == b"begun\nthrough\n"
    assert first["finished_at"] <= last["started_at"]


def at_once(run, names):
    """The most of these tasks that ran at the same time."""
    ends = sorted([(t["started_at"], 1) for t in run["tasks"]
                   if t["name"] in names] +
                  [(t["finished_at"], -1) for t in run["tasks"]
                   if t["name"] in names])
    most = now = 0
    for _, step in ends:
        now += step
        most = max(most, now)
    return most


def test_no_more_of_a_run_or_a_matrix_than_it_allows(nfo):
    run = nfo.run("nfo: 1\nname: m\nmax_parallel: 3\ntasks:\n"
                  "  m: { matrix: { n: [1, 2, 3, 4, 5], max_parallel: 2 }, "
                  "run: sleep 0.3 }\n"
                  "  a: { run: sleep 0.3 }\n  b: { run: sleep 0.3 }\n")
    assert run["state"] == "succeeded"
    names = [t["name"] for t in run["tasks"]]
    assert at_once(run, [n for n in names if n.startswith("m@")]) == 2
    assert at_once(run, names) == 3


# --- why

def test_why_names_the_need(nfo):
    run = nfo.run("tasks: { a: { run: sleep 300 }, "
                  "b: { needs: [a], run: echo } }\n"
                  "finally: { f: { run: echo } }\n", wait=None)
    nfo.until_state(run, "running", "a")
    tasks = {t["name"]: t["waits"] for t in why(nfo, run)["tasks"]}
    assert set(tasks) == {"b", "f"}
    assert tasks["b"][0] == {"for": "need", "text": 'task "a" is running'}
    assert tasks["f"][0]["for"] == "finally"
    cancel(nfo, run)
    assert why(nfo, run)["tasks"] == []


def test_why_names_the_time_of_a_retry(nfo):
    run = nfo.run("tasks: { a: { run: exit 1, retry: { max: 2, "
                  "backoff: 1h, when: [exit-1] } } }\n", wait=None)
    nfo.until_state(run, "queued", "a")
    (task,) = why(nfo, run)["tasks"]
    assert task["waits"][0]["for"] == "retry"
    cancel(nfo, run)


# --- again

FLAKY = """\
nfo: 1
name: flaky
inputs: { word: { type: string, default: x } }
tasks:
  make:
    run: |
      echo making; echo made > f; echo $NFO_INPUT_WORD > "$NFO_OUTPUT/word"
    outputs: { word: { type: string } }
    artifacts: { f: { path: f } }
  side: { run: echo side }
  check:
    needs: [make]
    files: [make.f]
    env: { WORD: "${{ tasks.make.outputs.word }}" }
    run: cat "$NFO_FILES/make/f"; echo "$WORD"; test "$WORD" = ok
  after: { needs: [check], run: echo after }
"""


def rerun(nfo, run, **body):
    return nfo.ask("POST", f"/v1/runs/{run['id']}/rerun?wait=60s", body)


def test_from_failed_keeps_what_succeeded(nfo):
    first = nfo.run(FLAKY)
    assert first["state"] == "failed"
    a = rerun(nfo, first, **{"from": "failed"})
    assert a.status == 201, a
    assert a.json["rerun_of"] == first["id"] and a.json["trigger"] == "rerun"
    tasks = nfo.tasks(a.json)
    old = nfo.tasks(first)
    assert tasks["check"]["started_at"] > old["check"]["finished_at"]
    assert tasks["make"]["started_at"] == old["make"]["started_at"]
    assert tasks["make"]["outputs"] == {"word": "x"}
    assert tasks["after"]["state"] == "skipped"
    assert nfo.log(a.json, "check") == b"made\nx\n"
    # the earlier run may go: the later one has all that it needs
    assert nfo.ask("DELETE", f"/v1/runs/{first['id']}").status == 204
    got = nfo.get(f"/v1/runs/{a.json['id']}/artifacts/make.f")
    assert got.status == 200 and got.body == b"made\n"
    again = rerun(nfo, a.json, **{"from": "failed"})
    assert nfo.log(again.json, "check") == b"made\nx\n"


def test_from_a_task_runs_it_and_what_needs_it(nfo):
    first = nfo.run(FLAKY, inputs={"word": "ok"})
    assert first["state"] == "succeeded"
    a = rerun(nfo, first, **{"from": "task", "task": "check"})
    assert a.json["state"] == "succeeded" and \
        a.json["inputs"] == {"word": "ok"}
    new, old = nfo.tasks(a.json), nfo.tasks(first)
    anew = {n for n in new if new[n]["started_at"] != old[n]["started_at"]}
    assert anew == {"check", "after"}


def test_from_the_start_keeps_nothing(nfo):
    first = nfo.run(FLAKY, inputs={"word": "ok"})
    a = rerun(nfo, first)
    new, old = nfo.tasks(a.json), nfo.tasks(first)
    assert all(new[n]["started_at"] > old[n]["started_at"] for n in new)


def test_a_pipe_is_rerun_together(nfo):
    text = ("tasks: { w: { run: echo data }, "
            "r: { stdin: w.stdout, run: 'cat; exit 1' } }")
    first = nfo.run(text)
    assert nfo.tasks(first)["w"]["state"] == "succeeded"
    a = rerun(nfo, first, **{"from": "failed"})
    assert nfo.tasks(a.json)["w"]["started_at"] > \
        nfo.tasks(first)["w"]["started_at"]
    assert nfo.log(a.json, "r") == b"data\n"


def test_the_source_comes_along(nfo):
    (nfo.home / "tree").mkdir()
    nfo.write("tree/file", "from the tree\n")
    path = nfo.write("job.yaml", "nfo: 1\nname: s\nsource: upload\n"
                     "tasks: { t: { run: cat file; exit 1 } }\n")
    run = nfo("run", path, "--source", nfo.home / "tree", "--detach").out
    first = nfo.ended({"id": run.strip()})
    a = rerun(nfo, first, **{"from": "failed"})
    assert nfo.log(a.json, "t") == b"from the tree\n"


def test_what_cannot_be_rerun(nfo):
    run = nfo.run("tasks: { t: { run: sleep 300 } }", wait=None)
    assert rerun(nfo, run).status == 409
    cancel(nfo, run)
    for body in ({"from": "x"}, {"from": "task"}, {"task": "t"},
                 {"from": "start", "x": 1}):
        assert rerun(nfo, run, **body).json["code"] == "bad-request", body
    bad = rerun(nfo, run, **{"from": "task", "task": "nobody"})
    assert bad.status == 422 and "nobody" in bad.json["detail"]
    shared = nfo.run("tasks: [ { run: exit 1 } ]")
    assert rerun(nfo, shared, **{"from": "failed"}).status == 422
    assert rerun(nfo, shared).status == 201
    nobody = {"id": "run_01ARZ3NDEKTSV4RRFFQ69G5FAV"}
    assert rerun(nfo, nobody).status == 404


def test_the_command_line(nfo):
    first = nfo.run(FLAKY)
    out = nfo("rerun", first["id"], code=1)
    assert "made" in out.out and ": failed" in out.out
    assert nfo("rerun", first["id"], "--from", "x", code=2).err
    a = submit(nfo, "a", more=group())
    nfo.until_state(a, "running")
    b = submit(nfo, "b", more=group())
    nfo.until_state(b, "blocked")
    assert "holds it" in nfo("why", b["id"]).out
    assert b["id"] in nfo("queue").out
    assert json.loads(nfo("queue", "-o", "json").out)["items"]
    cancel(nfo, a)
    cancel(nfo, b)


def test_the_log_of_what_was_kept_is_with_the_earlier_run(nfo):
    first = nfo.run(FLAKY)
    a = rerun(nfo, first, **{"from": "failed"})
    again = rerun(nfo, a.json, **{"from": "failed"}).json
    assert nfo.log(again, "make") == b"making\n"
    frames = nfo.get(f"/v1/runs/{again['id']}/tasks/make/log",
                     Accept="application/x-ndjson").body.splitlines()
    assert json.loads(frames[0])["data"] == "making\n"
    assert nfo.ask("DELETE", f"/v1/runs/{first['id']}").status == 204
    assert nfo.log(again, "make") == b""
