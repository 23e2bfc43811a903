# SPDX-License-Identifier: AGPL-3.0-or-later
"""Following a run on the command line: through a restart of the server, with
an interrupt, on a terminal, and what is too large for memory."""
import os
import pty
import signal
import subprocess

import nfo as programs

COUNT = """nfo: 1
name: count
tasks:
  t:
    run: |
      i=0
      while [ $i -lt 150 ]; do echo "line $i"; i=$((i+1)); sleep 0.01; done
finally:
  z: { run: echo bye }
"""
LONG = COUNT.replace("150", "3000")
STUBBORN = """nfo: 1
name: stubborn
tasks:
  t: { grace: 60s, run: "trap '' TERM; echo up; while :; do sleep 1; done" }
"""


def start(nfo, *args):
    """With interrupts as a shell in the foreground gives them."""
    return nfo.popen(*args, preexec_fn=lambda: signal.signal(
        signal.SIGINT, signal.SIG_DFL))


def read_to(p, word):
    """Lines come at once, also through a pipe."""
    lines = b""
    while word not in lines:
        line = p.stdout.readline()
        assert line, (lines, p.stderr.read())
        lines += line
    return lines


def test_the_server_is_killed_under_it(nfo):
    p = start(nfo, "run", nfo.write("job.yaml", COUNT))
    out = read_to(p, b"line 20\n")
    for _ in range(2):
        server = nfo.role("server")
        watched = programs.Watched([server])
        os.kill(server, signal.SIGKILL)
        assert watched.wait() == []
        nfo.until(lambda: nfo.role("server") not in (0, server))
    more, err = p.communicate(timeout=programs.LIMIT)
    lines = (out + more).decode().splitlines()
    assert p.returncode == 0, err
    assert [x.split("| ")[1] for x in lines if "| line" in x] == \
        [f"line {i}" for i in range(150)]
    assert lines[-1].endswith(": succeeded")


def test_an_interrupt_cancels(nfo):
    p = start(nfo, "run", nfo.write("job.yaml", LONG))
    read_to(p, b"line 5\n")
    p.send_signal(signal.SIGINT)
    out, err = p.communicate(timeout=programs.LIMIT)
    assert p.returncode == 1 and b"cancelling" in err
    assert b"| bye" in out and out.endswith(b": cancelled\n")


def test_a_second_one_leaves_it(nfo):
    p = start(nfo, "run", nfo.write("job.yaml", STUBBORN))
    read_to(p, b"| up\n")
    p.send_signal(signal.SIGINT)
    assert b"cancelling" in p.stderr.readline()
    p.send_signal(signal.SIGINT)
    _, err = p.communicate(timeout=programs.LIMIT)
    assert p.returncode == 130 and b"the run goes on" in err
    run = nfo.get("/v1/runs").json["items"][0]
    assert run["state"] == "running"


def test_an_interrupt_of_logs_cancels_nothing(nfo):
    run = nfo.run(LONG, wait=None)
    p = start(nfo, "logs", "-f", run["id"])
    read_to(p, b"line 5\n")
    p.send_signal(signal.SIGINT)
    p.communicate(timeout=programs.LIMIT)
    assert p.returncode == 130
    assert nfo.fresh(run)["state"] == "running"


def on_terminal(nfo, *args):
    ours, theirs = pty.openpty()
    p = nfo.popen(*args, stdout=theirs)
    os.close(theirs)
    out = b""
    try:
        while more := os.read(ours, 65536):
            out += more
    except OSError:
        pass  # the other side is closed
    os.close(ours)
    p.communicate(timeout=programs.LIMIT)
    return out


def test_a_log_cannot_speak_to_the_terminal(nfo):
    text = b"\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b[2J\x1b[6n end"
    script = text.decode().replace("\x1b", "\\033").replace("\x07", "\\007")
    job = nfo.write("job.yaml", "nfo: 1\nname: x\ntasks:\n  t:\n"
                    f"    run: printf '{script}\\n'\n")
    shown = b"\x1b[31mred\x1b[0m ^[]0;title^G ^[[2J^[[6n end\x1b[0m\r\n"
    assert shown in on_terminal(nfo, "run", job)
    run = nfo.get("/v1/runs").json["items"][0]["id"]
    assert on_terminal(nfo, "logs", run, "t") == shown
    with nfo.popen("logs", run, "t") as p:  # and no terminal gets all of it
        assert p.communicate()[0] == text + b"\n"


def test_more_than_fits_into_memory(nfo):
    """An answer that is kept is at most 32 MiB; these are not kept."""
    size = 40 << 20
    run = nfo.run("tasks:\n  t:\n    sandbox: { limits: { log: 100M, disk: 200M } }\n"
                  f"    run: yes 2>&- | head -c {size}; yes 2>&- | head -c {size} > a\n"
                  "    artifacts: { a: { path: a } }\n")
    assert run["state"] == "succeeded", run
    there = nfo.write("there", "before")
    nfo("artifact", run["id"], "t.b", "--to", there, code=2)
    assert there.read_text() == "before"
    nfo("artifact", run["id"], "t.a", "--to", there)
    assert there.stat().st_size == size
    assert sorted(p.name for p in nfo.home.iterdir() if "there" in p.name) == \
        ["there"]
    with nfo.popen("logs", run["id"], "t") as p:
        assert sum(map(len, iter(lambda: p.stdout.read(1 << 20), b""))) == size
    wrong = nfo("artifact", run["id"], "t.a", "--to", "/dev/full", code=None)
    assert wrong.code != 0 and "/dev/full: No space left" in wrong.err
    with open("/dev/full", "wb") as full, nfo.popen(
            "logs", run["id"], "t", stdout=full,
            stderr=subprocess.PIPE) as p:
        assert b"standard output" in p.communicate()[1] and p.returncode != 0
