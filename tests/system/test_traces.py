# SPDX-License-Identifier: AGPL-3.0-or-later
"""While a task holds its secrets: no other process of ours does.  (What is left
on the disk is looked through after every test, see conftest.py.)"""
import os
import pathlib

import pytest

import traces
import vaultkit

VALUE = b"q7Zk-R3_xW9vTb5+Lm2/Yd8H"
HOLDERS = ("nfo: keeper", "nfo: runner")
ROLES = ("nfo: server", "nfo: spawner", "nfo: zygote")

JOB = """
secrets: { key: { store: key } }
tasks:
  t:
    secrets: [key]
    run: |
      cat "$NFO_SECRETS/key" "$NFO_SECRETS/key" >&2
      base64 "$NFO_SECRETS/key"
      echo; echo up; exec sleep 300
"""


def line_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.fixture
def held(nfo):
    """A task that sleeps on its secret; the processes there are."""
    nfo("secret", "put", "key", stdin=VALUE)
    run = nfo.submit("nfo: 1\nname: test\n" + JOB).json
    nfo.until(lambda: b"up" in nfo.log(run, "t"))
    yield {pid: line_of(pid).rstrip(b"\0").decode() for pid in nfo.processes()}
    nfo("cancel", run["id"])
    nfo.ended(run)


def test_roles_are_there(held):
    assert {*HOLDERS, *ROLES} <= set(held.values()), held


def test_environment_and_arguments(held):
    for pid in held:
        for name in ("environ", "cmdline", "comm"):
            try:
                content = pathlib.Path(f"/proc/{pid}/{name}").read_bytes()
            except OSError:
                continue  # not even we may look: good
            assert traces.in_bytes(content, [VALUE]) == [], (held[pid], name)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may look")
def test_memory(held):
    """The roles that are not meant to have it; and that the search finds it
    where it is."""
    found = {held[pid] for pid in held
             if held[pid].startswith("nfo") and traces.in_memory(pid, [VALUE])}
    assert "nfo: runner" in found
    assert found <= set(HOLDERS), found


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may look")
def test_no_core_and_no_swap(held):
    """Whoever holds it writes no core and lets nobody of its user look; what
    it keeps it in is locked and left out of a dump."""
    for pid, name in held.items():
        if name not in HOLDERS:
            continue
        limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
        (core,) = [x.split()[4:6] for x in limits.splitlines()
                   if x.startswith("Max core file size")]
        assert core == ["0", "0"], (name, core)
        # not dumpable: its /proc is root's
        assert os.stat(f"/proc/{pid}/environ").st_uid == 0
        smaps = pathlib.Path(f"/proc/{pid}/smaps").read_text()
        assert any("lo" in flags and "dd" in flags for flags in
                   (x.split()[1:] for x in smaps.splitlines()
                    if x.startswith("VmFlags:"))), name


def test_no_core_of_a_task_that_crashes(nfo):
    """It may ask for one as it likes."""
    nfo("secret", "put", "key", stdin=VALUE)
    run = nfo.run(JOB.replace("exec sleep 300", "ulimit -c unlimited || true\n      "
                              "x=$(cat \"$NFO_SECRETS/key\"); kill -SEGV $$"))
    assert nfo.tasks(run)["t"]["signal"] == 11, run
    for top in (nfo.home, pathlib.Path.cwd()):
        assert [p for p in top.rglob("core*") if p.is_file() and
                traces.in_bytes(p.read_bytes(), [VALUE])] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may look")
def test_the_keeper_has_no_copy_left_of_what_a_vault_gave(cold, tls_bao):
    """Neither libcurl, nor TLS, nor the parser of the answer."""
    bao = tls_bao
    bao.policy("jobs", vaultkit.READS)
    bao.kv(vaultkit.KV, "app", {"token": VALUE.decode()})
    vaultkit.serve(cold, bao, ca_file=str(bao.ca_file))
    declared = {"key": "{ vault: kv/app, field: token }"}
    for _ in range(3):
        vaultkit.succeeds(cold, declared, "true")
    keeper = cold.role("keeper")
    cold.until(lambda: traces.in_memory(keeper, [VALUE]) == [])
