# SPDX-License-Identifier: AGPL-3.0-or-later
"""Source tars over the API: good ones are laid in, hostile ones refused with
the entry's name, and nothing of them is kept."""
import gzip
import io
import subprocess
import tarfile
import zlib

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


def kept(nfo):
    return [p for d in ("blobs", "tmp")
            for p in (nfo.state / "server" / d).rglob("*") if p.is_file()]


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


def peak(nfo):
    """Memory of the server at its highest, in bytes."""
    status = open(f"/proc/{nfo.role('server')}/status").read()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def test_a_bomb_of_real_data_costs_neither_memory_nor_disk(nfo):
    """A quarter of a GiB behind the end, in a quarter of a MiB."""
    pack = zlib.compressobj(1, zlib.DEFLATED, 31)
    bomb = pack.compress(GOOD)
    for _ in range(64):
        bomb += pack.compress(bytes(4 << 20))
    bomb += pack.flush()
    assert len(bomb) < 2 << 20
    before = peak(nfo)
    a = nfo.submit(JOB % "ls", source=bomb)
    assert (a.status, a.json["code"]) == (422, "bad-source"), a
    assert "behind the end" in a.json["detail"]
    assert peak(nfo) - before < 16 << 20
    assert kept(nfo) == []


def test_a_window_of_2_gib_is_refused(nfo):
    """zstd would want that much memory to unpack it."""
    frame = b"\x28\xb5\x2f\xfd" + bytes([0, (31 - 10) << 3, 1, 0, 0])
    before = peak(nfo)
    a = nfo.submit(JOB % "ls", source=frame + bytes(1024))
    assert (a.status, a.json["code"]) == (422, "bad-source"), a
    assert peak(nfo) - before < 16 << 20


def sparse(**pax):
    return tar(entry("holes", data=b"x" * 512, pax_headers=pax))


def resized(size):
    """A header that claims a size of these 12 bytes."""
    info = tarfile.TarInfo("odd")
    head = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    head[124:136] = size
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head) + bytes(2048)


ODD = {
    "sparse": tar(entry("holes", b"S", data=b"x" * 512)),
    "sparse-pax": sparse(**{"GNU.sparse.major": "1",
                            "GNU.sparse.minor": "0",
                            "GNU.sparse.name": "holes",
                            "GNU.sparse.realsize": str(1 << 40)}),
    "sparse-map": sparse(**{"GNU.sparse.map": "0,1099511627776"}),
    "negative": resized(b"\xff" * 12),
    "negative-octal": resized(b"-0000000001\0"),
    "base-256": resized(b"\x80" + b"\xff" * 11),
    "huge-pax": tar(entry("x", pax_headers={"comment": "c" * 70000})),
}


@pytest.mark.parametrize("what", ODD)
def test_odd_sizes_and_records_are_refused(nfo, what):
    a = nfo.submit(JOB % "ls", source=ODD[what])
    assert a.status in (413, 422), a
    assert a.json["code"] in ("bad-source", "source-too-large"), a
    assert kept(nfo) == []
    assert nfo.get("/v1/runs").json["items"] == []


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
    assert kept(nfo) == []


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
