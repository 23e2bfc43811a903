# SPDX-License-Identifier: AGPL-3.0-or-later
"""A body whose request is refused at its headers: who sends it sees why."""
import http.client
import socket

import pytest

BIG = 8 << 20  # far more than any socket holds
RUNS = "/v1/projects/default/runs"


@pytest.mark.parametrize("method, path, headers, status", [
    ("POST", RUNS, {"Authorization": "Bearer wrong"}, 401),
    ("POST", "/v1/nothing", {}, 404),
    ("PATCH", "/v1/runs", {}, 405),
    ("GET", "/v1/runs", {}, 413),
    ("POST", "/v1/validate", {}, 413),
    ("POST", RUNS, {}, 413),
])
def test_the_sender_is_heard_out(tcp, method, path, headers, status):
    headers = {"Authorization": f"Bearer {tcp.token}", **headers}
    for chunked in (False, True):
        c = http.client.HTTPConnection("127.0.0.1", tcp.port, timeout=30)
        body = (b"x" * 65536 for _ in range(BIG // 65536)) if chunked \
            else b"x" * BIG
        c.request(method, path, body, headers, encode_chunked=chunked)
        a = c.getresponse()
        assert a.status == status, (chunked, a.read())
        a.read()
        used = c.sock
        c.request("GET", "/healthz")  # and the connection is still good
        a = c.getresponse()
        assert a.status == 200 and c.sock is used, a.read()
        c.close()


def stream(nfo):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(30)
    s.connect(str(nfo.socket))
    return s


def test_who_waits_for_100_is_answered_at_once(nfo):
    with stream(nfo) as s:
        s.sendall(b"POST /v1/nothing HTTP/1.1\r\nHost: localhost\r\n"
                  b"Content-Length: 8388608\r\nExpect: 100-continue\r\n\r\n")
        assert s.recv(4096).startswith(b"HTTP/1.1 404 ")


def test_a_refused_body_without_end_is_cut(nfo):
    sent = 0
    with stream(nfo) as s, pytest.raises((BrokenPipeError,
                                            ConnectionResetError)):
        s.sendall(b"POST /v1/nothing HTTP/1.1\r\nHost: localhost\r\n"
                  b"Transfer-Encoding: chunked\r\n\r\n")
        while sent < 64 << 20:
            s.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            sent += 65536
    assert sent < 24 << 20


def test_a_stranger_does_not_learn_which_verbs_there_are(tcp):
    for method, path in (("PATCH", "/v1/runs"), ("OPTIONS", "/v1/runs"),
                         ("GET", "/v1/nothing")):
        c = http.client.HTTPConnection("127.0.0.1", tcp.port, timeout=30)
        c.request(method, path)
        a = c.getresponse()
        assert a.status == 401 and not a.getheader("Allow")
        c.close()
