# SPDX-License-Identifier: AGPL-3.0-or-later
"""Logs of whole runs, their ends, and what is looked for in them."""
import base64
import json

import pytest

NDJSON = "application/x-ndjson"
SSE = "text/event-stream"


def feed(nfo, path, last=None):
    """(id, event, data), as they come; ids are opaque."""
    headers = {"Accept": SSE}
    if last is not None:
        headers["Last-Event-ID"] = last
    c = nfo.connect()
    c.request("GET", path, None, headers)
    a = c.getresponse()
    assert a.status == 200, a.read()
    assert a.getheader("Content-Type") == SSE
    event = {}
    for line in a:
        line = line.decode().rstrip("\n")
        if line.startswith(":"):
            continue
        if line:
            key, _, value = line.partition(": ")
            event[key] = value
        elif event:
            yield event.get("id"), event["event"], json.loads(event["data"])
            event = {}
    c.close()


def text_of(frames):
    out = {}
    for f in frames:
        data = (f["data"].encode() if "data" in f
                else base64.b64decode(f["data_b64"]))
        out[f["task"]] = out.get(f["task"], b"") + data
    return out


def ndjson(nfo, path):
    a = nfo.get(path, Accept=NDJSON)
    assert a.status == 200 and a.headers["content-type"] == NDJSON, a
    return [json.loads(line) for line in a.body.splitlines()]


@pytest.fixture
def three(nfo):
    """A run of three tasks one after another, the second tried twice."""
    run = nfo.run("""\
tasks:
  first: { run: "echo one; echo two; printf three" }
  second:
    needs: [first]
    run: |
      echo try
      exit 75
    retry: { max: 1, backoff: 1s, when: [exit-75] }
  third: { needs: [first], run: "printf 'a\\nERROR b\\n\\nerror c\\n'" }
""")
    return run


def test_all_tasks_are_one_stream(nfo, three):
    path = f"/v1/runs/{three['id']}/log"
    lines = nfo.get(path).body.decode().splitlines()
    assert sorted(lines) == sorted([
        "[first] one", "[first] two", "[first] three", "[second] try",
        "[second#2] try", "[third] a", "[third] ERROR b", "[third] ",
        "[third] error c"])
    assert [x for x in lines if x.startswith("[first]")] == lines[:3]
    frames = ndjson(nfo, path)
    assert [f["ts"] for f in frames] == sorted(f["ts"] for f in frames)
    assert text_of(frames) == {
        "first": b"one\ntwo\nthree", "second": b"try\ntry\n",
        "third": b"a\nERROR b\n\nerror c\n"}
    assert {(f["task"], f["attempt"]) for f in frames} == {
        ("first", 1), ("second", 1), ("second", 2), ("third", 1)}
    events = list(feed(nfo, path))
    assert [d for _, kind, d in events if kind == "log"] == frames
    assert events[-1][1:] == ("end", {"state": "failed", "kind": "exit",
                                      "exit_code": None})
    assert nfo.get("/v1/runs/run_01ARZ3NDEKTSV4RRFFQ69G5FAV/log"
                   ).status == 404


def test_a_stream_goes_on_from_any_place(nfo, three):
    path = f"/v1/runs/{three['id']}/log"
    events = list(feed(nfo, path))
    logs = [d for _, kind, d in events if kind == "log"]
    for i, (place, kind, _) in enumerate(events):
        if kind != "log":
            continue
        rest = [d for _, k, d in feed(nfo, path, place) if k == "log"]
        assert rest == logs[i + 1:], place
    for odd in ("99", "x", "2-", "1-1", "1-2.1", "-1", "2-2.1-1.1", ""):
        a = nfo.get(path, Accept=SSE, Last_Event_ID=odd)
        assert (a.status, a.json["code"]) == (400, "bad-header"), odd


def test_the_last_ones(nfo, three):
    run = f"/v1/runs/{three['id']}"
    whole = nfo.get(f"{run}/log").body.splitlines(True)
    frames = ndjson(nfo, f"{run}/log")
    for n in (1, 2, 5, 8, 10000):
        assert nfo.get(f"{run}/log?tail={n}").body.splitlines(True) == \
            whole[-n:]
        assert ndjson(nfo, f"{run}/log?tail={n}") == frames[-n:]
        events = list(feed(nfo, f"{run}/log?tail={n}"))
        assert [d for _, k, d in events if k == "log"] == frames[-n:]
        assert events[-1][1] == "end"
    log = f"{run}/tasks/first/log"
    assert nfo.get(f"{log}?tail=2").body == b"two\nthree"
    assert nfo.get(f"{log}?tail=1").body == b"three"
    assert nfo.get(f"{run}/tasks/third/attempts/1/log?tail=2").body == \
        b"\nerror c\n"
    for odd in ("0", "-1", "x", "10001", ""):
        assert nfo.get(f"{log}?tail={odd}").status == 400, odd


def test_what_is_looked_for(nfo, three):
    run = f"/v1/runs/{three['id']}"
    assert nfo.get(f"{run}/log?grep=error").body == b"[third] error c\n"
    assert nfo.get(f"{run}/log?grep=error&ignore_case=true").body == \
        b"[third] ERROR b\n[third] error c\n"
    assert nfo.get(f"{run}/log?grep=error&ignore_case=true&tail=1").body == \
        b"[third] error c\n"
    assert nfo.get(f"{run}/tasks/third/log?grep=R%20b").body == b"ERROR b\n"
    assert nfo.get(f"{run}/tasks/third/log?grep=.*").body == b""
    frames = ndjson(nfo, f"{run}/log?grep=three")
    assert [f["task"] for f in frames] == ["first"]
    kinds = [k for _, k, _ in feed(nfo, f"{run}/log?grep=try")]
    assert kinds == ["log", "log", "end"]
    for odd in ("grep=", "grep=" + "x" * 257, "grep=a&ignore_case=maybe",
                "follow=1"):
        assert nfo.get(f"{run}/log?{odd}").status == 400, odd


def test_a_run_that_lives_is_followed_over_new_attempts(nfo):
    """Every frame once, from tasks that come later, to the run's end."""
    run = nfo.submit("""\
nfo: 1
name: live
tasks:
  a: { run: "for i in 1 2 3 4 5; do echo a$i; sleep 0.1; done" }
  b: { run: "for i in 1 2 3 4 5; do echo b$i; sleep 0.1; done" }
  c:
    needs: [a]
    run: "echo c; exit 1"
    retry: { max: 1, backoff: 1s, when: [exit-1] }
""").json
    path = f"/v1/runs/{run['id']}/log"
    events = list(feed(nfo, path))
    assert events[-1][1:] == ("end", {"state": "failed", "kind": "exit",
                                      "exit_code": None})
    got = [d for _, kind, d in events if kind == "log"]
    assert text_of(got) == {
        "a": b"".join(b"a%d\n" % i for i in range(1, 6)),
        "b": b"".join(b"b%d\n" % i for i in range(1, 6)), "c": b"c\nc\n"}
    assert sorted(json.dumps(f) for f in got) == \
        sorted(json.dumps(f) for f in ndjson(nfo, path))
    middle = len(events) // 2
    rest = [d for _, k, d in feed(nfo, path, events[middle][0])
            if k == "log"]
    assert sorted(json.dumps(f) for f in rest) == \
        sorted(json.dumps(f) for f in got[middle + 1:])


def test_text_is_followed_where_it_is_asked_for(nfo):
    run = nfo.submit("nfo: 1\nname: t\ntasks: { t: { run: "
                     "\"for i in 1 2 3; do echo $i; sleep 0.2; done\" } }"
                     ).json
    nfo.until_state(run, "running", "t")
    path = f"/v1/runs/{run['id']}"
    assert nfo.get(f"{path}/tasks/t/log?follow=true").body == b"1\n2\n3\n"
    assert nfo.get(f"{path}/log?follow=true").body == \
        b"[t] 1\n[t] 2\n[t] 3\n"
    assert len(ndjson(nfo, f"{path}/log?follow=true&tail=2")) == 2


def test_a_long_log_in_pieces(nfo):
    """More than one turn reads, lines longer than a frame, no LF at the end;
    others are served meanwhile."""
    run = nfo.run("tasks: { t: { run: \"seq 400000; head -c 200000 /dev/zero"
                  " | tr '\\\\0' x\" } }")
    path = f"/v1/runs/{run['id']}"
    log = nfo.log(run, "t")
    assert len(log) > 2000000
    lines = [b"[t] " + x for x in log.split(b"\n")]
    body = nfo.get(f"{path}/log").body
    assert body.count(b"\n") == 400000 + 4  # the x in pieces of 64 KiB
    assert body.split(b"\n")[:400000] == lines[:400000]
    assert body[-300000:].replace(b"[t] ", b"").replace(b"\n", b"").count(
        b"x") == 200000
    assert nfo.get(f"{path}/tasks/t/log?grep=399999").body == b"399999\n"
    assert nfo.get(f"{path}/tasks/t/log?grep=99999&tail=2").body == \
        b"299999\n399999\n"
    assert nfo.get(f"{path}/log?grep=nowhere").body == b""


def test_attempts_are_listed(nfo, three):
    path = f"/v1/runs/{three['id']}/tasks/second/attempts"
    page = nfo.get(path).json
    assert page["next_cursor"] is None
    assert [(a["attempt"], a["exit_code"]) for a in page["items"]] == \
        [(1, 75), (2, 75)]
    assert page["items"] == [nfo.get(f"{path}/{n}").json for n in (1, 2)]
    assert nfo.get(path.replace("second", "absent")).status == 404


def test_what_is_gone_is_said(nfo, three):
    path = f"/v1/runs/{three['id']}/tasks/first/attempts/1/log"
    events = list(feed(nfo, path, "1000"))
    assert [k for _, k, _ in events] == ["gap", "end"]
    assert events[0][2] == {"url": path}


def test_lines_of_two_streams_are_not_mixed(nfo):
    run = nfo.run("tasks: { t: { run: \"printf out; printf 'err\\\\n' >&2; "
                  "printf 'put\\\\n'\" } }")
    lines = nfo.get(f"/v1/runs/{run['id']}/log").body.splitlines()
    assert sorted(lines) == [b"[t] err", b"[t] output"]
