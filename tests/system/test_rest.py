# SPDX-License-Identifier: AGPL-3.0-or-later
"""The REST API on the Unix socket."""
import json
import os
import re

import pytest

import nfo as programs

HELLO = "nfo: 1\nname: hello\ntasks: { hello: { run: echo hi there } }\n"
RUNS = "/v1/projects/default/runs"
YAML = {"Content-Type": "application/yaml"}
NOBODY = "run_01ARZ3NDEKTSV4RRFFQ69G5FAV"


def operations(nfo):
    """(method, path with names filled in, operation) of the document."""
    document = nfo.get("/v1/openapi.json").json
    names = {"project": "default", "run": NOBODY, "task": "t", "attempt": "1",
             "artifact": "t.a", "name": "absent", "job": "absent",
             "digest": "0" * 64, "user": "absent", "group": "absent",
             "role": "absent", "token": "tok_absent",
             "schedule": "absent", "hook": "absent",
             "cache": "cache_absent"}
    for path, item in document["paths"].items():
        filled = re.sub(r"\{(\w+)\}", lambda m: names.get(m[1], "absent"), path)
        for method, operation in item.items():
            if method != "parameters":
                yield method.upper(), filled, operation


def is_problem(a):
    return (a.headers["content-type"] == "application/problem+json"
            and {"status", "code", "request_id"} <= set(a.json)
            and a.json["status"] == a.status)


def test_health_and_readiness(nfo):
    for path in ("/healthz", "/readyz"):
        a = nfo.get(path)
        assert (a.status, a.json["status"]) == (200, "ok"), a


def test_metrics_count_runs(nfo):
    nfo.run(HELLO)
    a = nfo.get("/metrics")
    assert a.headers["content-type"].startswith("text/plain")
    assert re.search(rb"^nfo_runs_created_total 1$", a.body, re.M)
    for line in a.body.decode().splitlines():
        assert re.fullmatch(r"# (HELP|TYPE) (nfo|process)_\w+ .+|"
                            r"(nfo|process)_\w+(\{[^}]*\})? [0-9.e+-]+", line), line


def test_version_agrees_with_the_command(nfo):
    assert f"nfo {nfo.get('/v1/version').json['version']}\n" == \
        nfo("version").out


def test_index_says_where_the_source_is(nfo):
    assert nfo.get("/v1").json["source_url"].startswith("http")


def test_whoami_is_the_uid_of_the_peer(nfo):
    assert nfo.get("/v1/whoami").json["name"] == f"uid:{os.geteuid()}"


def test_schema_of_the_format_knows_its_keys(nfo):
    schema = nfo.get("/v1/schema/job.json").json
    assert "tasks" in schema["properties"]


def test_every_operation_answers_as_documented(nfo):
    walked = 0
    every = sorted(operations(nfo),  # what seals comes last
                   key=lambda o: o[:2] == ("POST", "/v1/seal"))
    for method, path, op in every:
        if path.endswith("/v1/events"):
            continue  # never ends; has a test of its own
        a = nfo.ask(method, path, b"{" if "requestBody" in op else None,
                    {"Content-Type": "application/json"}
                    if "requestBody" in op else {})
        assert a.status < 500, (method, path, a)
        documented = set(op["responses"])
        assert str(a.status) in documented or "default" in documented, \
            (method, path, a, documented)
        if a.status >= 400:
            assert is_problem(a), (method, path, a)
        walked += 1
    assert walked > 20


def test_every_path_refuses_other_methods_with_allow(nfo):
    allowed = {}
    for method, path, _ in operations(nfo):
        allowed.setdefault(path, set()).add(method)
    for path, methods in allowed.items():
        a = nfo.ask("PATCH", path)
        assert a.status == 405 and is_problem(a), (path, a)
        said = set(a.headers["allow"].replace(" ", "").split(","))
        assert said - {"HEAD", "OPTIONS"} == methods, path


def test_every_operation_refuses_an_unknown_query_parameter(nfo):
    run = nfo.run("tasks: { t: { run: echo a > a, "
                  "artifacts: { a: { path: a } } } }")
    wrong = []
    for method, path, op in operations(nfo):
        if method == "DELETE":
            continue
        body = HELLO.encode() if "requestBody" in op else None
        a = nfo.ask(method, path.replace(NOBODY, run["id"]) + "?no_such=1",
                    body, YAML if body else {})
        if (a.status, a.json.get("code") if a.status >= 400 else "") != \
                (400, "unknown-parameter"):
            wrong.append((method, path, a.status, a.body[:80]))
    assert not wrong


@pytest.mark.parametrize("path", (
    "/", "/v2", "/v1/nothing", "/v1/runs/", f"/v1/runs/{NOBODY}",
    "/v1/runs/nonsense", "/v1/runs/run_../x", "/v1/%00", "/v1/runs/%zz",
    f"/v1/runs/{NOBODY}/tasks/t/attempts/0/log", "/v1/" + "a" * 8000))
def test_unknown_paths_are_404(nfo, path):
    a = nfo.get(path)
    assert a.status in (404, 414) and is_problem(a), a


def test_head_is_get_without_a_body(nfo):
    run = nfo.run(HELLO)
    path = f"/v1/runs/{run['id']}/tasks/hello/log"
    head, get = nfo.ask("HEAD", path), nfo.get(path)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == get.headers["content-length"] \
        == str(len("hi there\n"))


def test_options_lists_the_methods(nfo):
    a = nfo.ask("OPTIONS", "/v1/runs")
    assert a.status == 204 and "GET" in a.headers["allow"]


def test_what_needs_a_permission_is_not_cached(nfo):
    assert nfo.get("/v1/runs").headers["cache-control"] == "no-store"


def test_a_run_from_a_bare_job_or_json(nfo):
    a = nfo.ask("POST", RUNS, HELLO.encode(), YAML)
    assert a.status == 201
    assert a.headers["location"] == f"/v1/runs/{a.json['id']}"
    a = nfo.ask("POST", RUNS + "?wait=30s", {"job": {
        "nfo": 1, "name": "x", "inputs": {"n": {"type": "int"}},
        "tasks": {"t": {"run": "echo $NFO_INPUT_N"}}}, "inputs": {"n": 5}})
    assert (a.status, a.json["state"]) == (201, "succeeded")
    assert a.json["inputs"] == {"n": 5}
    assert nfo.log(a.json, "t") == b"5\n"


@pytest.mark.parametrize("body,headers,status", (
    (b"{", {"Content-Type": "application/json"}, 400),
    (b"a: [", YAML, 400), (b"", YAML, 400),
    (b"nfo: 1", YAML, 422), (HELLO.encode(), {"Content-Type": "text/x"}, 415),
    (HELLO.replace("hello", "hello\nproject: other", 1).encode(), YAML, 422),
    (b"x" * (2 << 20), YAML, 413),
    (b"x", {"Content-Type": "multipart/form-data; boundary=b"}, 400),
    (b"x", {"Content-Type": "multipart/form-data"}, 400)),
    ids=("json", "yaml", "empty", "incomplete", "type", "project", "large",
         "multipart", "boundary"))
def test_wrong_bodies_are_refused(nfo, body, headers, status):
    a = nfo.ask("POST", RUNS, body, headers)
    assert a.status == status and is_problem(a), a
    assert nfo.get("/v1/runs").json["items"] == []


def test_all_errors_of_a_job_with_their_places(nfo):
    a = nfo.ask("POST", "/v1/validate", b"nfo: 1\nname: X\ntasks:\n"
                b"  t: { runn: a }\n", YAML)
    assert a.status == 422
    assert {(e["line"], e["code"]) for e in a.json["errors"]} >= \
        {(4, "unknown-key")}
    assert {e["line"] for e in a.json["errors"]} >= {2, 4}


def test_validate_stores_nothing(nfo):
    a = nfo.ask("POST", "/v1/validate", HELLO.encode(), YAML)
    assert a.json["valid"] and a.json["definition_digest"].startswith("sha256")
    assert nfo.get("/v1/runs").json["items"] == []


def test_convert_keeps_the_digest(nfo):
    digests = set()
    for to in ("json", "toml", "yaml"):
        a = nfo.ask("POST", f"/v1/convert?to={to}", HELLO.encode(), YAML)
        assert a.headers["content-type"].startswith(f"application/{to}")
        a = nfo.ask("POST", "/v1/validate", a.body,
                    {"Content-Type": f"application/{to}"})
        digests.add(a.json["definition_digest"])
    assert len(digests) == 1


def test_a_repeated_key_gives_the_first_answer(nfo):
    key = {"Idempotency-Key": "k1", **YAML}
    first = nfo.ask("POST", RUNS, HELLO.encode(), key)
    # The same parsed parts, not the same bytes.
    other = HELLO.replace("{ hello: { run: echo hi there } }",
                          "\n  hello:\n    run: echo hi there")
    again = nfo.ask("POST", RUNS, other.encode(), key)
    assert (first.status, again.status) == (201, 201)
    assert again.json["id"] == first.json["id"]
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert len(nfo.get("/v1/runs").json["items"]) == 1


def test_a_repeated_key_with_another_body_is_422(nfo):
    key = {"Idempotency-Key": "k1", **YAML}
    nfo.ask("POST", RUNS, HELLO.encode(), key)
    a = nfo.ask("POST", RUNS, HELLO.replace("hi", "ho").encode(), key)
    assert (a.status, a.json["code"]) == (422, "idempotency-mismatch")


def test_a_key_is_remembered_over_a_restart(nfo):
    key = {"Idempotency-Key": "k1", **YAML}
    first = nfo.ask("POST", RUNS, HELLO.encode(), key)
    nfo.ended(first.json)
    nfo.stop()
    nfo("runs")
    again = nfo.ask("POST", RUNS, HELLO.encode(), key)
    assert again.json["id"] == first.json["id"]


def test_lists_page_and_filter(nfo):
    ids = [nfo.run(HELLO)["id"] for _ in range(3)]
    bad = nfo.run(HELLO.replace("echo hi there", "exit 1"))["id"]
    page = nfo.get("/v1/runs?limit=2").json
    assert [r["id"] for r in page["items"]] == [bad, ids[2]]
    rest = nfo.get(f"/v1/runs?limit=2&cursor={page['next_cursor']}").json
    assert [r["id"] for r in rest["items"]] == [ids[1], ids[0]]
    assert rest["next_cursor"] is None  # it ended with the last
    some = nfo.get("/v1/runs?state=failed&state=cancelled").json["items"]
    assert [r["id"] for r in some] == [bad]
    assert nfo.get("/v1/runs?state=succeeded&job=absent").json["items"] == []


def test_of_a_repeated_parameter_one_is_enough(nfo):
    ids = {}
    for name in "abc":
        a = nfo.submit(HELLO.replace("name: hello", f"name: {name}"))
        assert a.status == 201, a
        ids[a.json["id"]] = a.json["job"]
    assert sorted(ids.values()) == ["a", "b", "c"]

    def jobs(query):
        a = nfo.get(f"/v1/runs?{query}")
        assert a.status == 200, a
        return [ids[r["id"]] for r in a.json["items"]]
    assert jobs("job=c&job=a") == ["c", "a"]
    assert jobs("job=c&job=a&limit=1") == ["c"]
    assert jobs("job=c&job=nope") == ["c"]
    assert jobs("project=default&project=web&job=b") == ["b"]
    assert jobs("project=web&project=other") == []
    assert jobs("trigger=api&trigger=schedule") == ["c", "b", "a"]
    assert jobs("trigger=hook&trigger=schedule") == []
    assert jobs("job=%22&job=b") == ["b"]


def test_of_a_label_one_value_is_enough(nfo):
    for at, of in (("here", "x"), ("there", "x"), ("there", "y"), ("far", "x")):
        a = nfo.ask("POST", RUNS, {"job": {
            "nfo": 1, "name": f"{at}-{of}", "tasks": {"t": {"run": "true"}}},
            "labels": {"at": at, "of": of}})
        assert a.status == 201, a

    def jobs(query):
        return [r["job"] for r in nfo.get(f"/v1/runs?{query}").json["items"]]
    assert jobs("label.at=there") == ["there-y", "there-x"]
    assert jobs("label.at=here&label.at=far") == ["far-x", "here-x"]
    assert jobs("label.at=here&label.of=x&label.at=there") == \
        ["there-x", "here-x"]
    assert jobs("label.of=x&label.at=far&label.at=there") == \
        ["far-x", "there-x"]
    assert jobs("label.of=y&label.of=x&label.at=far&limit=1") == ["far-x"]
    assert jobs("label.of=z&label.of=y&label.at=far") == []


def test_the_next_link_asks_the_same_question(nfo):
    good = [nfo.run(HELLO)["id"] for _ in range(2)]
    nfo.run(HELLO.replace("echo hi there", "exit 1"))
    path, seen = "/v1/runs?limit=1&state=succeeded&state=cancelled" \
        "&since=2026-01-01T00:00:00%2B01:00", []
    while path:
        a = nfo.get(path)
        seen += [r["id"] for r in a.json["items"]]
        link = a.headers.get("link")
        path = link and link.split(">")[0][1:]
    assert seen == good[::-1]


@pytest.mark.parametrize("query", ("limit=-1", "limit=0", "limit=x", "limit=100000",
                                   "state=nope", "state=%", "job=a%0ab", "cursor=zzz", "since=monday"))
def test_wrong_parameters_are_400(nfo, query):
    a = nfo.get(f"/v1/runs?{query}")
    assert a.status == 400 and is_problem(a), a


def test_events_resume_after_the_last_seen(nfo):
    run = nfo.run(HELLO)
    events = list(nfo.events(run))
    ids = [i for i, _, _ in events]
    assert ids == sorted(set(ids))
    assert [d["state"] for _, k, d in events if k == "task"][-1] == "succeeded"
    assert events[-1][1:] == ("run", events[-1][2])
    assert events[-1][2]["state"] == "succeeded"
    middle = ids[len(ids) // 2]
    assert list(nfo.events(run, middle)) == [e for e in events
                                             if e[0] > middle]
    nfo.stop()
    nfo("runs")
    assert list(nfo.events(run)) == events


def test_a_wrong_last_event_id_is_400(nfo):
    run = nfo.run(HELLO)
    a = nfo.ask("GET", f"/v1/runs/{run['id']}/events",
                headers={"Last-Event-ID": "x"})
    assert a.status == 400 and is_problem(a)


def test_events_of_all_runs_from_now_on(nfo):
    before = nfo.run(HELLO)
    c = nfo.connect()
    c.request("GET", "/v1/events")
    stream = c.getresponse()
    assert stream.headers["x-accel-buffering"] == "no"
    after = nfo.run(HELLO)
    for _, _, data in programs.sse(stream):
        assert data["run_id"] == after["id"] != before["id"]
        if data["state"] == "succeeded" and "task" not in data:
            break
    c.close()


def test_log_as_ndjson_holds_the_same_bytes(nfo):
    run = nfo.run(r"""tasks: { t: { run: 'printf "a\377\000b\n"' } }""")
    path = f"/v1/runs/{run['id']}/tasks/t/log"
    a = nfo.get(path, Accept="application/x-ndjson")
    assert a.headers["content-type"].startswith("application/x-ndjson")
    assert programs.frames(a.body) == nfo.log(run, "t") == b"a\xff\0b\n"
    seqs = [json.loads(line)["seq"] for line in a.body.splitlines()]
    assert seqs == list(range(1, len(seqs) + 1))


def test_log_follows_as_sse_and_ends_with_the_result(nfo):
    run = nfo.run("tasks: { t: { run: 'echo one; sleep 0.3; echo two; "
                  "exit 3' } }", wait=None)
    nfo.until_state(run, "running", "t")
    c = nfo.connect()
    c.request("GET", f"/v1/runs/{run['id']}/tasks/t/log", None,
              {"Accept": "text/event-stream"})
    events = list(programs.sse(c.getresponse()))
    c.close()
    assert "".join(d["data"] for _, k, d in events if k == "log") == \
        "one\ntwo\n"
    assert events[-1][1] == "end"
    assert events[-1][2] == {"state": "failed", "kind": "exit",
                             "exit_code": 3}


def test_log_range(nfo):
    run = nfo.run(HELLO)
    a = nfo.get(f"/v1/runs/{run['id']}/tasks/hello/log", Range="bytes=3-")
    assert (a.status, a.body) == (206, b"there\n")


def test_delete_forgets_a_run_that_has_ended(nfo):
    run = nfo.run("tasks: { t: { run: echo gone > a; cat a, "
                  "artifacts: { a: { path: a } } } }")
    path = f"/v1/runs/{run['id']}"
    assert nfo.ask("DELETE", path).status == 204
    assert nfo.get(path).status == 404
    assert nfo.get(f"{path}/tasks/t/log").status == 404
    # Its files go right after the answer, off the engine's thread.
    nfo.until(lambda: not list((nfo.state / "server/runs").glob("*/*/log*")))


def test_delete_of_a_live_run_is_409(nfo):
    run = nfo.run("tasks: { t: { run: sleep 300 } }", wait=None)
    a = nfo.ask("DELETE", f"/v1/runs/{run['id']}")
    assert a.status == 409 and is_problem(a)
    nfo("cancel", run["id"])
    nfo.ended(run)
    a = nfo.ask("POST", f"/v1/runs/{run['id']}/cancel")
    assert a.status == 409 and is_problem(a)


def test_put_secret_says_its_version(nfo):
    path = "/v1/projects/default/secrets/api"
    octets = {"Content-Type": "application/octet-stream"}
    a = nfo.ask("PUT", path, b"value number one", octets)
    assert (a.status, a.headers["etag"]) == (201, '"1"')
    a = nfo.ask("PUT", path, {"value": "value number two"})
    assert (a.status, a.headers["etag"]) == (200, '"2"')
    a = nfo.ask("PUT", path, b"x" * 65537, octets)
    assert a.status == 413 and is_problem(a)
    assert nfo.ask("DELETE", path).status == 204
    assert nfo.ask("DELETE", path).status == 404
