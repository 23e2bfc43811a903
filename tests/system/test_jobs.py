# SPDX-License-Identifier: AGPL-3.0-or-later
"""Stored jobs: put, get, list, delete, revisions, running one."""
import json

JOBS = "/v1/projects/default/jobs"
YAML = {"Content-Type": "application/yaml"}
HELLO = """\
nfo: 1
name: hello  # a comment stays
description: says it
inputs: { who: { type: string, default: you } }
tasks: { t: { run: 'echo "hi $NFO_INPUT_WHO"' } }
"""
LOUD = HELLO.replace('"hi', '"HI')


def put(nfo, text=HELLO, name="hello", **headers):
    return nfo.ask("PUT", f"{JOBS}/{name}", text.encode(), {
        **YAML, **{k.replace("_", "-"): v for k, v in headers.items()}})


def test_a_job_is_put_once_and_then_replaced_with_care(nfo):
    made = put(nfo)
    assert made.status == 201 and made.headers["location"] == f"{JOBS}/hello"
    etag = made.headers["etag"]
    assert etag == f'"{made.json["definition_digest"]}"'
    assert made.json["definition"]["tasks"]["t"]["run"].startswith("echo")
    assert put(nfo).status == 200  # the same to the byte loses nothing
    blind = put(nfo, LOUD)
    assert blind.status == 428 and etag in blind.json["detail"]
    assert put(nfo, LOUD, If_None_Match="*").status == 412
    assert put(nfo, LOUD, If_Match='"sha256:0"').status == 412
    assert nfo.get(f"{JOBS}/hello").headers["etag"] == etag
    changed = put(nfo, LOUD, If_Match=etag)
    assert changed.status == 200 and changed.headers["etag"] != etag
    assert put(nfo, HELLO, If_Match=etag).status == 412
    assert put(nfo, HELLO, If_Match="*").status == 200


def test_what_does_not_exist_cannot_be_matched(nfo):
    assert put(nfo, If_Match="*").status == 412
    assert put(nfo, If_None_Match="*").status == 201


def test_posting_makes_only_new_ones(nfo):
    one = nfo.ask("POST", JOBS, HELLO.encode(), YAML)
    assert one.status == 201 and one.headers["location"] == f"{JOBS}/hello"
    assert nfo.ask("POST", JOBS, LOUD.encode(), YAML).status == 409


def test_it_comes_back_in_each_syntax(nfo):
    put(nfo)
    whole = nfo.get(f"{JOBS}/hello")
    assert whole.headers["content-type"] == "application/json"
    assert whole.json["syntax"] == "yaml"
    assert whole.json["description"] == "says it"
    assert whole.json["changed_by"].startswith("uid:")
    text = nfo.get(f"{JOBS}/hello", Accept="application/yaml")
    assert text.body.decode() == HELLO
    toml = nfo.get(f"{JOBS}/hello",
                   Accept="application/toml, application/json;q=0.1")
    assert toml.headers["content-type"] == "application/toml"
    again = nfo.ask("POST", "/v1/validate", toml.body,
                    {"Content-Type": "application/toml"})
    assert f'"{again.json["definition_digest"]}"' == text.headers["etag"]
    assert nfo.get(f"{JOBS}/hello", Accept="text/html").status == 406
    same = nfo.get(f"{JOBS}/hello", If_None_Match=text.headers["etag"])
    assert same.status == 304 and same.body == b""


def test_what_is_wrong_is_not_stored(nfo):
    bad = put(nfo, HELLO.replace("run:", "rum:"))
    assert bad.status == 422 and bad.json["code"] == "invalid-job"
    assert all(e["line"] and e["pointer"] for e in bad.json["errors"])
    assert put(nfo, HELLO, name="other").json["code"] == "name-mismatch"
    assert put(nfo, HELLO.replace("name: hello",
                                  "name: hello\nproject: web")
               ).json["code"] == "name-mismatch"
    assert nfo.ask("PUT", f"{JOBS}/hello", b"x",
                   {"Content-Type": "text/html"}).status == 415
    later = HELLO + "notify: [ { events: [failed], channel: ops } ]\n"
    assert put(nfo, later).json["code"] == "not-supported-yet"
    assert nfo.get(f"{JOBS}/hello").status == 404
    assert nfo.get(JOBS).json == {"items": [], "next_cursor": None}


def test_the_list_goes_in_pages_by_the_last_change(nfo):
    for name in "abcde":
        assert put(nfo, HELLO.replace("hello", name), name).status == 201
    put(nfo, LOUD.replace("hello", "b"), "b", If_Match="*")
    names, path = [], f"{JOBS}?limit=2"
    while path:
        page = nfo.get(path)
        assert page.status == 200
        names += [j["name"] for j in page.json["items"]]
        link = page.headers.get("link", "")
        path = link[1:link.index(">")] if link else None
        assert bool(path) == bool(page.json["next_cursor"])
    assert names == list("bedca")
    cursor = nfo.get(f"{JOBS}?limit=2").json["next_cursor"]
    assert nfo.get(f"/v1/runs?cursor={cursor}").status == 400
    assert nfo.get(f"{JOBS}?limit=0").status == 400
    assert nfo.get(f"{JOBS}?colour=red").json["code"] == "unknown-parameter"


def test_revisions_and_what_changed(nfo):
    first = put(nfo).json["definition_digest"]
    second = put(nfo, LOUD, If_Match="*").json["definition_digest"]
    items = nfo.get(f"{JOBS}/hello/revisions").json["items"]
    assert [r["definition_digest"] for r in items] == [second, first]
    assert [r["current"] for r in items] == [True, False]
    old = nfo.get(f"{JOBS}/hello/revisions/{first}",
                  Accept="application/yaml")
    assert old.body.decode() == HELLO
    assert "hi" in str(nfo.get(
        f"{JOBS}/hello/revisions/{first}").json["definition"])
    diff = nfo.get(f"{JOBS}/hello/revisions/{first}/diff").json
    assert (diff["from"], diff["to"]) == (first, second)
    (change,) = diff["changes"]
    assert change["op"] == "replace" and change["pointer"] == "/tasks/t/run"
    assert "hi" in change["from"] and "HI" in change["to"]
    back = nfo.get(f"{JOBS}/hello/revisions/{second}/diff?to={first}").json
    assert back["changes"][0]["to"] == change["from"]
    assert nfo.get(f"{JOBS}/hello/revisions/{'0' * 64}").status == 404
    assert nfo.get(f"{JOBS}/hello/revisions/x").status == 404
    assert nfo.get(f"{JOBS}/nobody/revisions").status == 404


def test_deleting_wants_to_know_what(nfo):
    etag = put(nfo).headers["etag"]
    path = f"{JOBS}/hello"
    assert nfo.ask("DELETE", path).status == 428
    assert nfo.ask("DELETE", path, headers={"If-Match": '"x"'}).status == 412
    assert nfo.ask("DELETE", path, headers={"If-Match": etag}).status == 204
    assert nfo.ask("DELETE", path, headers={"If-Match": "*"}).status == 404
    assert nfo.get(f"{path}/revisions").status == 404
    assert put(nfo).status == 201


def test_a_stored_job_runs(nfo):
    digest = put(nfo).json["definition_digest"]
    run = nfo.ask("POST", f"{JOBS}/hello/runs?wait=60s")
    assert run.status == 201 and run.json["state"] == "succeeded", run
    assert run.json["definition_digest"] == digest
    assert nfo.log(run.json, "t") == b"hi you\n"
    run = nfo.ask("POST", f"{JOBS}/hello/runs?wait=60s",
                  {"inputs": {"who": "me"}, "labels": {"a": "b"}},
                  {"Idempotency-Key": "once"})
    assert nfo.log(run.json, "t") == b"hi me\n"
    assert run.json["labels"] == {"a": "b"}
    again = nfo.ask("POST", f"{JOBS}/hello/runs",
                    {"labels": {"a": "b"}, "inputs": {"who": "me"}},
                    {"Idempotency-Key": "once"})
    assert again.json["id"] == run.json["id"]
    nfo.ask("DELETE", f"{JOBS}/hello", headers={"If-Match": "*"})
    assert nfo.fresh(run.json)["state"] == "succeeded"
    assert nfo.ask("POST", f"{JOBS}/hello/runs").status == 404


def test_a_label_is_a_text(nfo):
    put(nfo)
    for odd in None, 1, True, [], {"a": "b"}:
        a = nfo.ask("POST", f"{JOBS}/hello/runs", {"labels": {"x": odd}})
        assert a.status == 422 and "labels.x" in a.json["detail"], a
    assert nfo.ask("POST", f"{JOBS}/hello/runs?wait=60s",
                   {"labels": {"x": ""}}).status == 201


def test_what_is_wrong_with_an_order(nfo):
    put(nfo)
    path = f"{JOBS}/hello/runs"
    assert nfo.ask("POST", path, b"{", {"Content-Type": "application/json"}
                   ).status == 400
    assert nfo.ask("POST", path, b"nfo: 1", YAML).status == 415
    assert nfo.ask("POST", path, []).json["code"] == "bad-request"
    assert nfo.ask("POST", path, {"job": {}}).json["code"] == "bad-request"
    bad = nfo.ask("POST", path, {"inputs": {"nobody": 1}})
    assert bad.status == 422 and bad.json["code"] == "invalid-inputs"
    assert nfo.get("/v1/runs").json["items"] == []


def test_jobs_survive_a_restart(nfo):
    etag = put(nfo).headers["etag"]
    nfo.stop()
    nfo("runs")
    assert nfo.get(f"{JOBS}/hello").headers["etag"] == etag


# --- the command line

def test_the_command_line_does_all_of_it(nfo):
    path = nfo.write("hello.yaml", HELLO)
    assert "created" in nfo("job", "put", path).out
    assert "unchanged" in nfo("job", "put", path).out
    nfo.write("hello.yaml", LOUD)
    assert "changed" in nfo("job", "put", path).out
    assert "hello" in nfo("job", "list").out
    assert nfo("job", "get", "hello").out == LOUD
    assert json.loads(nfo("job", "get", "hello", "-o", "json").out)[
        "name"] == "hello"
    assert "[tasks" in nfo("job", "get", "hello", "--to", "toml").out
    history = nfo("job", "history", "hello").out.splitlines()
    assert len(history) == 3
    old = history[2].split()[0]
    shown = nfo("job", "diff", "hello", old).out
    assert "/tasks/t/run" in shown and "HI" in shown
    assert "HI me" in nfo("job", "run", "hello", "-i", "who=me").out
    wrong = nfo.write("bad.yaml", HELLO.replace("run:", "rum:"))
    assert "bad.yaml:5:" in nfo("job", "put", wrong, code=2).err
    nfo("job", "rm", "hello")
    assert "no such job" in nfo("job", "get", "hello", code=2).err
