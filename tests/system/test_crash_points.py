# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every place where a crash could hurt is met once under a load of writes, in
the build for it (cmake --preset crash; `./check` makes it).  The server comes
back, and nothing that was answered with 2xx is lost or half there."""
import json
import os
import pathlib
import re

import pytest

import nfo as programs
import oracle
import vaultkit

CRASH_BIN = pathlib.Path(os.environ.get(
    "NFO_CRASH_BIN", programs.TOP / "build/crash/bin"))
FOUND = sorted({
    name for where in ("src", "base")
    for f in (programs.TOP / where).rglob("*.c")
    for name in re.findall(r'CRASH_POINT\("([\w.-]+)"\)', f.read_text())})
SERVER = [n for n in FOUND if not n.startswith(
    ("monitor.", "runner.", "keeper.", "backup.", "restore."))]
needs_build = pytest.mark.skipif(
    not (CRASH_BIN / "nfo").exists(), reason=f"{CRASH_BIN} is not built")


@pytest.fixture
def crash(home, monkeypatch):
    monkeypatch.setattr(programs, "BIN", CRASH_BIN)
    it = programs.Nfo(home)
    yield it
    it.stop()
    print((it.home / "serve.err").read_text())  # shown when it failed
    assert it.left_behind() == []


def finish(it, load):
    """The load ends, and both the server and its disk are looked at."""
    it.until(lambda: up(it))
    load.stop()
    load.check()
    # those too that were made and never answered for
    it.until(lambda: not it.get(
        "/v1/runs?state=queued&state=blocked&state=running").json["items"])
    it.stop()
    known = oracle.check_disk(it.state)
    it.serve()
    it.until(lambda: not {p.name for p in (
        it.state / "server/runs").iterdir()} - known)
    it.stop()
    oracle.check_no_leftovers(it.state, known)


def up(it):
    try:
        return it.get("/readyz").status == 200
    except OSError:
        return False


def test_no_other_build_has_them():
    """And the names are in this one: the test can fail."""
    assert len(FOUND) > 25
    other = pathlib.Path(os.environ.get("NFO_BIN", programs.BIN))
    for program in other.glob("nfo*"):
        data = program.read_bytes()
        assert not [n for n in FOUND if n.encode() + b"\0" in data], program
        assert b"NFO_CRASH" not in data, program


@needs_build
def test_this_build_has_them_and_is_not_installed():
    data = b"".join(p.read_bytes() for p in CRASH_BIN.glob("nfo*"))
    assert [n for n in FOUND if n.encode() + b"\0" not in data] == []
    script = (CRASH_BIN.parent / "cmake_install.cmake").read_text()
    assert "only for tests" in script


@needs_build
@pytest.mark.parametrize("point", SERVER)
def test_the_server_dies_at(crash, point):
    crash.serve()
    load = oracle.Load(crash, point)
    crash.until(lambda: load.acked() > 5)
    armed = crash.state / "server/crash"
    armed.with_suffix(".new").write_text(f"{point} 2")
    armed.with_suffix(".new").rename(armed)
    met = crash.state / "server/crashed"
    crash.until(met.exists)
    assert met.read_text() == f"{point} 2"
    finish(crash, load)


@needs_build
@pytest.mark.parametrize("point", [n for n in FOUND
                                   if n.startswith("runner.")])
def test_a_runner_dies_at(crash, point):
    crash.env["NFO_CRASH"] = f"{point} 3"
    crash.serve()
    load = oracle.Load(crash, point)
    said = crash.home / "serve.err"
    crash.until(lambda: b"its runner died" in said.read_bytes())
    finish(crash, load)


LEASE = """nfo: 1
name: lease
secrets: { db: { vault: database/creds/app, kind: read } }
tasks: { t: { secrets: [db], run: 'test -s "$NFO_SECRETS/db/username"' } }
"""
RIGHTS = """path "database/creds/*" { capabilities = ["read"] }
path "sys/leases/revoke" { capabilities = ["update"] }
"""


@needs_build
@pytest.mark.parametrize("point", [n for n in FOUND
                                   if n.startswith("keeper.")])
def test_the_keeper_dies_at(crash, bao, point):
    """No lease stays, whether its answer was written down or not."""
    bao.policy("jobs", RIGHTS)
    bao.database("app", ttl=3600)
    role_id, secret_id = bao.approle("nfo", ["jobs"])
    path = crash.write("secret-id", secret_id)
    path.chmod(0o600)
    crash.write("policies/test.yaml", vaultkit.POLICY)
    crash.serve("--policy", "policies", "--config", crash.write(
        "server.yaml", json.dumps({"secret_providers": [{
            "address": bao.address, "auth": "approle", "role_id": role_id,
            "secret_id_file": str(path)}]})))
    armed = crash.state / "keeper/crash"
    armed.with_suffix(".new").write_text(point)
    armed.with_suffix(".new").rename(armed)
    met = crash.state / "keeper/crashed"
    run = crash.submit(LEASE).json
    crash.until(met.exists)
    crash.until(lambda: up(crash))
    crash.ended(run)
    bao.wait(lambda: not bao.leases, programs.LIMIT)
    assert crash.run(LEASE)["state"] == "succeeded"
    bao.wait(lambda: not bao.leases, programs.LIMIT)


@needs_build
@pytest.mark.parametrize("point", [n for n in FOUND
                                   if n.startswith("monitor.")])
def test_the_monitor_dies_at(crash, point):
    crash.env["NFO_CRASH"] = f"{point} 7"
    crash.serve()
    load = oracle.Load(crash, point)
    assert crash.serving.wait(programs.LIMIT) == 137
    crash.serving = None
    del crash.env["NFO_CRASH"]
    crash.serve()
    finish(crash, load)
