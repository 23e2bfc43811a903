# SPDX-License-Identifier: AGPL-3.0-or-later
"""The server's disk is full: new runs get 507, what runs ends, and when there
is room again it goes on by itself."""
import io
import os
import subprocess
import tarfile

import pytest

import nfo as programs

HOLD = """
tasks:
  t: { run: 'echo before; while [ ! -e go ]; do sleep 0.02; done; echo after' }
"""
ECHO = "nfo: 1\nname: e\ntasks: { t: { run: echo hi } }\n"
FLOOD = """
tasks:
  t:
    run: |
      echo before
      while [ ! -e go ]; do sleep 0.02; done
      yes 2>&- | head -c 60000000
    sandbox: { limits: { log: 200M } }
"""


def source(size):
    """A tar of one file that no compression makes smaller."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        entry = tarfile.TarInfo("data")
        entry.size = size
        tar.addfile(entry, io.BytesIO(os.urandom(size)))
    return out.getvalue()


@pytest.fixture
def small(home):
    """A server whose state lies on 48 MiB of its own."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    it = programs.Nfo(home)
    it.state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m,mode=700",
                    "tmpfs", it.state], check=True)
    it("runs")
    yield it
    it.stop()
    subprocess.run(["umount", it.state], check=True)
    assert it.left_behind() == []


def fill(nfo):
    filler = nfo.state / "filler"
    with open(filler, "wb", buffering=0) as f:
        size = 1 << 16
        while size:
            try:
                f.write(bytes(size))
            except OSError:
                size //= 2
    return filler


def full(nfo):
    """Asks until the store has no room left; the runs that were taken."""
    taken = []
    for _ in range(5000):
        a = nfo.submit(ECHO)
        if a.status == 507:
            assert a.json["code"] == "disk-full", a
            return taken
        assert a.status == 201, a
        taken.append(a.json)
    raise AssertionError("it is never full")


def go(nfo):
    for work in (nfo.state / "work").iterdir():
        (work / "go").touch()


def test_it_refuses_ends_and_recovers(small):
    run = small.run(HOLD, wait=None)
    small.until_state(run, "running", "t")
    small.until(lambda: small.log(run, "t") == b"before\n")
    filler = fill(small)
    taken = full(small)
    ready = small.get("/readyz")
    assert (ready.status, ready.json["disk_full"]) == (503, True)
    assert b"\nnfo_disk_full 1\n" in small.get("/metrics").body
    go(small)
    end = small.ended(run)
    assert end["state"] == "succeeded", end
    assert small.log(run, "t") == b"before\nafter\n"
    # acknowledged is acknowledged: every one of them comes to an end
    for one in taken:
        assert small.ended(one)["state"] in ("succeeded", "failed")
    assert small.submit(ECHO).status == 507
    filler.unlink()
    small.until(lambda: small.get("/readyz").status == 200)
    again = small.run(ECHO)
    assert again["state"] == "succeeded"
    assert small.log(again, "t") == b"hi\n"
    assert b"\nnfo_disk_full 0\n" in small.get("/metrics").body


def test_a_log_that_finds_no_room_is_said_and_the_server_stays(small):
    """It may take the last of the ballast: then its end is told later."""
    run = small.run(FLOOD, wait=None)
    small.until(lambda: small.log(run, "t") == b"before\n")
    server = small.role("server")
    filler = fill(small)
    full(small)
    go(small)
    small.until(lambda: not small.role("runner"))
    assert small.submit(ECHO).status == 507
    ready = small.get("/readyz")
    assert (ready.status, ready.json["disk_full"]) == (503, True)
    log = small.log(run, "t")
    filler.unlink()
    end = small.ended(run)
    assert (end["state"], end["kind"]) == ("failed", "internal"), end
    assert "No space left" in end["error"], end
    task = small.tasks(end)["t"]
    assert task["log"]["bytes"] == len(log) < 60000000, task
    whole = b"before\n" + b"y\n" * (len(log) // 2)
    assert small.log(run, "t") == log and whole.startswith(log)
    small.until(lambda: small.get("/readyz").status == 200)
    assert small.run(ECHO)["state"] == "succeeded"
    assert small.role("server") == server


def test_a_source_that_finds_no_room(small):
    """And leaves nothing of itself: with room, the same one is taken."""
    data = source(5000000)
    filler = fill(small)
    refused = small.submit(ECHO, source=data)
    assert (refused.status, refused.json["code"]) == (507, "disk-full")
    with open(filler, "r+b") as f:
        f.truncate(filler.stat().st_size - 30000000)
    small.until(lambda: small.get("/readyz").status == 200)
    for _ in range(20):  # the second time it is there already
        assert small.submit(ECHO, source=data, wait="60s").status == 201


def test_a_secret_that_finds_no_room(small):
    """Is refused as such, and what was there stays."""
    path = "/v1/projects/default/secrets/key"
    assert small.ask("PUT", path, b"a value of some length").status == 201
    filler = fill(small)
    for _ in range(1000):
        a = small.ask("PUT", path, os.urandom(8192).hex().encode())
        if a.status != 200:
            break
    assert (a.status, a.json["code"]) == (507, "disk-full"), a
    assert small.get("/readyz").json["keeper"]
    filler.unlink()
    assert small.ask("PUT", path, b"the value at last").status == 200
    run = small.run("""
secrets: { key: { store: key } }
tasks: { t: { secrets: [key], run: 'wc -c < $NFO_SECRETS/key' } }
""")
    assert small.log(run, "t").strip() == b"17", run


def test_a_start_on_a_full_disk_says_so_or_comes_up(small):
    """And loses nothing: what was there is there when there is room."""
    run = small.run(ECHO)
    small.stop()
    filler = fill(small)
    said = small("runs", code=None)
    if said.code:
        assert "space" in said.err.lower() or "full" in said.err.lower(), said
    else:
        assert run["id"] in said.out
        assert small.submit(ECHO).status == 507
    small.stop()
    filler.unlink()
    assert run["id"] in small("runs").out
    assert small.run(ECHO)["state"] == "succeeded"
