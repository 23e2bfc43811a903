# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the server says of requests: a line each, where that is wanted, with
nothing in it that a client could forge."""
import json
import re
import socket

import pytest

import nfo as programs


def lines(nfo):
    return (nfo.home / "serve.err").read_text().splitlines()


def line_of(nfo, answer):
    id = answer.headers["x-request-id"]
    return nfo.until(lambda: [x for x in lines(nfo) if id in x])[0]


def raw(nfo, data):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(programs.LIMIT)
        s.connect(str(nfo.socket))
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        while s.recv(65536):
            pass


@pytest.fixture
def logged(cold):
    cold.serve("--set", "log.requests=true")
    return cold


def test_a_line_of_key_and_value(logged):
    a = logged.get("/v1/whoami")
    line = line_of(logged, a)
    assert re.fullmatch(
        r"time=\S+Z level=info role=server msg=request method=GET "
        r"path=/v1/whoami status=200 bytes=%d us=\d+ request_id=%s "
        r"who=uid:\d+ client=unix" % (len(a.body), a.headers["x-request-id"]),
        line), line


def test_in_json(cold):
    cold.serve("--set", "log.requests=true", "--set", "log.format=json")
    a = cold.get("/v1/nothing")
    line = json.loads(line_of(cold, a))
    assert (line["msg"], line["status"], line["path"], line["bytes"]) == \
        ("request", 404, "/v1/nothing", len(a.body))
    said = lines(cold)
    assert len(said) > 1
    for line in said[[x[0] for x in said].index("{"):]:
        assert json.loads(line)["role"] in ("monitor", "server", "keeper",
                                            "spawner", "zygote")


def test_none_without_being_asked_for(cold):
    cold.serve()
    cold.get("/v1/whoami")
    cold.stop()
    assert not [x for x in lines(cold) if "whoami" in x]


def test_the_query_is_not_in_it(logged):
    a = logged.get("/v1/runs?state=failed&token=sesame")
    assert line_of(logged, a)
    assert "sesame" not in "\n".join(lines(logged))


def test_streams_tell_what_went(logged):
    run = logged.run("tasks: { a: { run: 'seq 1000' } }")
    a = logged.get(f"/v1/runs/{run['id']}/log", Accept="application/x-ndjson")
    assert f" bytes={len(a.body)} " in line_of(logged, a)
    a = logged.ask("HEAD", f"/v1/runs/{run['id']}")
    assert " bytes=0 " in line_of(logged, a)


@pytest.mark.parametrize("path", (
    b"/v1/a\x1b[31m", b"/v1/a\xc2\x9b31m", b"/v1/\xff\xfe",
    b"/v1/%0d%0alevel=error", b'/v1/x" level=error msg="forged'))
def test_nothing_is_forged(logged, path):
    before = len(lines(logged))
    raw(logged, b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\n"
        b"Connection: close\r\n\r\n")
    marked = logged.get("/v1/version")
    line_of(logged, marked)
    for line in lines(logged)[before:]:
        assert line.isprintable(), line
        assert line.startswith("time="), line
        assert " level=info role=server msg=request method=" in line, line


def test_the_level(cold):
    """Nothing tells of the start then; but of what is wrong."""
    file = cold.home / "quiet.err"
    with open(file, "wb") as err:
        cold.serving = cold.popen("serve", "--cgroups", "prefer", "--set",
                                  "log.level=error", stderr=err)
    cold.until(lambda: cold.socket.exists() and
               cold.get("/readyz").status == 200)
    cold.note_monitor()
    cold.get("/v1/whoami")
    cold.stop()
    assert " level=" not in file.read_text()
