# SPDX-License-Identifier: AGPL-3.0-or-later
"""Source tars over the API: good ones are laid in, hostile ones refused with
the entry's name, and nothing of them is kept."""
import gzip
import io
import subprocess
import tarfile

import pytest

import nfo as programs

JOB = "nfo: 1\nname: src\nsource: upload\ntasks: { t: { run: %s } }\n"


def entry(name, kind=tarfile.REGTYPE, data=b"", **more):
    info = tarfile.TarInfo(name)
    info.type = kind
    info.size = len(data)
    info.mode = 0o755
    for key, value in more.items():
        setattr(info, key, value)
    return info, data


def tar(*entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as t:
        for info, data in entries:
            t.addfile(info, io.BytesIO(data))
    return out.getvalue()


GOOD = tar(entry("dir", tarfile.DIRTYPE), entry("dir/a", data=b"aa"),
           entry("here", tarfile.SYMTYPE, linkname="dir/a"),
           entry("long/" + "n" * 120, data=b"deep"))

HOSTILE = {
    "dot-dot": ("../evil", tar(entry("../evil", data=b"x"))),
    "dot-dot-within": ("a/../../evil", tar(entry("a/../../evil", data=b"x"))),
    "absolute": ("/etc/evil", tar(entry("/etc/evil", data=b"x"))),
    "link-out": ("escape", tar(entry("escape", tarfile.SYMTYPE,
                                     linkname="../../etc/passwd"))),
    "link-absolute": ("escape", tar(entry("escape", tarfile.SYMTYPE,
                                          linkname="/etc/passwd"))),
    "character-device": ("dev", tar(entry("dev", tarfile.CHRTYPE,
                                          devmajor=1, devminor=3))),
    "block-device": ("dev", tar(entry("dev", tarfile.BLKTYPE,
                                      devmajor=8, devminor=0))),
    "fifo": ("pipe", tar(entry("pipe", tarfile.FIFOTYPE))),
    "hard-link": ("twin", tar(entry("a", data=b"x"),
                              entry("twin", tarfile.LNKTYPE,
                                    linkname="/etc/passwd"))),
    "hard-link-within": ("twin", tar(entry("a", data=b"x"),
                                     entry("twin", tarfile.LNKTYPE,
                                           linkname="a"))),
}


@pytest.mark.parametrize("pack", ("none", "gzip", "zstd"))
def test_a_good_one_becomes_the_workspace(nfo, pack):
    data = GOOD
    if pack == "gzip":
        data = gzip.compress(data)
    elif pack == "zstd":
        try:
            data = subprocess.run(["zstd", "-q", "-c"], input=data, check=True,
                                  stdout=subprocess.PIPE).stdout
        except FileNotFoundError:
            pytest.skip("the program zstd is not installed")
    run = nfo.run(JOB % "'cat here; cat long/*; find . | wc -l'", source=data)
    assert nfo.log(run, "t").split() == [b"aadeep6"]


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_one_is_refused_by_name(nfo, what):
    name, data = HOSTILE[what]
    a = nfo.submit(JOB % "ls", source=data)
    assert a.status == 422, a
    assert a.json["code"] == "bad-source"
    assert name in a.json["detail"]
    assert nfo.get("/v1/runs").json["items"] == []


def test_writing_through_a_link_of_its_own_is_refused(nfo):
    data = tar(entry("d", tarfile.DIRTYPE),
               entry("l", tarfile.SYMTYPE, linkname="d"),
               entry("l/x", data=b"x"))
    a = nfo.submit(JOB % "'cat d/x'", source=data, wait="30s")
    assert a.status == 422 or a.json["state"] == "failed", a


def test_a_bomb_is_refused_before_it_is_unpacked(nfo):
    """64 GiB, says the header; the gzip that holds it is small."""
    info = tarfile.TarInfo("bomb")
    info.size = 64 << 30
    packed = gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(1 << 20))
    a = nfo.submit(JOB % "ls", source=packed)
    assert a.status == 413, a
    assert a.json["code"] == "source-too-large"
    assert "bomb" in a.json["detail"]


@pytest.mark.parametrize("data", (b"", b"not a tar", GOOD[:700],
                                  gzip.compress(GOOD)[:60],
                                  bytes(range(256)) * 8),
                         ids=("empty", "text", "cut", "cut-gzip", "noise"))
def test_a_damaged_one_is_refused(nfo, data):
    a = nfo.submit(JOB % "ls", source=data)
    assert a.status == 422, a
    assert a.headers["content-type"] == "application/problem+json"


def test_nothing_of_a_refused_one_is_kept(nfo):
    nfo.submit(JOB % "ls", source=HOSTILE["dot-dot"][1])
    nfo.submit(JOB % "ls", source=b"not a tar at all")
    left = [p for d in ("blobs", "tmp")
            for p in (nfo.state / "server" / d).rglob("*") if p.is_file()]
    assert left == []


def test_a_job_that_wants_one_is_refused_without(nfo):
    a = nfo.submit(JOB % "ls")
    assert (a.status, a.json["code"]) == (422, "source-missing")


def test_parts_in_the_wrong_order_are_refused(nfo):
    kind, body = programs.multipart(("source", "s.tar", GOOD),
                                    ("job", "job.yaml",
                                     (JOB % "ls").encode()))
    a = nfo.ask("POST", "/v1/projects/default/runs", body,
                {"Content-Type": kind})
    assert (a.status, a.json["code"]) == (400, "bad-part")
