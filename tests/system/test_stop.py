# SPDX-License-Identifier: AGPL-3.0-or-later
"""The end in order: nothing new begins, what is under way is answered, streams
end, and all of it within a limit."""
import http.client
import json
import os
import signal
import socket
import time

import nfo as programs

JOB = "nfo: 1\nname: t\ntasks: { a: { run: 'true' } }\n"
SLEEP = "tasks: { a: { run: 'sleep 600' } }"


class Upload:
    """A request whose headers the server has, and whose body it waits for."""

    def __init__(self, nfo, body):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(programs.LIMIT)
        self.socket.connect(str(nfo.socket))
        self.body = body
        self.socket.sendall(
            b"POST /v1/validate HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/yaml\r\nExpect: 100-continue\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body))
        got = self.socket.recv(4096)
        assert got.startswith(b"HTTP/1.1 100"), got

    def finish(self):
        self.socket.sendall(self.body)
        a = http.client.HTTPResponse(self.socket)
        a.begin()
        return a.status, a.read()


def warm(nfo):
    c = nfo.connect()
    assert nfo.ask("GET", "/healthz", connection=c).status == 200
    return c


def begin_to_stop(nfo):
    os.kill(nfo.monitor(), signal.SIGTERM)
    nfo.until(lambda: "stopping" in (nfo.home / "serve.err").read_text())


def test_what_is_under_way_is_answered_and_no_run_is_made(cold):
    cold.serve()
    one, two, idle = warm(cold), warm(cold), warm(cold)
    upload = Upload(cold, JOB.encode())
    begin_to_stop(cold)
    a = cold.ask("POST", "/v1/projects/default/runs",
                 {"job": {"nfo": 1}}, connection=one)
    assert (a.status, a.json["code"]) == (503, "stopping")
    assert a.headers["retry-after"] == "1"
    a = cold.ask("GET", "/v1/whoami", connection=two)
    assert (a.status, a.headers["connection"].lower()) == (200, "close")
    status, body = upload.finish()
    assert (status, json.loads(body)["valid"]) == (200, True)
    assert cold.serving.wait(programs.LIMIT) == 0
    idle.close()


def test_streams_end_whole(cold):
    cold.serve()
    run = cold.run(SLEEP, wait=None)
    cold.until_state(run, "running", task="a")
    streams = []
    for path in (f"/v1/runs/{run['id']}/events", "/v1/events",
                 f"/v1/runs/{run['id']}/tasks/a/log"):
        c = cold.connect()
        c.request("GET", path, headers={"Accept": "text/event-stream"})
        streams.append((c, c.getresponse()))
        assert streams[-1][1].status == 200
    began = time.monotonic()
    begin_to_stop(cold)
    for c, a in streams:
        a.read()  # would raise where the last chunk is missing
        c.close()
    cold.serving.wait(programs.LIMIT)
    assert time.monotonic() - began < 9  # not by the limit


def test_who_waits_for_a_run_is_told_how_far_it_is(cold):
    cold.serve()
    c = cold.connect()
    c.request("POST", "/v1/projects/default/runs?wait=60s",
              json.dumps({"job": {"nfo": 1, "name": "t", "tasks": {
                  "a": {"run": "sleep 600"}}}}),
              {"Content-Type": "application/json"})
    cold.until(lambda: any(r["state"] == "running" for r in
                           cold.get("/v1/runs").json["items"]))
    begin_to_stop(cold)
    a = c.getresponse()
    assert (a.status, json.load(a)["state"]) == (201, "running")
    c.close()


def test_a_client_that_never_finishes_is_cut_off(cold):
    cold.serve("--set", "timeouts.stop=1s")
    upload = Upload(cold, b"x" * 1000)
    begin_to_stop(cold)
    assert cold.serving.wait(programs.LIMIT) == 0
    assert upload.socket.recv(10) == b""
    assert "1 requests are cut off" in (cold.home / "serve.err").read_text()


def test_nothing_under_way_is_no_reason_to_wait(cold):
    cold.serve()
    idle = warm(cold)
    began = time.monotonic()
    cold.stop()
    assert time.monotonic() - began < 5
    idle.close()
