# SPDX-License-Identifier: AGPL-3.0-or-later
"""Caches of tasks: kept once by key, laid in before the script, never a reason
to fail."""
import json
import os
import sqlite3

CACHE = "/v1/caches"


def job(run, key="k", paths="[.cache]", more="", name="test", task="",
        top=""):
    return (f"nfo: 1\nname: {name}\n{top}tasks:\n  t:\n{task}"
            f"    cache: {{ key: {json.dumps(key)}, paths: {paths}{more} }}\n"
            f"    run: |\n      {run}\n")


SAVE = "mkdir -p .cache/d && echo %s > .cache/d/f"
LOOK = "cat .cache/d/f 2>/dev/null || echo none"


def out(nfo, run):
    """What the task itself has written."""
    a = nfo.get(f"/v1/runs/{run['id']}/tasks/t/log?stream=stdout")
    text = nfo.log(run, "t") if a.status != 200 else a.body
    return [line for line in text.decode().splitlines()
            if not line.startswith("nfo: ")]


def caches(nfo, query=""):
    return nfo.get(CACHE + query).json["items"]


def ok(nfo, *args, **more):
    run = nfo.run(job(*args, **more))
    assert run["state"] == "succeeded", run
    return run


def test_kept_and_restored(nfo):
    first = ok(nfo, SAVE % "one")
    assert "none of" in nfo.log(first, "t").decode()
    assert "kept as" in nfo.log(first, "t").decode()
    second = ok(nfo, LOOK + "; echo two > .cache/d/f")
    assert out(nfo, second) == ["one"]
    assert "restored" in nfo.log(second, "t").decode()
    # the first writer wins
    assert "kept as" not in nfo.log(second, "t").decode()
    assert out(nfo, ok(nfo, LOOK)) == ["one"]
    (only,) = caches(nfo)
    assert only["key"] == "k" and only["project"] == "default"
    assert only["run"] == first["id"]
    assert only["used_at"] > only["created_at"]


def test_modes_links_and_empty_directories(nfo):
    ok(nfo, "mkdir -p .cache/bin .cache/empty; echo '#!/bin/sh' > .cache/bin/x;"
            " chmod 755 .cache/bin/x; ln -s bin/x .cache/link;"
            " ln .cache/bin/x .cache/twin; ln -s /etc/passwd .cache/out;"
            " mkfifo .cache/pipe; chmod 700 .cache/bin")
    run = ok(nfo, "ls -A .cache; readlink .cache/link;"
                  " stat -c %a .cache/bin .cache/bin/x")
    assert out(nfo, run) == ["bin", "empty", "link", "twin", "bin/x", "700",
                             "755"]
    first = nfo.get("/v1/runs?job=test").json["items"][-1]
    assert "2 were left out" in nfo.log(first, "t").decode()


def test_a_failed_task_keeps_nothing(nfo):
    run = nfo.run(job(SAVE % "one" + "; exit 3"))
    assert run["state"] == "failed" and caches(nfo) == []
    run = ok(nfo, "true")
    assert "nothing to keep" in nfo.log(run, "t").decode()
    assert caches(nfo) == []


def test_keys_to_start_from(nfo):
    ok(nfo, SAVE % "old", key="deps-1")
    ok(nfo, SAVE % "new", key="deps-2")
    ok(nfo, SAVE % "other", key="tools-1")
    more = ", restore_keys: [nope, deps-]"
    run = ok(nfo, LOOK + "; echo three > .cache/d/f", key="deps-3", more=more)
    assert out(nfo, run) == ["new"]
    assert out(nfo, ok(nfo, LOOK, key="deps-3")) == ["three"]
    # "_" and "%" are letters like others
    run = ok(nfo, LOOK, key="x", more=", restore_keys: ['%', 'deps_']")
    assert out(nfo, run) == ["none"]


def test_a_key_of_inputs_and_of_outputs(nfo):
    text = """nfo: 1
name: keys
inputs: { v: { type: string } }
tasks:
  lock:
    run: printf %s "$NFO_INPUT_V" > "$NFO_OUTPUT/hash"
    outputs: { hash: {} }
  t:
    needs: [lock]
    cache: { key: "deps-${{ tasks.lock.outputs.hash }}-${{ inputs.v }}", paths: [c] }
    run: cat c || echo "$NFO_INPUT_V" > c
"""
    for v in ("a", "b", "a"):
        run = nfo.run(text, inputs={"v": v})
        assert run["state"] == "succeeded"
    assert sorted(c["key"] for c in caches(nfo)) == ["deps-a-a", "deps-b-b"]
    assert b"\na\n" in b"\n" + nfo.log(run, "t")


def test_other_paths_are_another_cache(nfo):
    ok(nfo, SAVE % "one")
    assert out(nfo, ok(nfo, "ls -A; true", paths="[other]")) == []


def test_another_project_has_its_own(nfo):
    ok(nfo, SAVE % "one")
    a = nfo.ask("POST", "/v1/projects/web/runs?wait=60s",
                job(LOOK, top="project: web\n").encode(),
                {"Content-Type": "application/yaml"})
    assert a.status == 201, a
    assert out(nfo, a.json) == ["none"]


def test_a_secret_is_not_kept(nfo):
    nfo("secret", "put", "key", stdin="correct horse battery staple")
    top = "secrets: { key: { store: key } }\n"
    run = ok(nfo, "mkdir .cache; cp $NFO_SECRETS/key .cache/x", top=top,
             task="    secrets: [key]\n")
    assert "it holds a secret" in nfo.log(run, "t").decode()
    assert caches(nfo) == []
    ok(nfo, SAVE % "fine", top=top, task="    secrets: [key]\n")
    assert len(caches(nfo)) == 1


def test_policy_may_forbid_them_beside_secrets(nfo):
    nfo.stop()
    path = nfo.state / "policies/default.yaml"
    path.write_text(path.read_text().replace(
        "    allow:\n", "    allow:\n      cache_secrets: false\n"))
    nfo("runs")
    ok(nfo, SAVE % "one")
    a = nfo.submit(job("true", top="secrets: { key: { store: key } }\n",
                       task="    secrets: [key]\n"))
    assert a.status == 403, a
    assert 'cache ".cache" is denied' in a.json["errors"][0]["message"]


def test_what_cannot_be_laid_in_is_a_miss(nfo):
    ok(nfo, SAVE % "one")
    digest = sql(nfo, "SELECT sha256 FROM caches")[0][0]
    (blob,) = [p for p in (nfo.state / "server/blobs").rglob("*")
               if p.is_file() and str(p).replace("/", "").endswith(digest)]
    blob.unlink()
    run = ok(nfo, LOOK)
    assert out(nfo, run) == ["none"]


def sql(nfo, text, *args):
    db = sqlite3.connect(nfo.state / "server/nfo.db")
    rows = db.execute(text, args).fetchall()
    db.commit()
    db.close()
    return rows


def fill(nfo, key, kilobytes):
    return ok(nfo, f"mkdir .cache; head -c {kilobytes}K /dev/urandom "
                   "> .cache/f", key=key)


def test_those_used_longest_ago_go_first(nfo):
    a = nfo.ask("PUT", "/v1/projects/default", {"cache_max_bytes": 250 << 10})
    assert a.status in (200, 201), a
    fill(nfo, "a", 100)
    fill(nfo, "b", 100)
    ok(nfo, "true", key="a")  # used just now
    fill(nfo, "c", 100)
    assert [c["key"] for c in caches(nfo)] == ["c", "a"]
    fill(nfo, "d", 300)  # more than there is room for
    assert [c["key"] for c in caches(nfo)] == ["c", "a"]
    # content goes with the sweep, and not a moment too early
    nfo.stop()
    garbage = sql(nfo, "SELECT count(*) FROM garbage")[0][0]
    assert garbage >= 1
    nfo("runs")
    assert "restored" in nfo.log(ok(nfo, "true", key="c"), "t").decode()


def test_away_with_them(nfo):
    for key in "abc":
        ok(nfo, SAVE % key, key=key)
    one = caches(nfo)[0]
    assert nfo.get(f"{CACHE}/{one['id']}").json["key"] == "c"
    assert nfo.ask("DELETE", f"{CACHE}/{one['id']}").status == 204
    assert nfo.ask("DELETE", f"{CACHE}/{one['id']}").status == 404
    assert nfo.get(f"{CACHE}/nonsense").status == 404
    assert len(caches(nfo, "?project=default")) == 2
    assert caches(nfo, "?project=web") == []
    page = nfo.get(f"{CACHE}?limit=1").json
    assert len(page["items"]) == 1 and page["next_cursor"]
    assert nfo("cache", "list").out.count("cache_") == 2
    nfo("cache", "rm", caches(nfo)[0]["id"])
    nfo("cache", "rm", "--all")
    assert caches(nfo) == []
    assert out(nfo, ok(nfo, LOOK, key="a")) == ["none"]


def test_a_shared_workspace(nfo):
    text = ("nfo: 1\nname: list\ntasks:\n"
            "  - { name: t, cache: { key: k, paths: [c] }, run: 'echo x > c' }"
            "\n  - { name: u, run: cat c }\n")
    assert nfo.run(text)["state"] == "succeeded"
    assert nfo.run(text)["state"] == "succeeded"
    assert len(caches(nfo)) == 1


def test_bad_caches_are_no_jobs(nfo):
    for paths in ("[]", "[/etc]", "[..]", "[a/../b]", "['*']", "[.nfo/x]",
                  "[a/]", "['']"):
        a = nfo.submit(job("true", paths=paths))
        assert a.status == 422, (paths, a)
        assert "bad-cache" in [e["code"] for e in a.json["errors"]], a.json


def test_killed_before_it_is_known(nfo):
    """The result is read again after a restart, and the cache kept once."""
    run = nfo.submit(job("mkdir .cache; echo one > .cache/f; sleep 2")).json
    nfo.until_state(run, "running", "t")
    os.kill(nfo.role("server"), 9)
    nfo.until(lambda: nfo.get("/readyz").status == 200)
    assert nfo.ended(run)["state"] == "succeeded"
    assert [c["key"] for c in caches(nfo)] == ["k"]
