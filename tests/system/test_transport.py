# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sockets of every kind, many clients at once, and what is done about those
that take too much or too long."""
import contextlib
import os
import pathlib
import re
import resource
import select
import socket
import subprocess
import sys
import threading
import time

import pytest

import nfo as programs
import tlskit

REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
PLAIN = ("--listen", "127.0.0.1:0")


def start(nfo, *options):
    """With a TCP socket besides the Unix one."""
    nfo.serve(*PLAIN, *options)
    nfo.port = tlskit.listening(nfo, "http")[0]
    nfo.token = (nfo.state / "server/token").read_text().strip()


def settings(**more):
    """--set limits.connections=8 ... of limits__connections=8."""
    out = []
    for k, v in more.items():
        out += ["--set", f"{k.replace('__', '.')}={v}"]
    return out


def quick(where):
    """What a client without TCP_NODELAY waits for is not the server."""
    s = socket.create_connection(where)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def tcp(nfo):
    s = quick(("127.0.0.1", nfo.port))
    s.settimeout(programs.LIMIT)
    return s


def unix(nfo):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(programs.LIMIT)
    s.connect(str(nfo.socket))
    return s


def status(s, request=REQUEST):
    """Of one answer; 0: it was closed."""
    try:
        s.sendall(request)
        got = s.recv(65536)
    except ConnectionError:
        return 0
    return int(got.split()[1]) if got else 0


def closed_after(s, limit=programs.LIMIT):
    """Seconds until the other side closed, whatever it still said."""
    began = time.monotonic()
    s.settimeout(limit)
    try:
        while s.recv(65536):
            pass
    except ConnectionError:
        pass
    return time.monotonic() - began


@contextlib.contextmanager
def descriptors(n):
    """Room for so many in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < n:
        pytest.skip(f"only {hard} descriptors here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, n), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# --- sockets ----------------------------------------------------------------

def has_ipv6():
    try:
        tlskit.free_port(socket.AF_INET6, "::1")
        return True
    except OSError:
        return False


def test_several_of_each_together(cold):
    ca = tlskit.CA(cold.home / "ca")
    pair = ca.server()
    more = [cold.home / "a.sock", cold.home / "b.sock"]
    v6 = has_ipv6()
    start(cold, *PLAIN, "--tls-listen", "127.0.0.1:0", "--tls-listen",
          "127.0.0.2:0", "--tls-cert", pair[0], "--tls-key", pair[1],
          "--socket", cold.socket, "--socket", more[0], "--socket", more[1],
          *(("--listen", "[::1]:0", "--tls-listen", "[::1]:0") if v6 else ()))
    for path in (cold.socket, *more):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(path))
            assert status(s) == 200
    plain, secure = (tlskit.listening(cold, x) for x in ("http", "https"))
    assert (len(plain), len(secure)) == ((3, 3) if v6 else (2, 2))
    for port in plain[:2]:
        with socket.create_connection(("127.0.0.1", port)) as s:
            assert status(s) == 200
    if v6:
        with socket.create_connection(("::1", plain[2])) as s:
            assert status(s) == 200
            assert status(s, REQUEST.replace(b"localhost", b"[::1]:7")) == 200
    hosts = ["127.0.0.1", "127.0.0.2", "::1"]
    for host, port in zip(hosts, secure):
        with socket.create_connection((host, port)) as raw, \
                tlskit.context(ca).wrap_socket(
                    raw, server_hostname="localhost") as s:
            assert status(s) == 200
    cold.stop()
    assert not any(p.exists() for p in (cold.socket, *more))


def test_anywhere_when_it_is_said(cold):
    cold.serve("--listen", "0.0.0.0:0", "--set", "plain_listen_anywhere=true")
    cold.port = tlskit.listening(cold, "http")[0]
    with tcp(cold) as s:
        assert status(s) == 200


def test_other_names_of_the_server(cold):
    start(cold, *settings(hosts="ci.example.org"))
    for host, want in ((b"ci.example.org", 200), (b"ci.example.org:80", 200),
                       (b"CI.example.org", 403), (b"example.org", 403),
                       (b"ci.example.org.evil", 403)):
        with tcp(cold) as s:
            assert status(s, REQUEST.replace(b"localhost", host)) == want


# --- socket activation --------------------------------------------------------

HAND_DOWN = """
import os, sys
fds = [int(n) for n in sys.argv[1].split(",")]
for i, fd in enumerate(fds):
    os.dup2(fd, 100 + i)
for i in range(len(fds)):
    os.dup2(100 + i, 3 + i)
    os.close(100 + i)
os.environ.update(LISTEN_FDS=str(len(fds)), LISTEN_FDNAMES=sys.argv[2],
                  LISTEN_PID=str(os.getpid() + int(sys.argv[3])))
os.execv(sys.argv[4], sys.argv[4:])
"""


def hand_down(nfo, sockets, names, *options, wrong_pid=0):
    """What systemd does with an nfo.socket unit."""
    for s in sockets:
        os.set_inheritable(s.fileno(), True)
    out = nfo.home / "serve.err"
    with open(out, "wb") as err:
        nfo.serving = subprocess.Popen(
            [sys.executable, "-c", HAND_DOWN,
             ",".join(str(s.fileno()) for s in sockets), names,
             str(wrong_pid), programs.BIN / "nfo", "serve", "--cgroups",
             "prefer", *map(str, options)],
            env=nfo.env, cwd=nfo.home, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=err,
            pass_fds=[s.fileno() for s in sockets])
    nfo.until(lambda: b"ready" in out.read_bytes()
              or nfo.serving.poll() is not None)
    nfo.note_monitor()
    return out.read_text()


def test_sockets_that_systemd_hands_down(cold):
    ca = tlskit.CA(cold.home / "ca")
    pair = ca.server()
    path = cold.home / "handed.sock"
    with socket.socket(socket.AF_UNIX) as u, \
            socket.create_server(("127.0.0.1", 0)) as p, \
            socket.create_server(("127.0.0.1", 0)) as t:
        u.bind(str(path))
        u.listen()
        ports = p.getsockname()[1], t.getsockname()[1]
        hand_down(cold, (u, p, t), "unix:plain:tls", "--tls-cert", pair[0],
                  "--tls-key", pair[1])
    assert cold.serving.poll() is None
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(path))
        assert status(s) == 200
    with socket.create_connection(("127.0.0.1", ports[0])) as s:
        assert status(s) == 200
    with socket.create_connection(("127.0.0.1", ports[1])) as raw, \
            tlskit.context(ca).wrap_socket(raw, server_hostname="localhost") \
            as s:
        assert status(s) == 200
    assert cold.get("/healthz").status == 200  # and its own
    cold.stop()
    assert path.exists()  # it is systemd's


def test_those_of_somebody_else_are_left_alone(cold):
    with socket.create_server(("127.0.0.1", 0)) as p:
        said = hand_down(cold, (p,), "x", wrong_pid=1)
    assert cold.serving.poll() is None and "http://" not in said


@pytest.mark.parametrize("what", ("datagram", "not-listening", "tls"))
def test_what_cannot_be_handed_down(cold, what):
    kind = socket.SOCK_DGRAM if what == "datagram" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        if what == "tls":
            s.listen()
        said = hand_down(cold, (s,), what)
    assert cold.serving.wait(programs.LIMIT) == 2
    cold.serving = None
    assert "handed down socket 3" in said


# --- limits -----------------------------------------------------------------

def test_one_too_many_is_503_and_the_place_is_free_again(cold):
    start(cold, *settings(limits__connections=8))
    held = [unix(cold) for _ in range(4)] + [tcp(cold) for _ in range(4)]
    assert [status(s) for s in held] == 8 * [200]
    with tcp(cold) as s:
        got = s.recv(4096)
    assert got.startswith(b"HTTP/1.1 503 ") and b"Retry-After:" in got
    assert [status(s) for s in held] == 8 * [200]
    held.pop().close()
    cold.until(lambda: one_more(cold))
    for s in held:
        s.close()


def one_more(nfo):
    with tcp(nfo) as s:
        return status(s) == 200


def test_one_client_does_not_get_all(cold):
    """Of one address and, on the Unix socket, of one user."""
    start(cold, *settings(limits__connections=16,
                          limits__connections_per_client=4))
    for kind in (tcp, unix):
        held = [kind(cold) for _ in range(4)]
        assert [status(s) for s in held] == 4 * [200]
        with kind(cold) as s:
            got = s.recv(4096)
        assert got.startswith(b"HTTP/1.1 429 ") and b"Retry-After:" in got
        for s in held:
            s.close()


def test_a_tls_connection_too_many_is_closed(cold):
    ca = tlskit.CA(cold.home / "ca")
    pair = ca.server()
    cold.serve("--tls-listen", "127.0.0.1:0", "--tls-cert", pair[0],
               "--tls-key", pair[1], *settings(limits__connections=2))
    cold.port = tlskit.listening(cold)[0]
    held = [tcp(cold), tcp(cold)]
    with tcp(cold) as s:
        assert s.recv(4096) == b""
    for s in held:
        s.close()


def test_streams_leave_room_for_questions(cold):
    start(cold, *settings(limits__connections=8,
                          limits__connections_per_client=8))
    ask = REQUEST.replace(b"/healthz", b"/v1/events")
    streams = [unix(cold) for _ in range(6)]
    assert [status(s, ask) for s in streams] == 6 * [200]
    with unix(cold) as s:
        assert status(s, ask) == 503
        assert status(s) == 200
    streams.pop().close()
    # its end is seen when something is sent to it
    assert cold.ask("PUT", "/v1/users/ann", {}).status == 201
    for s in streams:
        s.close()


# --- those that take too long -------------------------------------------------

def test_who_sends_nothing_or_half_a_header_is_closed(cold):
    start(cold, *settings(timeouts__header="1s"))
    with tcp(cold) as silent, tcp(cold) as half:
        half.sendall(REQUEST[:30])
        assert 0.5 < closed_after(half) < 5
        assert closed_after(silent) < 5


def test_a_header_byte_by_byte_is_closed_all_the_same(cold):
    """Slowloris: many of them, and nobody else notices."""
    start(cold, *settings(timeouts__header="2s"))
    slow = [tcp(cold) for _ in range(200)]
    for s in slow:
        s.sendall(REQUEST[:-2])
    began = time.monotonic()
    open_ = set(slow)
    while open_ and time.monotonic() - began < 15:
        for s in list(open_):
            try:
                s.sendall(b"X: y\r\n")
            except OSError:
                open_.discard(s)
        with tcp(cold) as other:
            assert status(other) == 200
        select.select([], [], [], 0.2)
    assert not open_
    assert time.monotonic() - began > 1.5
    for s in slow:
        s.close()


def test_an_idle_connection_is_closed_and_a_busy_one_is_not(cold):
    start(cold, *settings(timeouts__idle="1s"))
    with tcp(cold) as idle, tcp(cold) as busy:
        assert status(idle) == 200
        began = time.monotonic()
        while time.monotonic() - began < 2.5:
            assert status(busy) == 200
            select.select([], [], [], 0.2)
        assert closed_after(idle) < 1


def test_a_body_that_trickles_is_cut_and_one_that_flows_is_not(cold):
    start(cold, *settings(timeouts__body="1s"))
    head = (b"PUT /v1/users/ann HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\n"
            b"Authorization: Bearer %s\r\n" % cold.token.encode())
    began = time.monotonic()
    with tcp(cold) as slow, tcp(cold) as fast:
        slow.sendall(head + b"Content-Length: 60000\r\n\r\n")
        fast.sendall(head + b"Content-Length: 60000\r\n\r\n{")
        n, cut = 1, 0
        while n < 59999:
            fast.sendall(2000 * b" " if n + 2000 < 59999
                         else (59999 - n) * b" ")
            n = min(n + 2000, 59999)
            if not cut:
                try:
                    slow.sendall(b" ")
                    if select.select([slow], [], [], 0)[0]:
                        cut = time.monotonic() - began
                except OSError:
                    cut = time.monotonic() - began
            select.select([], [], [], 0.1)
        fast.sendall(b"}")
        assert fast.recv(65536).startswith(b"HTTP/1.1 201 ")
        assert 0.9 < cut


def test_who_reads_nothing_costs_little_and_not_for_ever(cold):
    """Of a large answer, to many at once."""
    start(cold, *settings(timeouts__idle="3s"))
    run = cold.run("tasks: { t: { run: 'head -c 60000000 /dev/zero | "
                   "tr \"\\\\0\" x > f', artifacts: { f: { path: f } } } }")
    assert run["state"] == "succeeded", run
    found = cold.get(f"/v1/runs/{run['id']}/artifacts").json["items"]
    ask = (f"GET /v1/runs/{run['id']}/artifacts/{found[0]['name']} "
           "HTTP/1.1\r\nHost: localhost\r\n\r\n").encode()
    before = anonymous_kib(cold)
    slow = [unix(cold) for _ in range(100)]
    for s in slow:
        s.sendall(ask)
        assert s.recv(1).startswith(b"H")
    assert cold.get("/v1/runs").status == 200
    assert anonymous_kib(cold) - before < 100 * 64
    # what is in the socket's buffer still comes, then it is over
    watch = Counter(slow)
    cold.until(lambda: watch.hung_up() == len(slow))
    for s in slow:
        s.close()


class Counter:
    def __init__(self, sockets):
        self.poll = select.poll()
        for s in sockets:
            self.poll.register(s, select.POLLRDHUP)

    def hung_up(self):
        return sum(bool(e & (select.POLLRDHUP | select.POLLHUP))
                   for _, e in self.poll.poll(0))


# --- many at once -------------------------------------------------------------

def anonymous_kib(nfo):
    if os.geteuid() != 0:
        pytest.skip("only root may look at the memory of a role")
    text = pathlib.Path(
        f"/proc/{nfo.role('server')}/smaps_rollup").read_text()
    return int(re.search(r"^Anonymous: +(\d+) kB", text, re.M)[1])


@pytest.mark.parametrize("kind, most", (("plain", 12), ("tls", 24)))
def test_what_an_idle_connection_costs(cold, kind, most):
    if "asan" in str(programs.BIN):
        pytest.skip("the sanitizer's memory is not ours")
    ca = tlskit.CA(cold.home / "ca")
    pair = ca.server()
    start(cold, "--tls-listen", "127.0.0.1:0", "--tls-cert", pair[0],
          "--tls-key", pair[1])
    secure = tlskit.listening(cold)[0]
    context = tlskit.context(ca)

    def client():
        if kind == "plain":
            s = tcp(cold)
        else:
            s = context.wrap_socket(
                quick(("127.0.0.1", secure)),
                server_hostname="localhost")
        assert status(s) == 200
        return s

    with descriptors(1024):
        held = [client() for _ in range(64)]
        before = anonymous_kib(cold)
        held += [client() for _ in range(256)]
        each = (anonymous_kib(cold) - before) / 256
        for s in held:
            s.close()
    assert each <= most, each


def test_512_clients_that_stay(cold):
    """All connected, all served, again and again, and none is lost."""
    with descriptors(1024):
        start(cold)
        held = [tcp(cold) for _ in range(512)]
        for _ in range(3):
            for s in held:
                s.sendall(REQUEST)
            for s in held:
                assert s.recv(65536).startswith(b"HTTP/1.1 200 ")
        for s in held:
            s.close()


def test_1000_followers_hear_of_it(cold):
    with descriptors(2048):
        start(cold)
        ask = REQUEST.replace(b"/healthz", b"/v1/events")
        held = [unix(cold) for _ in range(1000)]
        for s in held:
            s.sendall(ask)
        for s in held:
            assert s.recv(65536).startswith(b"HTTP/1.1 200 ")
        run = cold.run("tasks: { t: { run: 'true' } }")
        want = f'"run_id":"{run["id"]}"'.encode()
        end = time.monotonic() + programs.LIMIT
        for s in held:
            got = b""
            while want not in got or b"succeeded" not in got:
                assert time.monotonic() < end, got
                got += s.recv(65536)
        assert cold.get("/healthz").status == 200
        for s in held:
            s.close()


def test_loads_of_wrk_and_h2load(cold):
    ca = tlskit.CA(cold.home / "ca")
    pair = ca.server()
    start(cold, "--tls-listen", "127.0.0.1:0", "--tls-cert", pair[0],
          "--tls-key", pair[1])
    for url in (f"http://127.0.0.1:{cold.port}",
                f"https://127.0.0.1:{tlskit.listening(cold)[0]}"):
        out = subprocess.run(
            ["wrk", "-t1", "-c64", "-d1s", "-H",
             f"Authorization: Bearer {cold.token}", f"{url}/v1/runs"],
            check=True, capture_output=True, text=True,
            timeout=programs.LIMIT).stdout
        assert "Socket errors" not in out and "Non-2xx" not in out, out
        assert int(re.search(r"(\d+) requests in", out)[1]) > 100, out
        out = subprocess.run(
            ["h2load", "--h1", "-n", "2000", "-c", "64", f"{url}/healthz"],
            check=True, capture_output=True, text=True,
            timeout=programs.LIMIT).stdout
        assert re.search(r"2000 succeeded, 0 failed, 0 errored", out), out


def test_the_end_with_clients_of_every_kind(cold):
    """Streams, waiting questions, half requests: it stops all the same."""
    start(cold)
    run = cold.run("tasks: { t: { run: sleep 30 } }", wait=None)
    asks = [b"/v1/events", f"/v1/runs/{run['id']}/events".encode(),
            f"/v1/runs/{run['id']}?wait=30s".encode()]
    held = [unix(cold) for _ in range(8)]
    for i, s in enumerate(held[:6]):
        s.sendall(REQUEST.replace(b"/healthz", asks[i % 3]))
    held[6].sendall(REQUEST[:20])
    server = cold.role("server")
    with unix(cold) as s:
        assert status(s) == 200
    began = time.monotonic()
    cold.stop()
    assert time.monotonic() - began < 10 and server
    said = (cold.home / "serve.err").read_text()
    assert "signal 6" not in said and "libmicrohttpd" not in said, said
    for s in held:
        s.close()
