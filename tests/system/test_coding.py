# SPDX-License-Identifier: AGPL-3.0-or-later
"""Answers that are compressed where that is asked for, and only there."""
import gzip
import hashlib
import base64
import json
import shutil
import subprocess

import pytest

BIG = ("nfo: 1\nname: big\ntasks: { t: { run: \"seq 200000; seq 1000 > f\", "
       "artifacts: { f: { path: f } } } }\n")
CODINGS = ["gzip"] + (["zstd"] if shutil.which("zstd") else [])


def plain(a):
    coding = a.headers.get("content-encoding")
    if coding == "gzip":
        return gzip.decompress(a.body)
    if coding == "zstd":
        return subprocess.run(["zstd", "-dc"], input=a.body, check=True,
                              capture_output=True).stdout
    return a.body


@pytest.fixture
def big(nfo):
    return nfo.run(BIG)


@pytest.mark.parametrize("coding", CODINGS)
def test_large_answers_are_compressed(nfo, big, coding):
    run = f"/v1/runs/{big['id']}"
    for path, accept in (("/v1/openapi.json", "*/*"),
                         ("/v1/schema/job.json", "*/*"), (run, "*/*"),
                         (f"{run}/tasks/t/log", "text/plain"),
                         (f"{run}/log", "text/plain"),
                         (f"{run}/log", "application/x-ndjson"),
                         (f"{run}/log?grep=77", "text/plain")):
        want = nfo.get(path, Accept=accept)
        got = nfo.get(path, Accept=accept, Accept_Encoding=coding)
        assert "content-encoding" not in want.headers
        assert got.headers["content-encoding"] == coding, path
        assert "Accept-Encoding" in want.headers["vary"]
        assert "Accept-Encoding" in got.headers["vary"]
        assert plain(got) == want.body, path
        assert len(got.body) < len(want.body), path
        assert got.headers.get("etag") == want.headers.get("etag")


@pytest.mark.parametrize("accept,coding", [
    (None, None), ("identity", None), ("br, deflate", None),
    ("gzip;q=0", None), ("gzip;q=0, *;q=0", None), ("GZIP", "gzip"),
    ("gzip;q=0.4, identity;q=0.9", None), ("gzip;q=0.5, zstd;q=0.1", "gzip"),
    ("gzip, zstd", "zstd"), ("*", "zstd"), ("zstd;q=0, *", "gzip"), ("", None)
])
def test_what_is_wanted(nfo, accept, coding):
    headers = {} if accept is None else {"Accept_Encoding": accept}
    a = nfo.get("/v1/openapi.json", **headers)
    assert a.headers.get("content-encoding") == coding


def test_what_is_never_compressed(nfo, big):
    run = f"/v1/runs/{big['id']}"
    every = {"Accept-Encoding": "gzip, zstd"}
    name = {"name": "x" * 100}
    for method, path, body, more in (
            ("GET", f"{run}/artifacts/t.f", None, {}),
            ("GET", f"{run}/events", None, {}),
            ("GET", f"{run}/log", None, {"Accept": "text/event-stream"}),
            ("GET", f"{run}/tasks/t/log", None, {"Range": "bytes=0-5000"}),
            ("GET", f"{run}/tasks/t/log", None, {"Range": "bytes=0-,9-"}),
            ("GET", "/v1/version", None, {}),  # small
            ("POST", "/v1/tokens", name, {})):  # a secret
        a = nfo.ask(method, path, body, {**every, **more})
        assert a.status in (200, 201, 206)
        assert "content-encoding" not in a.headers, path


def test_many_at_once_are_all_served(nfo, big):
    """More than are compressed at a time; the others go as they are."""
    path = f"/v1/runs/{big['id']}/tasks/t/log"
    want = nfo.get(path).body
    open_now = []
    for _ in range(80):
        c = nfo.connect()
        c.request("GET", path, None, {"Accept-Encoding": "gzip"})
        open_now.append(c)
    seen = set()
    for c in open_now:
        a = c.getresponse()
        seen.add(a.getheader("Content-Encoding"))
        body = a.read()
        assert (gzip.decompress(body) if a.getheader("Content-Encoding")
                else body) == want
        c.close()
    assert "gzip" in seen


def test_who_goes_before_the_end_leaves_nothing(nfo, big):
    """The stream outlives its request: it is let go of after it."""
    server = nfo.role("server")
    path = f"/v1/runs/{big['id']}/log?grep=7"
    for _ in range(150):  # more than are compressed at a time
        c = nfo.connect()
        c.request("GET", path, None, {"Accept-Encoding": "gzip",
                                      "Accept": "text/plain"})
        c.sock.recv(100)
        c.close()
    a = nfo.get(path, Accept="text/plain", Accept_Encoding="gzip")
    assert a.headers["content-encoding"] == "gzip"
    assert nfo.role("server") == server


def test_the_record_of_a_run(nfo, big):
    path = f"/v1/runs/{big['id']}/record"
    a = nfo.get(path)
    record = a.json
    digest = base64.b64encode(hashlib.sha256(a.body).digest()).decode()
    assert a.headers["repr-digest"] == f"sha-256=:{digest}:"
    assert a.body == json.dumps(record, sort_keys=True, ensure_ascii=False,
                                separators=(",", ":")).encode()
    assert record["run"] == nfo.fresh(big)
    (attempt,) = record["attempts"]
    assert (attempt["task"], attempt["attempt"], attempt["state"]) == \
        ("t", 1, "succeeded")
    assert record["run"]["tasks"][0]["artifacts"][0]["sha256"] == \
        hashlib.sha256(nfo.get(
            f"/v1/runs/{big['id']}/artifacts/t.f").body).hexdigest()
    nfo.stop()
    nfo("runs")
    assert nfo.get(path).body == a.body
    live = nfo.submit("nfo: 1\nname: l\ntasks: { t: { run: "
                      "sleep 1000 } }").json
    assert nfo.get(f"/v1/runs/{live['id']}/record").status == 409
    nfo.ask("POST", f"/v1/runs/{live['id']}/cancel")
