# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tasks that wait for people: who may, to what they say yes, and what holds
when two say it at once, nobody does, or the server is killed meanwhile."""
import os
import signal
import threading

from nfo import Watched
from test_access import make, somebody, token_of, Caller

JOB = """
nfo: 1
name: release
tasks:
  build:
    run: echo app > app.bin
    artifacts: { bin: { path: app.bin } }
  ask:
    needs: [build]
    approval: { from: [group/managers], message: "Ship ${{ run.job }}?",
                show: [build.bin]%s }
  ship: { needs: [ask], run: echo shipped, files: [build.bin] }
"""


def managers(server, *names):
    people = [somebody(server, n, "operator") for n in names]
    make(server, "group", "managers", members=list(names))
    return people


def start(server, more="", text=JOB, state="blocked", **ask):
    a = server.submit(text % more if "%s" in text else text, **ask)
    assert a.status == 201, a
    if state:
        server.until_state(a.json, state, "ask")
    return a.json


def look(server, run, task="ask"):
    a = server.get(f"/v1/runs/{run['id']}/approvals/{task}")
    assert a.status == 200, a
    return a.json


def say(who, run, decision="approve", digest=None, task="ask", **more):
    path = f"/v1/runs/{run['id']}/approvals/{task}"
    if digest is None:
        digest = who.ask("GET", path)[1]["digest"]
    return who.ask("POST", path,
                   {"decision": decision, "digest": digest, **more})


# --- what is asked, and the answer

def test_it_waits_shows_and_goes_on(tcp):
    ann, = managers(tcp, "ann")
    run = start(tcp, ", expires: 1h")
    tcp.until_state(run, "blocked")
    fresh = tcp.fresh(run)
    assert fresh["blocked"] == "approval"
    task = tcp.tasks(fresh)["ask"]
    assert (task["state"], task["blocked"]) == ("blocked", "approval")
    asked = look(tcp, run)
    assert asked["state"] == "open" and asked["message"] == "Ship release?"
    assert asked["from"] == ["group/managers"] and asked["count"] == 1
    assert asked["run_digest"] == fresh["run_digest"]
    shown, = asked["shown"]
    made, = tcp.get(f"/v1/runs/{run['id']}/artifacts").json["items"]
    assert shown["sha256"] == made["sha256"] and shown["name"] == "build.bin"
    assert asked["expires_at"] > asked["asked_at"]
    assert not asked["may_decide"]  # the owner is not one of them
    why = tcp.get(f"/v1/runs/{run['id']}/why").json
    reason, = why["waits"]
    assert reason["for"] == "approval" and "group/managers" in reason["text"]
    assert asked["expires_at"] in reason["text"]
    assert "0 of 1" in [t for t in why["tasks"] if t["name"] == "ask"][0][
        "waits"][0]["text"]
    assert "ask" in [t for t in why["tasks"] if t["name"] == "ship"][0][
        "waits"][0]["text"]
    status, got = say(ann, run, comment="looks good")
    assert status == 200 and got["state"] == "granted"
    said, = got["decisions"]
    assert (said["who"], said["decision"], said["comment"]) == \
        ("user:ann", "approve", "looks good")
    run = tcp.ended(run)
    assert run["state"] == "succeeded" and run["blocked"] is None
    assert tcp.log(run, "ship") == b"shipped\n"
    kinds = [(k, d["state"]) for _, k, d in tcp.events(run)
             if d.get("task") == "ask" and k == "approval"]
    assert kinds == [("approval", "blocked"), ("approval", "succeeded")]


def test_rejected_fails_the_run(tcp):
    ann, = managers(tcp, "ann")
    run = start(tcp)
    status, got = say(ann, run, "reject", comment="not today")
    assert status == 200 and got["state"] == "rejected"
    run = tcp.ended(run)
    assert (run["state"], run["kind"]) == ("failed", "rejected")
    assert "user:ann" in run["error"]
    assert tcp.tasks(run)["ship"]["state"] == "skipped"
    assert say(ann, run, "reject")[0] == 200  # it is done
    status, answer = say(ann, run, "approve")
    assert (status, answer["code"]) == (409, "decided")


def test_nobody_in_time(tcp):
    managers(tcp, "ann")
    run = start(tcp, ", expires: 1s", state=None)
    run = tcp.ended(run)
    assert (run["state"], run["kind"]) == ("failed", "expired")
    assert look(tcp, run)["state"] == "expired"
    assert tcp.tasks(run)["ship"]["state"] == "skipped"


def test_when_false_is_granted_by_itself(tcp):
    text = JOB.replace("name: release", "name: release\n"
                       "inputs: { to: { type: string, default: staging } }")
    more = ", when: inputs.to == 'prod'"
    run = tcp.ended(start(tcp, more, text, None))
    assert run["state"] == "succeeded"
    got = look(tcp, run)
    assert got["state"] == "auto" and got["decisions"] == []
    run = start(tcp, more, text, inputs={"to": "prod"})
    assert look(tcp, run)["state"] == "open"
    tcp.ask("POST", f"/v1/runs/{run['id']}/cancel")
    run = tcp.ended(run)
    assert run["state"] == "cancelled"
    assert look(tcp, run)["state"] == "cancelled"


def test_what_is_shown_must_be_there(tcp):
    text = JOB.replace("path: app.bin", "path: none, optional: true")
    run = tcp.ended(start(tcp, text=text, state=None))
    assert run["kind"] == "setup" and "build.bin" in run["error"]


# --- who may

def test_count_different_people(tcp):
    ann, bob = managers(tcp, "ann", "bob")
    run = start(tcp, ", count: 2")
    assert say(ann, run)[1]["approved"] == 1
    again = Caller(tcp, token_of(tcp, user="ann")["token"])
    status, got = say(again, run)  # the same human being
    assert status == 200 and got["approved"] == 1 and got["state"] == "open"
    status, answer = say(again, run, "reject")
    assert (status, answer["code"]) == (409, "decided")
    assert "1 of 2" in tcp.get(f"/v1/runs/{run['id']}/why").json["waits"][0][
        "text"]
    assert say(bob, run)[1]["state"] == "granted"
    assert tcp.ended(run)["state"] == "succeeded"


def submit_as(who, text):
    status, run = who.ask("POST", "/v1/projects/default/runs", text.encode(),
                          {"Content-Type": "application/yaml"})
    assert status == 201, run
    return run


def test_the_submitter_may_not(tcp):
    ann, bob = managers(tcp, "ann", "bob")
    tcp.ask("PUT", "/v1/roles/dev", {"role": "developer",
                                     "projects": ["default"],
                                     "members": ["group/managers"]})
    run = submit_as(ann, JOB % "")
    tcp.until_state(run, "blocked", "ask")
    other = Caller(tcp, token_of(tcp, user="ann")["token"])
    for who in (ann, other):
        status, answer = say(who, run)
        assert status == 403 and "asked for the run" in answer["detail"]
        assert not who.ask("GET", "/v1/approvals?for=me")[1]["items"]
    assert say(bob, run)[0] == 200
    assert tcp.ended(run)["state"] == "succeeded"
    run = submit_as(ann, JOB % ", not: nobody")
    tcp.until_state(run, "blocked", "ask")
    assert say(ann, run)[0] == 200
    assert tcp.ended(run)["state"] == "succeeded"


def test_who_is_not_named_may_not(tcp):
    ann, = managers(tcp, "ann")
    other = somebody(tcp, "other", "admin")
    viewer = somebody(tcp, "viewer", "viewer")
    elsewhere = somebody(tcp, "elsewhere", "admin", ["other"])
    weak = Caller(tcp, token_of(tcp, user="ann", role="viewer")["token"])
    run = start(tcp)
    digest = look(tcp, run)["digest"]
    assert say(other, run)[0] == 403
    assert say(viewer, run)[0] == 403
    assert say(weak, run)[0] == 403
    assert say(Caller(tcp, None), run, digest=digest)[0] == 401
    assert say(elsewhere, run, digest=digest)[0] == 404
    path = f"/v1/runs/{run['id']}/approvals"
    assert elsewhere.ask("GET", path)[0] == 404
    assert elsewhere.ask("GET", "/v1/approvals")[1]["items"] == []
    assert say(ann, run)[0] == 200
    tcp.ended(run)


def test_roles_and_the_owner(tcp):
    """Who owns the server is one person, over the socket or by the token."""
    text = JOB.replace("[group/managers]", "[role/operator]")
    run = start(tcp, text=text)
    owner = Caller(tcp, tcp.token)
    assert say(owner, run)[0] == 403
    op = somebody(tcp, "op", "operator")
    assert say(op, run)[0] == 200
    assert tcp.ended(run)["state"] == "succeeded"
    run = start(tcp, ", not: nobody, count: 2", text)
    assert say(owner, run)[1]["approved"] == 1
    path = f"/v1/runs/{run['id']}/approvals/ask"
    a = tcp.ask("POST", path, {"decision": "approve",
                               "digest": look(tcp, run)["digest"]})
    assert a.status == 200 and a.json["approved"] == 1
    assert say(op, run)[1]["state"] == "granted"
    tcp.ended(run)


# --- to what

def test_it_is_bound_to_what_was_shown(tcp):
    ann, = managers(tcp, "ann")
    one, two = start(tcp), start(tcp)
    a, b = look(tcp, one)["digest"], look(tcp, two)["digest"]
    assert a != b  # the same job, another run
    status, answer = say(ann, one, digest=b)
    assert (status, answer["code"]) == (409, "digest-changed")
    status, answer = say(ann, one, digest="sha256:" + "0" * 64)
    assert (status, answer["code"]) == (409, "digest-changed")
    assert say(ann, one, digest=a)[0] == 200
    assert tcp.ended(one)["state"] == "succeeded"
    say(ann, two)
    tcp.ended(two)


def test_an_approval_is_not_carried_into_a_rerun(tcp):
    ann, = managers(tcp, "ann")
    text = JOB.replace("run: echo shipped", "run: exit 3")
    run = start(tcp, text=text)
    digest = look(tcp, run)["digest"]
    say(ann, run)
    run = tcp.ended(run)
    assert run["state"] == "failed"
    a = tcp.ask("POST", f"/v1/runs/{run['id']}/rerun", {"from": "failed"})
    assert a.status == 201, a
    again = a.json
    tcp.until_state(again, "blocked", "ask")
    assert tcp.tasks(tcp.fresh(again))["build"]["state"] == "succeeded"
    assert look(tcp, again)["digest"] != digest
    assert say(ann, again, digest=digest)[1]["code"] == "digest-changed"
    say(ann, again, "reject")
    assert tcp.ended(again)["kind"] == "rejected"


def test_bad_answers(tcp):
    ann, = managers(tcp, "ann")
    run = start(tcp)
    path = f"/v1/runs/{run['id']}/approvals/ask"
    good = {"decision": "approve", "digest": look(tcp, run)["digest"]}
    for body in ({}, {"decision": "approve"}, {"digest": good["digest"]},
                 {**good, "decision": "maybe"}, {**good, "digest": "x"},
                 {**good, "comment": 5}, {**good, "comment": "x" * 1025},
                 {**good, "more": 1}, []):
        status, answer = ann.ask("POST", path, body)
        assert status == 422, (body, answer)
    assert ann.ask("POST", path, b"{", {
        "Content-Type": "application/json"})[0] == 400
    assert say(ann, run, digest=good["digest"], task="ship")[0] == 404
    assert say(ann, run, digest=good["digest"], task="none")[0] == 404
    assert ann.ask("GET", "/v1/approvals?for=you")[0] == 400
    assert look(tcp, run)["state"] == "open"
    assert say(ann, run, comment="x" * 1024)[0] == 200
    tcp.ended(run)


def test_a_job_says_it_right(tcp):
    def codes(text):
        a = tcp.ask("POST", "/v1/validate", text.encode(),
                    {"Content-Type": "application/yaml"})
        return {e["code"] for e in a.json.get("errors", [])}

    head = "nfo: 1\nname: a\ntasks: { t: { run: x }, a: "
    assert codes(head + "{ approval: { from: [user/ann] } } }\n") == set()
    assert codes(head + "{ approval: { from: [ann] } } }\n") == {"bad-value"}
    assert codes(head + "{ approval: { from: [role/boss] } } }\n") == \
        {"bad-value"}
    assert codes(head + "{ approval: { from: [] } } }\n") == {"bad-value"}
    assert codes(head + "{ approval: { from: [user/a] }, timeout: 5s } }\n"
                 ) == {"no-effect"}
    assert "bad-need" in codes(
        "nfo: 1\nname: a\ntasks: { t: { run: x, artifacts: { f: { path: f } } "
        "}, a: { approval: { from: [user/a], show: [t.f] } } }\n")
    assert "bad-task" in codes(
        "nfo: 1\nname: a\ntasks: { t: { run: x } }\n"
        "finally: { a: { approval: { from: [user/a] } } }\n")
    assert "bad-stdin" in codes(
        "nfo: 1\nname: a\ntasks: { a: { approval: { from: [user/a] } }, "
        "t: { run: x, stdin: a.stdout } }\n")


# --- lists

def test_the_list_for_me_in_pages(tcp):
    ann, bob = managers(tcp, "ann", "bob")
    runs = [start(tcp) for _ in range(3)]
    only = JOB.replace("group/managers", "user/bob")
    bobs = start(tcp, text=only)

    def ids(who, query):
        status, page = who.ask("GET", f"/v1/approvals{query}")
        assert status == 200, page
        return [i["run_id"] for i in page["items"]], page["next_cursor"]

    newest = [r["id"] for r in reversed(runs)]
    assert ids(ann, "?for=me")[0] == newest
    assert ids(bob, "?for=me")[0] == [bobs["id"], *newest]
    assert ids(ann, "")[0] == [bobs["id"], *newest]
    first, cursor = ids(ann, "?for=me&limit=2")
    assert first == newest[:2] and cursor
    rest, cursor = ids(ann, f"?for=me&limit=2&cursor={cursor}")
    assert rest == newest[2:] and cursor is None
    say(ann, runs[0])
    assert ids(ann, "?for=me")[0] == newest[:2]
    for r in (*runs[1:], bobs):
        say(bob, r, "reject")
        tcp.ended(r)
    assert ids(bob, "")[0] == []


# --- the concurrency group, races, restarts

def test_the_group_is_held_while_it_waits(tcp):
    ann, = managers(tcp, "ann")
    text = JOB.replace("name: release", "name: release\n"
                       "concurrency: { group: g, limit: 1 }")
    first = start(tcp, text=text)
    second = start(tcp, text=text, state=None)
    tcp.until_state(second, "blocked")
    assert tcp.fresh(second)["blocked"] == "concurrency"
    say(ann, first)
    tcp.until_state(second, "blocked", "ask")
    assert tcp.fresh(first)["state"] == "succeeded"
    say(ann, second)
    assert tcp.ended(second)["state"] == "succeeded"


def test_two_decide_at_once(tcp):
    people = managers(tcp, "ann", "bob", "cat", "dan")
    for _ in range(5):
        run = start(tcp)
        digest = look(tcp, run)["digest"]
        got, gate = [], threading.Barrier(len(people))

        def decide(who, what):
            gate.wait()
            got.append((what, *say(who, run, what, digest)))

        threads = [threading.Thread(target=decide, args=(p, w)) for p, w in
                   zip(people, ["approve", "reject"] * 2)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        won = [w for w, status, _ in got if status == 200]
        assert len(won) == 1, got
        assert all(a["code"] == "decided" for _, s, a in got if s != 200)
        end = tcp.ended(run)["state"]
        assert end == ("succeeded" if won[0] == "approve" else "failed")
        assert len(look(tcp, run)["decisions"]) == 1


def kill_server(server):
    pid = server.role("server")
    watched = Watched([pid])
    os.kill(pid, signal.SIGKILL)
    assert not watched.wait()
    server.until(lambda: server.role("server") not in (0, pid))
    server.until(lambda: answers(server))


def answers(server):
    try:
        return server.get("/readyz").status == 200
    except OSError:
        return False


def test_the_server_killed_while_it_waits(tcp):
    ann, bob = managers(tcp, "ann", "bob")
    run = start(tcp, ", count: 2, expires: 1h")
    before = look(tcp, run)
    assert say(ann, run)[0] == 200
    kill_server(tcp)
    after = look(tcp, run)
    assert after["approved"] == 1 and after["digest"] == before["digest"]
    assert after["expires_at"] == before["expires_at"]
    assert tcp.fresh(run)["blocked"] == "approval"
    assert say(ann, run)[1]["approved"] == 1  # said before
    assert say(bob, run)[1]["state"] == "granted"
    assert tcp.ended(run)["state"] == "succeeded"


def test_its_time_runs_out_while_the_server_is_down(cold):
    cold.serve()
    run = start(cold, ", expires: 2s")
    asked = look(cold, run)
    cold.stop(signal.SIGKILL)
    cold.serve()
    run = cold.ended(run)
    assert (run["state"], run["kind"]) == ("failed", "expired")
    assert look(cold, run)["expires_at"] == asked["expires_at"]


# --- the command line

def test_the_commands(tcp):
    ann, = managers(tcp, "ann")
    run = start(tcp, ", expires: 1h")
    tcp.env["NFO_SERVER"] = f"http://127.0.0.1:{tcp.port}"
    tcp.env["NFO_TOKEN"] = tcp.token
    assert run["id"] in tcp("approvals", "--all").out
    assert run["id"] not in tcp("approvals").out
    assert "asked for the run" in tcp("approve", run["id"], code=3).err
    tcp.env["NFO_TOKEN"] = ann.token
    listed = tcp("approvals").out
    assert run["id"] in listed and "0 of 1" in listed
    asked = look(tcp, run)
    assert asked["digest"] in tcp("approvals", "--output", "json").out
    assert tcp("approve", run["id"], "--digest", "sha256:" + "0" * 64,
               code=2).err.count("digest-changed") == 1
    shown = tcp("approve", run["id"], "ask", "--comment", "go").out
    for text in ("Ship release?", asked["digest"], asked["run_digest"],
                 asked["shown"][0]["sha256"], "build.bin", "group/managers",
                 "now granted: 1 of 1"):
        assert text in shown, text
    assert "nothing in the run" in tcp("approve", run["id"], code=3).err
    assert tcp.ended(run)["state"] == "succeeded"
    assert look(tcp, run)["decisions"][0]["comment"] == "go"


def test_who_follows_learns_how(nfo):
    nfo.write("job.yaml", JOB.replace("[group/managers]", "[role/operator]")
              % ", not: nobody")
    with nfo.popen("run", "job.yaml") as p:
        for line in p.stdout:
            if b"nfo approve" in line:
                break
        words = line.decode().split("nfo approve")[1].split()
        assert words[1] == "ask"
        nfo("approve", words[0], "--reject", "--comment", "no")
        assert b"rejected" in p.stdout.read()
        assert p.wait() == 1
