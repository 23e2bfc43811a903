# SPDX-License-Identifier: AGPL-3.0-or-later
"""Events as they happen and as they happened; over restarts of the server."""
import http.client
import json
import os
import select
import signal
import sqlite3

import pytest

import nfo as programs
from test_access import somebody, token_of

HELLO = """\
nfo: 1
name: h
tasks:
  t: { run: echo hi > f, artifacts: { f: { path: f } } }
"""
SLOW = "nfo: 1\nname: slow\ntasks: { t: { run: sleep 1000 } }\n"


def history(nfo, path="/v1/events", **more):
    a = nfo.get(path, Accept="application/json", **more)
    assert a.status == 200, a
    return a.json


def test_an_artifact_is_an_event_with_its_task(nfo):
    run = nfo.run(HELLO)
    data = [d for _, kind, d in nfo.events(run) if kind == "artifact"]
    assert data == [{"run_id": run["id"], "task": "t", "artifact": "t.f",
                     "attempt": 1, "state": "succeeded", "kind": None,
                     "ts": data[0]["ts"]}]


def test_the_history_is_what_was_streamed_newest_first(nfo):
    runs = [nfo.run(HELLO) for _ in range(2)]
    for run in runs:
        seen = [{"id": n, "type": kind, **data}
                for n, kind, data in nfo.events(run)]
        page = history(nfo, f"/v1/runs/{run['id']}/events")
        assert page == {"items": seen[::-1], "next_cursor": None}
    items = history(nfo)["items"]
    assert [e["id"] for e in items] == \
        sorted((e["id"] for e in items), reverse=True)
    assert {e["run_id"] for e in items} == {r["id"] for r in runs}
    # page by page it is the same
    got, cursor = [], ""
    while cursor is not None:
        page = history(nfo, "/v1/events?limit=3" + (
            f"&cursor={cursor}" if cursor else ""))
        got += page["items"]
        cursor = page["next_cursor"]
    assert got == items


def test_the_history_is_narrowed(nfo):
    nfo.run(HELLO)
    items = history(nfo)["items"]
    ids = [e["id"] for e in items]
    only = history(nfo, "/v1/events?type=artifact&type=run")["items"]
    assert only == [e for e in items if e["type"] in ("artifact", "run")]
    middle = items[len(items) // 2]
    since = history(nfo, f"/v1/events?since={middle['ts']}")["items"]
    assert since == [e for e in items if e["ts"] >= middle["ts"]]
    until = history(nfo, f"/v1/events?until={middle['ts']}")["items"]
    assert until == [e for e in items if e["ts"] < middle["ts"]]
    after = history(nfo, f"/v1/events?after={middle['id']}")["items"]
    assert [e["id"] for e in after] == [n for n in ids if n > middle["id"]]
    for odd in ("type=", "type=x", "since=now", "after=-1", "limit=0",
                "cursor=x"):
        a = nfo.get(f"/v1/events?{odd}", Accept="application/json")
        assert (a.status, a.json["code"]) == (400, "bad-parameter"), odd


def test_streams_are_narrowed_too(nfo):
    run = nfo.run(HELLO)
    c = nfo.connect()
    c.request("GET", f"/v1/runs/{run['id']}/events?type=artifact")
    kinds = [kind for _, kind, _ in programs.sse(c.getresponse())]
    assert kinds == ["artifact"]
    c.close()


def listen(nfo, last=None):
    headers = {"Accept": "text/event-stream"}
    if last is not None:
        headers["Last-Event-ID"] = str(last)
    c = nfo.connect()
    c.request("GET", "/v1/events", None, headers)
    a = c.getresponse()
    assert a.status == 200
    return c, programs.sse(a)


def test_no_event_is_lost_or_told_twice_over_a_killed_server(nfo):
    """A listener that comes back after each kill hears each event once."""
    c, events = listen(nfo)
    heard, runs = [], []
    for i in range(3):
        run = nfo.submit(SLOW).json
        runs.append(run["id"])
        for n, kind, data in events:
            heard.append(n)
            if kind == "task" and data["state"] == "running":
                break
        c.close()
        pid = nfo.role("server")
        os.kill(pid, signal.SIGKILL)
        programs.Watched([pid]).wait()
        nfo.until(lambda p=pid: nfo.role("server") not in (0, p))
        nfo.until(lambda: up(nfo))
        # or it was on its way to the monitor, and went down with the server
        assert nfo.ask("POST", f"/v1/runs/{run['id']}/cancel").status in (
            202, 409)
        c, events = listen(nfo, heard[-1])
        for n, kind, data in events:
            heard.append(n)
            if kind == "run" and data["state"] in programs.FINAL:
                break
    c.close()
    assert heard == sorted(set(heard))
    assert heard == [e["id"] for e in history(
        nfo, "/v1/events?limit=500")["items"]][::-1]


def up(nfo):
    try:
        return nfo.get("/readyz").status == 200
    except OSError:
        return False


def test_what_is_not_kept_is_a_gap(nfo):
    run = nfo.run(HELLO)
    ids = [n for n, _, _ in nfo.events(run)]
    nfo.stop()
    db = sqlite3.connect(nfo.state / "server/nfo.db")
    with db:
        db.execute("DELETE FROM events WHERE id<=?", (ids[1],))
    db.close()
    nfo("runs")
    told = list(nfo.events(run, last=ids[0]))
    assert told[0][1:] == ("gap", {"url": f"/v1/runs/{run['id']}"})
    assert [n for n, _, _ in told[1:]] == ids[2:]
    assert [n for n, _, _ in nfo.events(run, last=ids[1])] == ids[2:]
    # an id that was not given yet is of another database
    told = list(nfo.events(run, last=ids[-1] + 1000))
    assert [kind for _, kind, _ in told] == ["gap"]
    c, events = listen(nfo, ids[0])
    assert next(events)[1:] == ("gap", {"url": "/v1/runs"})
    assert next(events)[0] == ids[2]
    c.close()


def test_a_silent_stream_is_kept_alive(nfo):
    c, _ = listen(nfo)
    assert select.select([c.sock], [], [], 20)[0]
    assert b": still here" in c.sock.recv(4096)
    c.close()


# --- the command

def test_nfo_events(nfo):
    run = nfo.run(HELLO)
    lines = nfo("events", run["id"]).out.splitlines()
    assert len(lines) == len(list(nfo.events(run)))
    assert run["id"] in lines[0] and "run" in lines[0]
    assert lines[-1].endswith("succeeded")
    assert any("artifact" in x and "t.f" in x for x in lines)
    only = nfo("events", "--type", "artifact").out.splitlines()
    assert len(only) == 1
    page = json.loads(nfo("events", "--output", "json").out)
    assert page == history(nfo)
    assert nfo("events", "--limit", "2").out.count("\n") == 2
    nfo("events", "--type", "x", code=2)
    nfo("events", "a", "b", code=2)


def test_nfo_events_follows_a_run_to_its_end(nfo):
    run = nfo.submit(SLOW).json
    follows = nfo.popen("events", "-f", run["id"], "--output", "json")
    first = json.loads(follows.stdout.readline())
    assert first["type"] == "run" and first["run_id"] == run["id"]
    nfo.until_state(run, "running", "t")
    nfo.ask("POST", f"/v1/runs/{run['id']}/cancel")
    events = [first, *map(json.loads, follows.stdout)]
    assert follows.wait(programs.LIMIT) == 0
    assert events[-1]["state"] == "cancelled"
    assert events[::-1] == history(nfo, f"/v1/runs/{run['id']}/events")[
        "items"]


@pytest.mark.parametrize("more,want", [
    ((), "[a] 1\n[a] 2\n[b] x\n"), (("--tail", "2"), "[a] 2\n[b] x\n"),
    (("--grep", "X", "-i"), "[b] x\n"), (("-f", "--tail", "1"), "[b] x\n")])
def test_nfo_logs(nfo, more, want):
    run = nfo.run("tasks: { a: { run: \"echo 1; echo 2\" }, "
                  "b: { needs: [a], run: echo x } }")["id"]
    assert nfo("logs", run, *more).out == want
    if not more:
        assert nfo("logs", run, "a", "--tail", "1").out == "2\n"
        frames = nfo("logs", run, "--output", "json").out.splitlines()
        assert {json.loads(f)["task"] for f in frames} == {"a", "b"}
        nfo("logs", run, "--tail", "0", code=2)


def test_who_sees_little_does_not_look_at_all_the_rest_at_once(tcp):
    """Many events of other projects are gone past in steps."""
    run = tcp.run(HELLO)
    somebody(tcp, "ann", "developer", ["quiet"])
    with sqlite3.connect(tcp.state / "server/nfo.db") as db:
        db.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n "
            "WHERE i<25000) INSERT INTO events(run,type,task,attempt,state,"
            "kind,ts_us) SELECT run,type,task,attempt,state,kind,ts_us "
            "FROM n,(SELECT * FROM events LIMIT 1)")
    db.close()
    token = token_of(tcp, user="ann")["token"]
    c = http.client.HTTPConnection("127.0.0.1", tcp.port,
                                   timeout=programs.LIMIT)
    c.request("GET", "/v1/events?after=1", None,
              {"Authorization": f"Bearer {token}"})
    events = programs.sse(c.getresponse())
    a = tcp.ask("POST", "/v1/projects/quiet/runs?wait=30s",
                HELLO.replace("name: h", "name: h\nproject: quiet").encode(),
                {"Content-Type": "application/yaml"})
    assert a.status == 201, a
    _, kind, data = next(events)
    assert kind == "run" and data["run_id"] == a.json["id"] != run["id"]
    c.close()
    # and the history is found by the runs that are seen, in its order
    c = http.client.HTTPConnection("127.0.0.1", tcp.port,
                                   timeout=programs.LIMIT)
    seen, cursor = [], ""
    while cursor is not None:
        page = tcp.ask("GET", "/v1/events?limit=2" + cursor, None, {
            "Authorization": f"Bearer {token}",
            "Accept": "application/json"}, c).json
        seen += page["items"]
        cursor = (f"&cursor={page['next_cursor']}" if page["next_cursor"]
                  else None)
    c.close()
    own = tcp.get(f"/v1/runs/{a.json['id']}/events",
                  Accept="application/json").json["items"]
    assert seen == own and len(own) > 4
