# SPDX-License-Identifier: AGPL-3.0-or-later
"""HTTP/1.1 over bare sockets (RFC 9112): what is a request and what is none,
and that nothing is two requests for us and one for a proxy."""
import itertools
import pathlib
import re
import shutil
import socket
import tempfile

import pytest

import nfo as programs

GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
CLOSE = b"Connection: close\r\n\r\n"
FRESH = itertools.count()


def put():
    """A request to make a user that is not there; its headers go on."""
    return (b"PUT /v1/users/u%d HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\n" % next(FRESH))


@pytest.fixture(scope="module")
def nfo():
    """One server for all: nothing here changes how it is."""
    home = pathlib.Path(tempfile.mkdtemp(prefix="nfo-", dir="/tmp"))
    home.chmod(0o755)
    it = programs.Nfo(home)
    it("runs")
    yield it
    it.stop()
    assert it.left_behind() == []
    shutil.rmtree(home)


def users(nfo):
    return {u["name"] for u in nfo.get("/v1/users?limit=200").json["items"]}


def connect(nfo):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(programs.LIMIT)
    s.connect(str(nfo.socket))
    return s


def talk(nfo, data, half_close=False):
    """Everything that comes back, to the end."""
    with connect(nfo) as s:
        s.sendall(data)
        if half_close:
            s.shutdown(socket.SHUT_WR)
        got = b""
        try:
            while more := s.recv(65536):
                got += more
        except ConnectionError:
            pass
    return got


def statuses(answers):
    return [int(n) for n in re.findall(rb"HTTP/1\.[01] (\d{3}) ", answers)]


def test_pipelined_requests_are_answered_in_order(nfo):
    got = talk(nfo, GET + b"\r\n" + put() + b"Content-Length: 2\r\n\r\n{}"
               + b"GET /v1/nothing HTTP/1.1\r\nHost: localhost\r\n\r\n"
               + GET + CLOSE)
    assert statuses(got) == [200, 201, 404, 200]


def test_a_hundred_pipelined_requests(nfo):
    assert statuses(talk(nfo, 100 * (GET + b"\r\n") + GET + CLOSE)) == \
        101 * [200]


def test_byte_by_byte(nfo):
    with connect(nfo) as s:
        for b in GET + CLOSE:
            s.sendall(bytes([b]))
        assert statuses(s.recv(65536)) == [200]


def test_one_point_one_is_kept_alive_and_says_close_when_asked(nfo):
    with connect(nfo) as s:
        for _ in range(3):
            s.sendall(GET + b"\r\n")
            got = s.recv(65536)
            assert statuses(got) == [200] and b"close" not in got.lower()
    assert b"connection: close" in talk(nfo, GET + CLOSE).lower()


def test_one_point_zero_closes_and_is_kept_alive_when_asked(nfo):
    assert statuses(talk(nfo, b"GET /healthz HTTP/1.0\r\n\r\n")) == [200]
    with connect(nfo) as s:
        for _ in range(2):
            s.sendall(b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n"
                      b"Connection: keep-alive\r\n\r\n")
            assert statuses(s.recv(65536)) == [200]


def test_chunked(nfo):
    got = talk(nfo, put() + b"Transfer-Encoding: chunked\r\n" + CLOSE
               + b'7;a=b\r\n{"full_\r\n10\r\nname": "Ann B."}\r\n'
               b"0\r\nX-Trailer: 1\r\n\r\n")
    assert statuses(got) == [201] and b"Ann B." in got


def test_a_refusal_does_not_end_the_connection(nfo):
    with connect(nfo) as s:
        for _ in range(3):
            s.sendall(b"GET /v1/nothing HTTP/1.1\r\nHost: localhost\r\n\r\n")
            got = s.recv(65536)
            assert statuses(got) == [404] and b"close" not in got.lower()


def test_expect_100_continue(nfo):
    with connect(nfo) as s:
        s.sendall(put() + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert statuses(s.recv(65536)) == [100]
        s.sendall(b"{}")
        assert statuses(s.recv(65536)) == [201]


def test_what_is_refused_is_refused_before_the_body(nfo):
    with connect(nfo) as s:
        s.sendall(b"PUT /v1/nothing HTTP/1.1\r\nHost: localhost\r\n"
                  + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert statuses(s.recv(65536)) == [404]


def test_absolute_form(nfo):
    got = talk(nfo, b"GET http://localhost/healthz HTTP/1.1\r\n"
               b"Host: localhost\r\n" + CLOSE)
    assert statuses(got) == [200]


@pytest.mark.parametrize("line", (
    b"GET http://evil.example/healthz HTTP/1.1",
    b"GET ftp://localhost/healthz HTTP/1.1",
    b"GET http:///healthz HTTP/1.1",
    b"GET healthz HTTP/1.1",
    b"GET * HTTP/1.1",
    b"CONNECT localhost:80 HTTP/1.1",
    b"GET /health z HTTP/1.1",
    b"GET /healthz?a=b c HTTP/1.1",
    b"GET /h\x01 HTTP/1.1",
    b"GET /h\xe4 HTTP/1.1",
    b"GET /healthz#x HTTP/1.1",
    b"GE(T /healthz HTTP/1.1",
    b"GET /healthz HTTP/1.x",
    b"GET /healthz JUNK",
    b"GET",
    b":",
))
def test_first_lines_that_are_none(nfo, line):
    got = talk(nfo, line + b"\r\nHost: localhost\r\n\r\n" + GET + CLOSE)
    assert statuses(got)[:1] in ([400], [405], []), got
    assert len(statuses(got)) <= 1, got


@pytest.mark.parametrize("version", (b"HTTP/2.0", b"HTTP/0.9", b"HTTP/3.0"))
def test_other_versions(nfo, version):
    got = talk(nfo, b"GET /healthz " + version
               + b"\r\nHost: localhost\r\n\r\n" + GET + CLOSE)
    assert statuses(got) == [505], got


SMUGGLED = b"GET /v1/users HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize("headers, status", (
    (b"Content-Length: 0\r\nContent-Length: 2\r\n", 400),
    (b"Content-Length: 2\r\nContent-Length: 2\r\n", 400),
    (b"Content-Length: 2, 2\r\n", 400),
    (b"Content-Length: +2\r\n", 400),
    (b"Content-Length: -2\r\n", 400),
    (b"Content-Length: 0x2\r\n", 400),
    (b"Content-Length: 2 2\r\n", 400),
    (b"Content-Length:\r\n", 400),
    (b"Content-Length: 99999999999999999999999\r\n", 413),
    (b"Content-Length : 2\r\n", 400),
    (b"Content-Length\t: 2\r\n", 400),
    (b"Content-Length\x0b: 2\r\n", 400),
    (b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", 400),
    (b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n", 400),
    (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400),
    (b"Transfer-Encoding: chunked, identity\r\n", 501),
    (b"Transfer-Encoding: identity\r\n", 501),
    (b"Transfer-Encoding: gzip, chunked\r\n", 501),
    (b"Transfer-Encoding: xchunked\r\n", 501),
    (b"Transfer-Encoding:\x0bchunked\r\n", 400),
    (b"Transfer-Encoding: chunked\r\nHost: localhost\r\n", 400),
    (b"Expect: 200-ok\r\n", 417),
    (b"A header without a colon\r\n", 400),
    (b"X: a\x00b\r\n", 400),
    (b"X: a\x07b\r\n", 400),
    (b": nameless\r\n", 400),
))
def test_what_could_be_read_in_two_ways_is_refused_and_the_end(
        nfo, headers, status):
    got = talk(nfo, put() + headers + b"\r\n" + b"0\r\n\r\n" + SMUGGLED,
               half_close=True)
    # MHD says its own head twice, in what is then the body
    assert set(statuses(got)) == {status}, got
    assert b'"items"' not in got


@pytest.mark.parametrize("hosts", (b"", b"Host: a\r\nHost: a\r\n"))
def test_host_once(nfo, hosts):
    got = talk(nfo, b"GET /healthz HTTP/1.1\r\n" + hosts + b"\r\n" + GET
               + CLOSE)
    assert statuses(got) == [400], got


@pytest.mark.parametrize("body", (
    b"zz\r\n{}\r\n0\r\n\r\n", b"-1\r\n{}\r\n0\r\n\r\n",
    b"2\r\n{}xx0\r\n\r\n", b"ffffffffffffffffff\r\n{}\r\n0\r\n\r\n",
    b"0x2\r\n{}\r\n0\r\n\r\n", b"\r\n\r\n",
))
def test_bad_chunks(nfo, body):
    before = users(nfo)
    got = talk(nfo, put() + b"Transfer-Encoding: chunked\r\n\r\n" + body
               + SMUGGLED, half_close=True)
    assert statuses(got) in ([400], [413], []), got
    assert users(nfo) == before


def test_half_a_body_is_none(cold):
    cold.serve("--set", "timeouts.body=1s")
    before = users(cold)
    got = talk(cold, put() + b"Content-Length: 20\r\n\r\n{}",
               half_close=True)
    assert 201 not in statuses(got)
    assert users(cold) == before


@pytest.mark.parametrize("n, status", ((7000, 200), (12000, 431),
                                       (200000, 431)))
def test_headers_have_a_limit(nfo, n, status):
    got = talk(nfo, GET + b"X: " + n * b"a" + b"\r\n" + CLOSE)
    assert statuses(got) == [status]


def test_a_long_target_has_a_limit(nfo):
    got = talk(nfo, b"GET /v1/runs?cursor=" + 50000 * b"a"
               + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert statuses(got) in ([414], [431], [])


def test_many_headers(nfo):
    got = talk(nfo, GET + b"".join(b"X%d: y\r\n" % i for i in range(90))
               + CLOSE)
    assert statuses(got) == [200]
    got = talk(nfo, GET + b"".join(b"X%d: y\r\n" % i for i in range(5000))
               + CLOSE)
    assert statuses(got) in ([431], [])


def test_a_folded_header_is_one(nfo):
    got = talk(nfo, GET + b"X: a\r\n b\r\n" + CLOSE)
    assert statuses(got) in ([200], [400])


def test_options_of_all(nfo):
    got = talk(nfo, b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n" + CLOSE)
    assert statuses(got) in ([204], [200], [404])


def test_head_has_no_body(nfo):
    got = talk(nfo, b"HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
               + GET + CLOSE)
    assert statuses(got) == [200, 200]
    assert got.index(b"\r\n\r\nHTTP/1.1 200") > 0


def test_empty_lines_before_a_request(nfo):
    assert statuses(talk(nfo, b"\r\n\r\n" + GET + CLOSE)) == [200]
