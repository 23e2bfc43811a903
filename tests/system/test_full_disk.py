# SPDX-License-Identifier: AGPL-3.0-or-later
"""The server's disk is full: new runs get 507, what runs ends, and when there
is room again it goes on by itself."""
import os
import subprocess

import pytest

import nfo as programs

HOLD = """
tasks:
  t: { run: 'echo before; while [ ! -e go ]; do sleep 0.02; done; echo after' }
"""
ECHO = "nfo: 1\nname: e\ntasks: { t: { run: echo hi } }\n"


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


def test_it_refuses_ends_and_recovers(small):
    run = small.run(HOLD, wait=None)
    small.until_state(run, "running", "t")
    small.until(lambda: small.log(run, "t") == b"before\n")
    filler = fill(small)
    taken = full(small)
    ready = small.get("/readyz")
    assert (ready.status, ready.json["disk_full"]) == (503, True)
    assert b"\nnfo_disk_full 1\n" in small.get("/metrics").body
    for work in (small.state / "work").iterdir():
        (work / "go").touch()
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
