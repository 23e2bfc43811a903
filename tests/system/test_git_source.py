# SPDX-License-Identifier: AGPL-3.0-or-later
"""source: { git: ... }: real repositories over HTTP, fetched in a sandbox of
their own, resolved to a commit before there is an answer."""
import os
import shutil
import sqlite3
import threading

import pytest

import githttp
from test_schedules import YAML, rewind

SHOW = "cat file; git log -1 --format=%H"

pytestmark = pytest.mark.skipif(not githttp.BACKEND.exists(),
                                reason="no git http-backend")


@pytest.fixture
def served(home):
    it = githttp.Server(home / "repos")
    yield it
    it.close()


@pytest.fixture
def allowed(nfo):
    """A server whose policy names HTTP on loopback."""
    nfo.stop()
    path = nfo.state / "policies/default.yaml"
    text = path.read_text()
    assert 'sources: ["https://**"]' in text
    path.write_text(text.replace('["https://**"]', '["http://127.0.0.1:*/**"]'))
    nfo("runs")
    return nfo


def job(url, more="", run=SHOW, top="", name="app"):
    return (f"nfo: 1\nname: {name}\nsource: {{ git: '{url}'{more} }}\n{top}"
            f"tasks: {{ t: {{ run: '{run}' }} }}\n")


def refused(a, *words):
    assert (a.status, a.json["code"]) == (422, "source-unresolved"), a
    for word in words:
        assert word in a.json["detail"], a.json["detail"]
    return a


def test_a_branch(allowed, served):
    repo = served.repo("app")
    commit = repo.commit({"file": "one\n", "dir/run.sh": "x"})
    run = allowed.run(job(repo.url, ", ref: main"))
    assert run["state"] == "succeeded", run
    assert allowed.log(run, "t").decode().split() == ["one", commit]
    source = run["source"]
    assert source["kind"] == "git" and source["commit"] == commit
    assert source["url"] == repo.url and source["ref"] == "main"
    assert source["digest"].startswith("sha256:") and source["bytes"] > 0
    fetch = allowed.get(f"/v1/runs/{source['run']}").json
    assert fetch["job"] == "source" and fetch["trigger"] == "source"
    assert fetch["labels"] == {"run": run["id"]}
    assert commit.encode() in allowed.log(fetch, "source")


def test_without_a_ref_it_is_what_the_repository_says(allowed, served):
    repo = served.repo("app")
    repo.commit({"file": "one"})
    commit = repo.commit({"file": "two"}, branch="next")
    repo.commit({"file": "three"}, branch="other")
    githttp.git(repo.bare, "symbolic-ref", "HEAD", "refs/heads/next")
    run = allowed.run(job(repo.url))
    assert run["source"]["commit"] == commit
    assert run["source"]["ref"] == "HEAD"


def test_tags_and_commits(allowed, served):
    repo = served.repo("app")
    first = repo.commit({"file": "one"}, tag="v1")
    repo.commit({"file": "two"})
    for ref in ("v1", "refs/tags/v1", first):
        run = allowed.run(job(repo.url, f", ref: '{ref}'"))
        assert run["source"]["commit"] == first, ref
        assert allowed.log(run, "t").startswith(b"one")


def test_the_ref_from_an_input_and_the_commit_in_expressions(allowed, served):
    repo = served.repo("app")
    repo.commit({"file": "one"})
    commit = repo.commit({"file": "two"}, branch="feature/x")
    run = allowed.run(
        "nfo: 1\nname: app\ninputs: { ref: { type: string } }\n"
        f"source: {{ git: '{repo.url}', ref: '${{{{ inputs.ref }}}}' }}\n"
        "tasks: { t: { env: { C: '${{ source.commit }}' }, "
        "run: 'echo $C' } }\n", inputs={"ref": "feature/x"})
    assert allowed.log(run, "t").decode().strip() == commit
    for bad in ("--upload-pack=x", "a..b", "a:b", "+main", "a b", ""):
        a = allowed.submit(
            "nfo: 1\nname: app\ninputs: { ref: { type: string } }\n"
            f"source: {{ git: '{repo.url}', ref: '${{{{ inputs.ref }}}}' }}\n"
            "tasks: { t: { run: 'true' } }\n", inputs={"ref": bad})
        assert a.status == 422 and a.json["errors"][0]["code"] == \
            "bad-git-ref", (bad, a)


def test_what_is_not_there(allowed, served):
    repo = served.repo("app")
    repo.commit({"file": "one"})
    refused(allowed.submit(job(repo.url, ", ref: nope")),
            "couldn't find remote ref nope", "run_")
    refused(allowed.submit(job(served.url + "/none.git")), "not found")
    refused(allowed.submit(job(repo.url, f", ref: {'0' * 40}")),
            "is no commit of the repository")
    refused(allowed.submit(job(repo.url, ", path: nope")),
            "nope is no directory of the repository")
    run = allowed.get("/v1/runs?job=app").json["items"][0]
    assert (run["state"], run["kind"]) == ("failed", "setup")
    assert "nope is no directory" in run["error"]


def test_the_same_key_gets_the_same_refusal(allowed, served):
    repo = served.repo("app")
    repo.commit({"file": "one"})
    key = {"Idempotency-Key": "k1"}
    first = refused(allowed.submit(job(repo.url, ", ref: nope"), headers=key))
    again = refused(allowed.submit(job(repo.url, ", ref: nope"), headers=key))
    assert first.json["detail"] == again.json["detail"]
    assert len(allowed.get("/v1/runs?job=app").json["items"]) == 1


SECRET = "secrets: { git_ro: { store: git_ro } }\n"


def test_a_token_from_the_store(allowed, served):
    token = "tok-3f9a7c5d1e2b4a6f"
    repo = served.repo("app")
    repo.commit({"file": "one"})
    served.wants("x-access-token", token)
    refused(allowed.submit(job(repo.url)), "could not read Username")
    allowed("secret", "put", "git_ro", stdin=token)
    run = allowed.run(job(repo.url, ", secret: git_ro", top=SECRET,
                          run="cat file; cat .git/config; env; ls /run/nfo"))
    assert run["state"] == "succeeded"
    log = allowed.log(run, "t").decode()
    assert log.startswith("one") and "git_ro" not in log
    fetch = allowed.get(f"/v1/runs/{run['source']['run']}").json
    seen = log + allowed.log(fetch, "source").decode()
    for where, _, names in os.walk(allowed.state / "server"):
        for name in names:
            with open(os.path.join(where, name), "rb") as f:
                seen += f.read().decode("latin-1")
    assert token not in seen
    # where none is asked for none is given
    served.login = None
    served.seen.clear()
    allowed.run(job(repo.url, ", secret: git_ro", top=SECRET))
    assert all(auth is None for _, _, auth in served.seen)


def test_a_user_and_a_wrong_password(allowed, served):
    repo = served.repo("app")
    repo.commit({"file": "one"})
    served.wants("bot", "pass:word")
    allowed("secret", "put", "git_ro", stdin="bot:pass:word\n")
    run = allowed.run(job(repo.url, ", secret: git_ro", top=SECRET))
    assert run["state"] == "succeeded"
    allowed("secret", "put", "git_ro", stdin="bot:s3cr3t-and-wrong")
    a = refused(allowed.submit(job(repo.url, ", secret: git_ro", top=SECRET)),
                "Authentication failed")
    assert "s3cr3t" not in a.body.decode()


def test_a_login_is_for_its_own_server(allowed, served, home):
    other = githttp.Server(home / "others")
    try:
        repo = served.repo("app")
        repo.commit({"file": "one"})
        allowed("secret", "put", "git_ro", stdin="tok-3f9a7c5d1e2b4a6f")
        served.redirect = other.url
        other.wants("x-access-token", "tok-3f9a7c5d1e2b4a6f")
        refused(allowed.submit(job(repo.url, ", secret: git_ro", top=SECRET)))
        assert other.seen == []
    finally:
        other.close()


def test_a_rerun_has_the_same_commit_and_fetches_nothing(allowed, served):
    repo = served.repo("app")
    first = repo.commit({"file": "one\n"})
    run = allowed.run(job(repo.url, ", ref: main"))
    repo.commit({"file": "two\n"})
    served.seen.clear()
    a = allowed.ask("POST", f"/v1/runs/{run['id']}/rerun?wait=60s", {})
    assert a.status == 201, a
    again = a.json
    assert again["state"] == "succeeded" and served.seen == []
    assert allowed.log(again, "t").decode().split() == ["one", first]
    for key in ("commit", "digest", "bytes", "url", "ref"):
        assert again["source"][key] == run["source"][key]
    assert again["run_digest"] == run["run_digest"]
    assert allowed.run(job(repo.url, ", ref: main"))["run_digest"] != \
        run["run_digest"]
    # the run that fetches is nobody's to repeat: policy is about its URL
    a = allowed.ask("POST", f"/v1/runs/{run['source']['run']}/rerun", {})
    assert a.status == 409


def test_a_rerun_works_when_all_else_is_gone(allowed, served):
    repo = served.repo("app")
    repo.commit({"file": "one\n"})
    run = allowed.run(job(repo.url))
    for path in (f"/v1/runs/{run['source']['run']}",):
        assert allowed.ask("DELETE", path).status == 204
    shutil.rmtree(repo.bare)
    again = allowed.ask("POST", f"/v1/runs/{run['id']}/rerun?wait=60s", {})
    assert again.json["state"] == "succeeded"


def test_one_directory_of_it(allowed, served):
    repo = served.repo("app")
    repo.commit({"file": "top", "a/b/file": "deep\n", "a/other": "x"})
    run = allowed.run(job(repo.url, ", path: a/b", run="ls -A; cat file"))
    assert allowed.log(run, "t") == b"file\ndeep\n"
    (repo.tree / "link").symlink_to("/etc")
    repo.commit({})
    refused(allowed.submit(job(repo.url, ", path: link")), "link is no dir")


def test_how_much_of_its_history(allowed, served):
    repo = served.repo("app")
    for i in range(4):
        repo.commit({"file": str(i)}, tag=f"v{i}")
    for depth, n in (("", 1), (", depth: 2", 2), (", depth: 0", 4)):
        run = allowed.run(job(repo.url, depth,
                              run="git rev-list --count HEAD; "
                                  "git describe --always; git status -s"))
        lines = allowed.log(run, "t").decode().split()
        assert len(lines) == 2 and lines[0] == str(n), (depth, lines)
        assert lines[1] == ("v3" if n == 4 else run["source"]["commit"][:7])


def test_submodules_of_the_same_server_only(allowed, served, home):
    inner, repo = served.repo("inner"), served.repo("app")
    inner.commit({"in": "inner\n"})
    repo.commit({"file": "one\n"})
    githttp.git(repo.tree, "submodule", "--quiet", "add", "../inner.git",
                "sub dir")
    repo.push()
    run = allowed.run(job(repo.url, run="ls -A"))
    assert b"sub dir" in allowed.log(run, "t")
    run = allowed.run(job(repo.url, ", submodules: true",
                          run="cat \"sub dir/in\""))
    assert allowed.log(run, "t") == b"inner\n"
    other = githttp.Server(home / "others")
    try:
        for url in (other.url + "/x.git", "ext::sh -c id", "/etc",
                    "../../../../127.0.0.1/x.git", "file:///etc"):
            modules = repo.tree / ".gitmodules"
            modules.write_text(f'[submodule "sub dir"]\n\tpath = sub dir\n'
                               f'\turl = "{url}"\n')
            repo.commit({})
            refused(allowed.submit(job(repo.url, ", submodules: true")))
        assert other.seen == []
    finally:
        other.close()


def test_hostile_trees(allowed, served):
    """What a tar could not do is not done by a repository either."""
    repo = served.repo("app")
    (repo.tree / "out").symlink_to("../../../etc/passwd")
    repo.commit({"file": "x"})
    refused(allowed.submit(job(repo.url)), "leads out of the tree")
    (repo.tree / "out").unlink()
    (repo.tree / "out").symlink_to("file")
    repo.commit({".gitattributes": "* filter=lfs diff=lfs\n"})
    assert allowed.run(job(repo.url))["state"] == "succeeded"
    # a tree that git itself would not make
    blob = githttp.git(repo.bare, "hash-object", "-w", "--stdin",
                       stdin=b"[core]\n\tfsmonitor = touch /tmp/x\n")
    tree = githttp.git(repo.bare, "mktree",
                       stdin=f"100644 blob {blob}\tconfig\n".encode())
    with_git = githttp.git(repo.bare, "hash-object", "-t", "tree", "-w",
                           "--literally", "--stdin",
                           stdin=b"40000 .git\0" + bytes.fromhex(tree))
    commit = githttp.git(repo.bare, "commit-tree", "-m", "x", with_git)
    githttp.git(repo.bare, "update-ref", "refs/heads/evil", commit)
    refused(allowed.submit(job(repo.url, ", ref: evil")))


def test_too_large(allowed, served):
    """The pack is small, what is in it is not."""
    allowed.stop()
    path = allowed.state / "policies/default.yaml"
    path.write_text(path.read_text().replace("disk: 100G", "disk: 20M"))
    allowed("runs")
    repo = served.repo("app")
    with open(repo.tree / "zeros", "wb") as f:
        f.truncate(64 << 20)
    repo.commit({"file": "x"})
    refused(allowed.submit(job(repo.url, run="true")), "limit")


def test_the_default_policy_and_denials(nfo, served):
    repo = served.repo("app")
    repo.commit({"file": "one"})
    a = nfo.submit(job(repo.url))
    assert (a.status, a.json["code"]) == (403, "policy"), a
    assert a.json["errors"][0]["hint"].startswith("allow: { sources: [")
    assert a.json["errors"][0]["line"] == 3
    assert nfo.get("/v1/runs").json["items"] == [] and served.seen == []
    plan = nfo.ask("POST", "/v1/projects/default/plan",
                   job(repo.url, ", ref: main").encode(), YAML).json
    assert plan["source"]["url"] == repo.url and not plan["allowed"]
    assert plan["source"]["reasons"] and served.seen == []
    nfo.stop()
    path = nfo.state / "policies/default.yaml"
    path.write_text(path.read_text().replace('["https://**"]', '["http://**"]')
                    + "  - name: no network\n    deny: "
                    "{ networks: [host] }\n")
    nfo("runs")
    a = nfo.submit(job(repo.url))
    assert a.status == 403 and "is denied" in a.json["errors"][0]["message"]


def test_bad_urls_are_no_jobs(nfo):
    for url, code in (
            ("https://user@host/x.git", "bad-git-url"),
            ("https://user:pw@host/x.git", "bad-git-url"),
            ("ext::sh -c id", "bad-git-url"), ("file:///etc", "bad-git-url"),
            ("https://host", "bad-git-url"), ("--x", "bad-git-url"),
            ("https://host/a/../b", "bad-git-url"),
            ("ssh://git@host/x.git", "not-supported-yet"),
            ("git@host:x.git", "not-supported-yet")):
        a = nfo.submit(job(url))
        assert a.status == 422, (url, a)
        assert a.json["errors"][0]["code"] == code, (url, a.json)


def test_nothing_can_be_sent_along(allowed, served):
    a = allowed.submit(job(served.url + "/x.git"), source=b"\0" * 1024)
    assert (a.status, a.json["code"]) == (422, "source-not-wanted")


def test_it_waits_for_the_fetch_and_says_so(allowed, served):
    repo = served.repo("app")
    commit = repo.commit({"file": "one"})
    served.gate.clear()
    answers = []
    client = threading.Thread(target=lambda: answers.append(
        allowed.submit(job(repo.url), wait="60s")))
    client.start()
    try:
        assert served.asked.wait(40)
        run = allowed.get("/v1/runs?job=app").json["items"][0]
        assert (run["state"], run["blocked"]) == ("blocked", "source")
        assert run["source"]["commit"] is None
        why = allowed.get(f"/v1/runs/{run['id']}/why").json
        assert why["waits"][0]["for"] == "source"
        assert why["waits"][0]["runs"] == [run["source"]["run"]]
        assert not answers
    finally:
        served.gate.set()
        client.join()
    assert answers[0].json["source"]["commit"] == commit
    assert answers[0].json["state"] == "succeeded"


def test_cancelled_while_it_is_fetched(allowed, served):
    repo = served.repo("app")
    repo.commit({"file": "one"})
    served.gate.clear()
    client = threading.Thread(target=lambda: allowed.submit(
        job(repo.url, top="finally: { f: { run: echo no } }\n")))
    client.start()
    try:
        assert served.asked.wait(40)
        run = allowed.get("/v1/runs?job=app").json["items"][0]
        assert allowed.ask("POST",
                           f"/v1/runs/{run['id']}/cancel").status == 202
        run = allowed.ended(run)
        assert run["state"] == "cancelled"
        assert {t["state"] for t in run["tasks"]} == {"cancelled"}
        fetch = allowed.ended({"id": run["source"]["run"]})
        assert fetch["state"] == "cancelled"
    finally:
        served.gate.set()
        client.join()


@pytest.mark.parametrize("what", ["server", "monitor"])
def test_killed_during_the_fetch(allowed, served, what):
    """One run results, and it has its source."""
    repo = served.repo("app")
    commit = repo.commit({"file": "one"})
    served.gate.clear()

    def submit():
        try:
            allowed.submit(job(repo.url))
        except OSError:
            pass

    client = threading.Thread(target=submit)
    client.start()
    try:
        assert served.asked.wait(40)
        if what == "server":
            os.kill(allowed.role("server"), 9)
        else:
            allowed.stop(9)
        client.join()
    finally:
        served.gate.set()
    allowed("runs")
    allowed.until(lambda: allowed.get("/readyz").status == 200)
    items = allowed.get("/v1/runs?job=app").json["items"]
    assert len(items) == 1
    run = allowed.ended(items[0])
    assert run["state"] == "succeeded", run
    assert run["source"]["commit"] == commit
    assert allowed.log(run, "t").startswith(b"one")


def test_a_schedule_makes_one(allowed, served):
    repo = served.repo("app")
    commit = repo.commit({"file": "one"})
    text = job(repo.url, top="triggers: { schedule: [ { name: s, "
               "cron: '0 0 1 1 *' } ] }\n")
    a = allowed.ask("PUT", "/v1/projects/default/jobs/app", text.encode(),
                    YAML)
    assert a.status == 201, a
    rewind(allowed, 2 * 366 * 86400)
    run = allowed.until(lambda: allowed.get(
        "/v1/runs?trigger=schedule").json["items"])[0]
    run = allowed.ended(run)
    assert run["state"] == "succeeded" and run["source"]["commit"] == commit
    shutil.rmtree(repo.bare)
    rewind(allowed, 2 * 366 * 86400)
    run = allowed.until(lambda: [
        r for r in allowed.get("/v1/runs?trigger=schedule").json["items"]
        if r["id"] != run["id"]])[0]
    run = allowed.ended(run)
    assert (run["state"], run["kind"]) == ("failed", "setup")
    assert "not found" in run["error"]


def test_a_webhook_runs_the_commit_that_was_pushed(allowed, served):
    repo = served.repo("app")
    commit = repo.commit({"file": "one"})
    repo.commit({"file": "two"})
    allowed("secret", "put", "hook", stdin="battery staple")
    text = job(repo.url, ", ref: \"${{ inputs.ref }}\"", top=(
        "secrets: { key: { store: hook } }\n"
        "inputs: { ref: { type: string } }\n"
        "triggers: { webhook: [ { name: push, scheme: gitlab-token, "
        "secret: key, inputs: { ref: /after } } ] }\n"))
    a = allowed.ask("PUT", "/v1/projects/default/jobs/app", text.encode(),
                    YAML)
    assert a.status == 201, a
    headers = {"X-Gitlab-Token": "battery staple", "Idempotency-Key": "1"}
    url = a.json["hooks"][0]["url"]
    first, again = (allowed.ask("POST", url, {"after": commit}, headers)
                    for _ in range(2))
    assert first.status == 202 and again.json == first.json, first
    run = allowed.ended(allowed.get(f"/v1/runs/{first.json['run_id']}").json)
    assert run["state"] == "succeeded" and run["source"]["commit"] == commit


def test_a_paused_project_fetches_later(allowed, served):
    repo = served.repo("app")
    repo.commit({"file": "one"})
    a = allowed.ask("PUT", "/v1/projects/default", {"paused": True})
    assert a.status in (200, 201), a
    a = allowed.submit(job(repo.url))
    assert a.status == 201 and a.json["blocked"] == "maintenance", a
    assert served.seen == []
    etag = allowed.get("/v1/projects/default").headers["etag"]
    a = allowed.ask("PUT", "/v1/projects/default", {"paused": False},
                    {"If-Match": etag})
    assert a.status == 200, a
    run = allowed.get("/v1/runs?job=app").json["items"][0]
    assert allowed.ended(run)["state"] == "succeeded"


def test_one_at_a_time_is_no_deadlock(allowed, served):
    repo = served.repo("app")
    repo.commit({"file": "one"})
    a = allowed.ask("PUT", "/v1/projects/default", {"max_running": 1})
    assert a.status in (200, 201), a
    assert allowed.run(job(repo.url))["state"] == "succeeded"


def test_a_second_reader_of_the_database_sees_what_keeps_the_content(
        allowed, served):
    repo = served.repo("app")
    repo.commit({"file": "one"})
    run = allowed.run(job(repo.url))
    allowed.stop()
    db = sqlite3.connect(allowed.state / "server/nfo.db")
    rows = db.execute("SELECT source, git_commit FROM runs WHERE job='app'"
                      ).fetchall()
    db.close()
    digest = run["source"]["digest"].split(":")[1]
    assert rows == [(digest, run["source"]["commit"])]
