# SPDX-License-Identifier: AGPL-3.0-or-later
"""`nfo runs` and its filters; labels and priority from the command line."""
import json

JOB = "nfo: 1\nname: NAME\ntasks: { t: { run: 'exit CODE' } }\n"


def runs(nfo, *options):
    out = nfo("runs", "-o", "json", *options).out
    return [r["job"] for r in json.loads(out)["items"]]


def test_labels_priority_and_every_filter(nfo):
    good = nfo.write("good.yaml", JOB.replace("NAME", "good").replace("CODE", "0"))
    bad = nfo.write("bad.yaml", JOB.replace("NAME", "bad").replace("CODE", "3"))
    nfo("run", good, "--label", "team=pages", "-l", "for=x=y", "--priority", "80")
    nfo("run", bad, "-l", "team=shop", code=1)
    nfo("job", "put", good)
    nfo("job", "run", "good", "-l", "team=shop", "--priority", "7")
    assert runs(nfo) == ["good", "bad", "good"]
    assert runs(nfo, "--label", "team=pages") == ["good"]
    assert runs(nfo, "-l", "team=pages", "-l", "for=x=y") == ["good"]
    assert runs(nfo, "-l", "team=shop", "-s", "failed") == ["bad"]
    assert runs(nfo, "--kind", "exit", "--kind", "oom") == ["bad"]
    assert runs(nfo, "--kind", "oom") == []
    assert runs(nfo, "--project", "default", "--job", "good") == ["good"] * 2
    assert runs(nfo, "--project", "other") == []
    assert runs(nfo, "--trigger", "api", "--trigger", "rerun", "-n", "1") == \
        ["good"]
    assert runs(nfo, "--trigger", "schedule") == []
    assert runs(nfo, "--since", "2026-01-01T00:00:00Z", "-n", "1") == ["good"]
    assert runs(nfo, "--until", "2026-01-01T00:00:00Z") == []
    items = nfo.get("/v1/runs").json["items"]
    first = items[-1]
    assert first["labels"] == {"team": "pages", "for": "x=y"}
    assert [nfo.get(f"/v1/runs/{r['id']}").json.get("priority")
            for r in items] == [7, 50, 80]


def test_what_is_no_filter_is_said(nfo):
    good = nfo.write("good.yaml", JOB.replace("NAME", "good").replace("CODE", "0"))
    assert "NAME=VALUE" in nfo("runs", "--label", "team", code=2).err
    assert "NAME=VALUE" in nfo("run", good, "-l", "team", code=2).err
    assert "0 to 100" in nfo("run", good, "--priority", "101", code=2).err
    assert nfo("runs", "--kind", "nope", code=2).err
    assert nfo("runs", "--since", "monday", code=2).err
