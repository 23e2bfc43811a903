# SPDX-License-Identifier: AGPL-3.0-or-later
"""A backup is taken while runs are made, and put into another server; what is
no backup changes nothing."""
import contextlib
import hashlib
import io
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import tarfile
import tempfile

import pytest

import nfo as programs
import oracle
from test_crash_points import CRASH_BIN, needs_build, up

MAKES = "nfo: 1\nname: makes\ntasks:\n  t: { run: 'echo %s | tee a', " \
        "artifacts: { a: { path: a } } }\n"


def backup(nfo):
    a = nfo.ask("POST", "/v1/system/backup")
    assert a.status == 200, a
    assert a.headers["content-type"] == "application/x-tar"
    return a.body


def members(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return [(m.name, tar.extractfile(m).read()) for m in tar]


def pack(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as t:
        for name, data in files:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            t.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def repack(files):
    """With a manifest that is true: only the content is wrong."""
    files = [f for f in files if f[0] != "manifest.json"]
    counted = [f for f in files if f[0] != "nfo-backup.json"]
    lines = "".join(f"{hashlib.sha256(d).hexdigest()} {len(d)} {n}\n"
                    for n, d in counted)
    manifest = {"files": len(counted), "bytes": sum(len(d) for _, d in
                                                    counted),
                "list": hashlib.sha256(lines.encode()).hexdigest()}
    return pack([*files, ("manifest.json", json.dumps(manifest).encode())])


def maintenance(nfo, on=True):
    a = nfo.ask("PUT", "/v1/system/maintenance", {"on": on})
    assert a.status in (200, 201), a


def restore(nfo, data):
    return nfo.ask("POST", "/v1/system/restore", data,
                   {"Content-Type": "application/x-tar"})


def restored(nfo, data):
    """And the server is there again."""
    server = nfo.role("server")
    a = restore(nfo, data)
    assert a.status == 202, a
    nfo.until(lambda: nfo.role("server") not in (0, server) and up(nfo))


@contextlib.contextmanager
def another():
    path = pathlib.Path(tempfile.mkdtemp(prefix="nfo-", dir="/tmp"))
    path.chmod(0o755)
    it = programs.Nfo(path)
    it.serve()
    try:
        yield it
    finally:
        it.stop()
        assert it.left_behind() == []
        shutil.rmtree(path)


def database(data, where):
    path = pathlib.Path(where) / "copy.db"
    path.write_bytes(dict(members(data))["nfo.db"])
    return sqlite3.connect(path)


def test_taken_under_load_and_put_into_another_server(cold):
    cold.serve()
    load = oracle.Load(cold, "backup")
    cold.until(lambda: load.acked() > 60)
    acked = {r for c in load.clients for r in set(c.runs) - c.unsure}
    data = backup(cold)
    load.stop()
    files = members(data)
    names = [n for n, _ in files]
    assert names[0] == "nfo-backup.json" and names[-1] == "manifest.json"
    first = json.loads(files[0][1])
    assert first["format"] == 1 and first["secrets"] is False
    assert repack(files) and json.loads(files[-1][1]) == json.loads(
        dict(members(repack(files)))["manifest.json"])
    db = database(data, cold.home)
    there = {f"run_{u}" for (u,) in db.execute("SELECT ulid FROM runs")}
    assert acked <= there
    for (sha,) in db.execute("SELECT DISTINCT sha256 FROM artifacts"):
        assert f"blobs/{sha}" in names
    assert not [n for n in names if "keeper" in n or "key" in n]
    ended = [f"run_{u}" for (u,) in db.execute(
        "SELECT ulid FROM runs WHERE state=3 "
        "AND project='default'")]
    # those of the project `short` are kept for a moment only, there too
    kept = {f"run_{u}" for (u,) in db.execute(
        "SELECT ulid FROM runs WHERE project='default'")}
    db.close()
    with another() as to:
        gone = to.run("tasks: { t: { run: echo before } }")
        maintenance(to)
        restored(to, data)
        assert to.get(f"/v1/runs/{gone['id']}").status == 404
        assert to.get("/v1/system/maintenance").json["on"] is True
        assert ended
        for run in ended:
            got, was = to.get(f"/v1/runs/{run}"), cold.get(f"/v1/runs/{run}")
            assert got.status == 200
            if was.status == 404:  # deleted since
                continue
            assert got.json == was.json
            for task in got.json["tasks"]:
                assert to.log(got.json, task["name"]) == \
                    cold.log(got.json, task["name"])
        maintenance(to, False)
        for run in kept:
            to.ended({"id": run})
        assert to.run("tasks: { t: { run: echo after } }")["state"] == \
            "succeeded"


def wrong(good):
    """Archives that are none, by what is wrong with them."""
    files = members(good)
    blob = next(i for i, (n, _) in enumerate(files) if n[:6] == "blobs/")

    def but(i, name=None, data=None):
        n, d = files[i]
        return files[:i] + [(name or n, d if data is None else data)] + \
            files[i + 1:]

    with tempfile.TemporaryDirectory() as where:
        path = pathlib.Path(where) / "x.db"
        for name, sql in (
                ("a trigger", "CREATE TRIGGER x AFTER INSERT ON runs BEGIN "
                 "DELETE FROM tokens; END"),
                ("a view", "CREATE VIEW x AS SELECT 1"),
                ("a table less", "DROP TABLE keys"),
                ("a version to come", "PRAGMA user_version=999")):
            path.write_bytes(files[1][1])
            db = sqlite3.connect(path)
            db.executescript(sql)
            db.close()
            yield name, repack(but(1, data=path.read_bytes()))
    damaged = bytearray(files[1][1])
    damaged[4096:8192] = os.urandom(4096)
    yield "a damaged database", repack(but(1, data=bytes(damaged)))
    yield "no database", repack(but(1, data=b"no database"))
    yield "another content", repack(but(blob, data=b"something else"))
    yield "a byte changed", pack(but(1, data=bytes(damaged)))
    yield "one file less", pack(files[:blob] + files[blob + 1:])
    yield "no manifest", pack(files[:-1])
    yield "a manifest of nothing", pack(but(-1 % len(files), data=b"{"))
    yield "cut off", good[:len(good) // 2]
    yield "nothing", b""
    yield "no tar", b"x" * 2048
    yield "another form", pack(but(0, data=b'{"format":2}'))
    yield "no head", pack(files[1:])
    yield "twice", repack(files[:-1] + [files[blob]])
    for name in ("../x", "/etc/x", "token", "blobs/../../token", "runs/x/y",
                 "blobs/" + "A" * 64, "runs/01AAAAAAAAAAAAAAAAAAAAAAAA/"
                 "000-t@1/result", "nfo.db-wal"):
        yield f"a file {name}", repack(files[:-1] + [(name, b"x")])
    link = io.BytesIO()
    with tarfile.open(fileobj=link, mode="w") as t:
        entry = tarfile.TarInfo("nfo-backup.json")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        t.addfile(entry)
    yield "a link", link.getvalue()


def test_what_is_no_backup_changes_nothing(nfo):
    run = nfo.run(MAKES % "here")
    token = (nfo.state / "server/token").read_bytes()
    data = backup(nfo)
    maintenance(nfo)
    pid = nfo.role("server")
    for what, bad in wrong(data):
        a = restore(nfo, bad)
        assert a.status in (400, 413, 422), (what, a)
        assert a.json["code"], what
        assert not (nfo.state / "server/restore.ready").exists(), what
        assert not (nfo.state / "server/tmp/restore").exists(), what
    assert nfo.role("server") == pid
    assert nfo.log(run, "t") == b"here\n"
    assert (nfo.state / "server/token").read_bytes() == token
    restored(nfo, data)  # and the good one is taken
    assert nfo.log(run, "t") == b"here\n"


def test_only_in_maintenance_and_when_nothing_runs(nfo):
    run = nfo.run("tasks: { t: { run: 'echo on; sleep 60' } }", wait=None)
    nfo.until_state(run, "running")
    data = backup(nfo)
    assert restore(nfo, data).status == 409
    maintenance(nfo)
    assert restore(nfo, data).status == 409
    nfo.ask("POST", f"/v1/runs/{run['id']}/cancel")
    nfo.ended(run)
    restored(nfo, data)
    # it was running in the backup: nobody has it now
    assert nfo.ended(run)["tasks"][0]["kind"] == "lost"


def test_by_command(nfo):
    run = nfo.run(MAKES % "cli")
    file = nfo.home / "b.tar"
    with open(file, "wb") as out:
        p = nfo.popen("backup", stdout=out)
        assert p.wait(programs.LIMIT) == 0, p.stderr.read()
        p.stderr.close()
    assert "maintenance" in nfo("restore", file, code=None).err
    maintenance(nfo)
    server = nfo.role("server")
    assert "maintenance" in nfo("restore", file).out
    nfo.until(lambda: nfo.role("server") not in (0, server) and up(nfo))
    assert nfo.log(run, "t") == b"cli\n"


def test_a_full_disk_is_an_answer_and_nothing_is_left(home):
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    it = programs.Nfo(home)
    it.state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m,mode=700",
                    "tmpfs", it.state], check=True)
    try:
        it("runs")
        run = it.run("tasks: { t: { run: 'head -c 12000000 /dev/urandom > a', "
                     "artifacts: { a: { path: a } } } }")
        assert run["state"] == "succeeded", run
        data = backup(it)
        more = it.run("tasks: { t: { run: 'head -c 9000000 /dev/urandom > a', "
                      "artifacts: { a: { path: a } } } }")
        assert more["state"] == "succeeded", more
        a = it.ask("POST", "/v1/system/backup")
        assert (a.status, a.json["code"]) == (507, "disk-full")
        maintenance(it)
        (it.state / "filler").write_bytes(bytes(10 << 20))
        a = restore(it, data)
        assert a.status == 507, a
        assert not (it.state / "server/tmp/restore").exists()
        assert it.get(f"/v1/runs/{more['id']}").status == 200
    finally:
        it.stop()
        subprocess.run(["umount", it.state], check=True)
    assert it.left_behind() == []


@needs_build
@pytest.mark.parametrize("point", ["backup.begin", "backup.half",
                                   "backup.end"])
def test_killed_while_a_backup_is_made(crash, point):
    crash.serve()
    run = crash.run(MAKES % "x")
    (crash.state / "server/crash").write_text(point)
    with contextlib.suppress(OSError, Exception):
        crash.ask("POST", "/v1/system/backup")
    crash.until((crash.state / "server/crashed").exists)
    crash.until(lambda: up(crash))
    assert crash.log(run, "t") == b"x\n"
    assert list((crash.state / "server/tmp").iterdir()) == []
    assert dict(members(backup(crash)))["nfo.db"]


@needs_build
@pytest.mark.parametrize("point", [
    "restore.before-ready", "restore.after-ready", "restore.half",
    "restore.half 2", "restore.half-db", "restore.done"])
def test_killed_while_one_is_taken_back(crash, point):
    """It is all of the one or all of the other."""
    crash.serve()
    old = crash.run(MAKES % "old")
    data = backup(crash)
    new = crash.run(MAKES % "new")
    maintenance(crash)
    (crash.state / "server/crash").write_text(point)
    with contextlib.suppress(OSError, Exception):
        restore(crash, data)
    crash.until((crash.state / "server/crashed").exists)
    crash.until(lambda: up(crash))
    assert crash.log(old, "t") == b"old\n"
    got = crash.get(f"/v1/runs/{new['id']}")
    if point == "restore.before-ready":
        assert got.status == 200 and crash.log(new, "t") == b"new\n"
    else:
        assert got.status == 404
        assert not list((crash.state / "server/runs").glob(
            new["id"].removeprefix("run_")))
    assert not (crash.state / "server/restore.ready").exists()
    assert crash.get(f"/v1/runs/{old['id']}/artifacts/t.a").body == b"old\n"


@pytest.fixture
def crash(home, monkeypatch):
    monkeypatch.setattr(programs, "BIN", CRASH_BIN)
    it = programs.Nfo(home)
    yield it
    it.stop()
    assert it.left_behind() == []
