# SPDX-License-Identifier: AGPL-3.0-or-later
"""A long transfer says how far it is, on a terminal only.  The server is a
double that stops half way until the line has been seen."""
import http.server
import os
import pty
import threading

import pytest

import nfo as programs

SIZE = 1 << 20


@pytest.fixture
def halting():
    """Serves SIZE bytes; the second half when `go` is set."""
    go = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(SIZE))
            self.end_headers()
            self.wfile.write(b"x" * (SIZE // 2))
            assert go.wait(programs.LIMIT)
            self.wfile.write(b"y" * (SIZE // 2))

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", go
        go.set()
        server.shutdown()
        thread.join()


def command(url, to):
    return ["artifact", "run_x", "a.b", "--to", to, "--server", url]


def test_on_a_terminal(cold, halting):
    url, go = halting
    to = cold.home / "fetched"
    ours, theirs = pty.openpty()
    p = cold.popen(*command(url, to), stderr=theirs)
    os.close(theirs)
    shown = b""
    while b" 50% of 1.0M" not in shown:
        shown += os.read(ours, 4096)
    assert b"a.b: " in shown and not to.exists()
    go.set()
    assert p.wait(programs.LIMIT) == 0
    p.stdout.close()
    assert to.stat().st_size == SIZE
    rest = b""
    try:
        while more := os.read(ours, 4096):
            rest += more
    except OSError:
        pass  # the other side is closed
    os.close(ours)
    assert (shown + rest).endswith(b"\r\x1b[K")  # and the line is gone


def test_not_elsewhere(cold, halting):
    url, go = halting
    go.set()
    done = cold(*command(url, cold.home / "fetched"))
    assert done.err == "" and done.out == ""
