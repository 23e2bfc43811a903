# SPDX-License-Identifier: AGPL-3.0-or-later
"""`nfo top`: what runs and waits, on a real terminal and elsewhere."""
import fcntl
import json
import os
import pty
import struct
import subprocess
import termios

import nfo as programs

SLOW = ("nfo: 1\nname: slow\nconcurrency: { group: one }\n"
        "tasks: { work: { argv: [sleep, '600'] } }\n")


class Terminal:
    """A command on a pseudo terminal, and what it has shown so far."""

    def __init__(self, nfo, *words, size=(24, 100)):
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        self.before = termios.tcgetattr(theirs)
        self.theirs = theirs
        self.shown = b""
        self.p = subprocess.Popen([programs.BIN / "nfo", *words], env=nfo.env,
                                  stdin=theirs, stdout=theirs, stderr=theirs,
                                  start_new_session=True)

    def until(self, text):
        while text not in self.shown:
            self.shown += os.read(self.ours, 65536)

    def press(self, keys):
        os.write(self.ours, keys)

    def end(self):
        code = self.p.wait(programs.LIMIT)
        after = termios.tcgetattr(self.theirs)
        os.close(self.theirs)
        os.close(self.ours)
        assert after == self.before  # the terminal is as it was
        return code


def two_runs(nfo):
    job = nfo.write("slow.yaml", SLOW)
    first = nfo("run", "--detach", job).out.strip()
    nfo.until(lambda: nfo.get(f"/v1/runs/{first}").json["state"]
              == "running")
    return first, nfo("run", "--detach", job).out.strip()


def test_once(nfo):
    assert "running: 0 (0 tasks), waiting: 0" in nfo("top").out
    first, second = two_runs(nfo)
    shown = nfo("top").out
    running, waiting = shown.split("WAITING")
    assert first in running and "default/slow" in running
    assert second in waiting and "blocked: concurrency" in waiting
    assert "\033" not in shown
    told = json.loads(nfo("top", "-o", "json").out)
    assert [r["id"] for r in told["running"]] == [first]
    assert [r["id"] for r in told["queue"]["items"]] == [second]


def test_on_a_terminal(nfo):
    first, second = two_runs(nfo)
    t = Terminal(nfo, "top")
    t.until(b"WAITING")
    t.until(second.encode())
    assert first.encode() in t.shown
    nfo("cancel", second)  # and it goes without a key being pressed
    t.until(b"waiting: 0")
    fcntl.ioctl(t.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 10, 60, 0, 0))
    t.press(b"q")
    t.until(b"\033[?1049l")
    assert t.end() == 0


def test_an_interrupt_puts_the_terminal_back(nfo):
    t = Terminal(nfo, "top", size=(10, 60))
    t.until(b"WAITING")
    t.p.terminate()
    t.until(b"\033[?1049l")
    assert t.end() == 0


def test_a_server_that_is_gone(cold):
    told = cold("top", "--server", "unix:/nonexistent", code=4)
    assert told.err.startswith("nfo: ")
