# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a run leaves behind, and what is refused."""
import base64
import hashlib
import io
import json
import os
import tarfile

import pytest

MAKE = """
tasks:
  t:
    run: |
      awk 'BEGIN { for (i = 0; i < 9000; i++) print "line", i }' > big.txt
    artifacts: { big: { path: big.txt } }
"""
BIG = "".join(f"line {i}\n" for i in range(9000)).encode()


@pytest.fixture
def made(nfo):
    run = nfo.run(MAKE)
    assert run["state"] == "succeeded", run
    return f"/v1/runs/{run['id']}/artifacts"


def test_content_has_its_digest(nfo, made):
    (item,) = nfo.get(made).json["items"]
    a = nfo.get(f"{made}/t.big")
    digest = hashlib.sha256(BIG)
    assert a.body == BIG
    assert item["name"] == "t.big" and item["size"] == len(BIG)
    assert item["sha256"] == digest.hexdigest()
    assert a.headers["repr-digest"] == \
        f"sha-256=:{base64.b64encode(digest.digest()).decode()}:"


def test_command_fetches_it(nfo, made):
    run = made.split("/")[3]
    assert "t.big" in nfo("artifact", run).out
    nfo("artifact", run, "t.big", "--to", nfo.home / "got")
    assert (nfo.home / "got").read_bytes() == BIG


@pytest.mark.parametrize("wanted,status,part", (
    ("bytes=0-9", 206, BIG[:10]), ("bytes=100-", 206, BIG[100:]),
    ("bytes=-7", 206, BIG[-7:]), ("bytes=5-5", 206, BIG[5:6]),
    ("bytes=10-99999999", 206, BIG[10:]),
    ("bytes=99999999-", 416, None)))
def test_range(nfo, made, wanted, status, part):
    a = nfo.get(f"{made}/t.big", Range=wanted)
    assert a.status == status
    if part is None:
        assert a.headers["content-range"] == f"bytes */{len(BIG)}"
        return
    assert a.body == part
    begin = BIG.index(part) if len(part) > 20 else None
    if begin is not None:
        assert a.headers["content-range"] == \
            f"bytes {begin}-{begin + len(part) - 1}/{len(BIG)}"


def test_etag_saves_the_second_fetch(nfo, made):
    tag = nfo.get(f"{made}/t.big").headers["etag"]
    a = nfo.get(f"{made}/t.big", If_None_Match=tag)
    assert (a.status, a.body) == (304, b"")


def test_unknown_artifact_is_404(nfo, made):
    for name in ("t.other", "t", "..%2f..%2fserver%2fnfo.db", "x.big"):
        assert nfo.get(f"{made}/{name}").status == 404, name


@pytest.mark.parametrize("make", (
    "ln -s /etc/passwd x", "ln -s y x; echo a > y", "mkfifo x", "mkdir x",
    "echo a > y; ln y x", "mkdir d; echo a > d/x; ln -s d e; ln -s e/x x",
    "true"), ids=("link-out", "link", "fifo", "directory", "hard-link",
                  "link-through", "absent"))
def test_what_is_no_regular_file_is_refused(nfo, make):
    run = nfo.run(f"tasks: {{ t: {{ run: '{make}', "
                  "artifacts: { x: { path: x } } } }")
    task = nfo.tasks(run)["t"]
    assert (task["state"], task["kind"]) == ("failed", "artifact"), run
    assert nfo.get(f"/v1/runs/{run['id']}/artifacts").json["items"] == []


def test_a_directory_behind_a_link_is_not_followed(nfo):
    run = nfo.run("tasks: { t: { run: 'ln -s /etc d', "
                  "artifacts: { x: { path: d/passwd } } } }")
    assert nfo.tasks(run)["t"]["kind"] == "artifact"


def test_optional_one_may_be_absent(nfo):
    run = nfo.run("tasks: { t: { run: 'true', "
                  "artifacts: { x: { path: x, optional: true } } } }")
    assert run["state"] == "succeeded"


def test_when_says_after_which_end(nfo):
    run = nfo.run("""
tasks:
  t:
    run: echo a > a; echo b > b; exit 1
    artifacts: { a: { path: a, when: failed }, b: { path: b } }
""")
    items = nfo.get(f"/v1/runs/{run['id']}/artifacts").json["items"]
    assert [i["name"] for i in items] == ["t.a"]


def test_several_files_become_a_reproducible_tar(nfo):
    job = ("tasks: { t: { run: 'mkdir d; echo b > d/b; echo a > d/a; "
           "sleep 0.0$NFO_ATTEMPT', artifacts: { x: { path: 'd/*' } } } }")
    got = []
    for _ in range(2):
        run = nfo.run(job)
        got.append(nfo.get(f"/v1/runs/{run['id']}/artifacts/t.x").body)
    assert got[0] == got[1]
    with tarfile.open(fileobj=io.BytesIO(got[0])) as tar:
        assert tar.getnames() == ["d/a", "d/b"]
        assert tar.extractfile("d/a").read() == b"a\n"


def test_too_large_is_refused(nfo):
    run = nfo.run("tasks: { t: { run: 'head -c 5000 /dev/zero > x', "
                  "artifacts: { x: { path: x, max: 4K } } } }")
    assert nfo.tasks(run)["t"]["kind"] == "artifact"


def test_equal_content_is_stored_once(nfo):
    for _ in range(2):
        nfo.run(MAKE)
    blobs = [p for p in (nfo.state / "server/blobs").rglob("*")
             if p.is_file() and p.stat().st_size == len(BIG)]
    assert len(blobs) == 1
    assert json.loads(nfo("runs", "-o", "json").out)["items"][0]["state"] == \
        "succeeded"


def test_past_its_time_it_is_gone(nfo):
    run = nfo.run(MAKE.replace("path: big.txt", "path: big.txt, retain: 1s"))
    path = f"/v1/runs/{run['id']}/artifacts/t.big"
    nfo.until(lambda: nfo.get(path).status == 410)


def test_what_a_deleted_run_left_goes(nfo):
    blobs = nfo.state / "server/blobs"
    keep = nfo.run("tasks: { t: { run: echo kept > a, "
                   "artifacts: { a: { path: a } } } }")
    run = nfo.run(MAKE)
    files = [p for p in blobs.rglob("*") if p.is_file()]
    assert len(files) == 2
    for p in files:  # what is fresh may be about to be used
        os.utime(p, (1, 1))
    assert nfo.ask("DELETE", f"/v1/runs/{run['id']}").status == 204
    nfo.until(lambda: [p.stat().st_size for p in blobs.rglob("*")
                       if p.is_file()] == [5])
    path = f"/v1/runs/{keep['id']}/artifacts/t.a"
    assert nfo.get(path).body == b"kept\n"
