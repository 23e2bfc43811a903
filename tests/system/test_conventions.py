# SPDX-License-Identifier: AGPL-3.0-or-later
"""What holds for every route alike, walked over the OpenAPI document."""
import json
import re
import threading
import time

import pytest

SSE = "text/event-stream"
YAML = {"Content-Type": "application/yaml"}
RUNS = "/v1/projects/default/runs"
JOB = """\
nfo: 1
name: j
triggers: { schedule: [ { name: s, cron: "0 0 * * *" } ] }
tasks: { t: { run: echo hi > f; cat f, artifacts: { f: { path: f } } } }
"""


@pytest.fixture
def world(nfo):
    """A server with one of each thing; what the names of paths stand for."""
    for path, body in (
            ("/v1/projects/default", {"description": "x"}),
            ("/v1/users/ann", {"full_name": "Ann"}),
            ("/v1/groups/devs", {"members": ["ann"]}),
            ("/v1/roles/r", {"role": "viewer", "projects": ["*"],
                             "members": ["group/devs"]})):
        assert nfo.ask("PUT", path, body).status == 201
    token = nfo.ask("POST", "/v1/tokens", {"name": "t"}).json
    job = nfo.ask("PUT", "/v1/projects/default/jobs/j", JOB.encode(), YAML)
    run = nfo.ask("POST",
                  "/v1/projects/default/jobs/j/runs?wait=60s").json
    nfo.names = {
        "project": "default", "user": "ann", "group": "devs", "role": "r",
        "token": token["id"], "job": "j", "schedule": "s",
        "digest": job.json["definition_digest"], "run": run["id"],
        "task": "t", "attempt": "1", "artifact": "t.f"}
    nfo.document = nfo.get("/v1/openapi.json").json
    return nfo


def operations(nfo, method):
    """(path with the names filled in, operation), of things that are there."""
    for path, item in nfo.document["paths"].items():
        op = item.get(method)
        if not op or set(re.findall(r"\{(\w+)\}", path)) - set(nfo.names):
            continue
        path = re.sub(r"\{(\w+)\}", lambda m: nfo.names[m[1]], path)
        if method == "get" and types_of(op)[0] != SSE and \
                nfo.get(path).status == 404:
            continue  # not of this run
        yield path, op


def types_of(op):
    return [t for status, a in op["responses"].items() if status[0] == "2"
            for t in a.get("content", {})]


def test_every_get_has_a_head(world):
    n = 0
    for path, op in operations(world, "get"):
        if types_of(op)[0] == SSE:
            continue
        get, head = world.get(path), world.ask("HEAD", path)
        assert (head.status, head.body) == (get.status, b""), path
        assert head.headers["content-type"] == get.headers["content-type"]
        n += 1
    assert n > 20


def test_what_cannot_be_given_is_406_and_what_can_is_given(world):
    for method in ("get", "post", "put"):
        for path, op in operations(world, method):
            types = types_of(op)
            if not types:
                continue
            a = world.ask(method.upper(), path, headers={
                "Accept": "image/png, text/html;q=0.5"})
            assert (a.status, a.json["code"]) == (406, "not-acceptable"), path
            assert types[0] in a.json["detail"]
            if method != "get":
                continue
            for kind in types:
                if kind == SSE:
                    continue
                a = world.get(path, Accept=f"image/png, {kind}")
                assert a.status < 300, (path, kind, a)
                assert a.headers["content-type"].startswith(kind), path


def test_every_path_has_options(world):
    for path, _ in operations(world, "get"):
        a = world.ask("OPTIONS", path)
        assert a.status == 204 and "OPTIONS" in a.headers["allow"]
        assert {"GET", "HEAD"} <= set(a.headers["allow"].split(", "))


def test_what_needs_a_permission_is_not_cached(world):
    for path, op in operations(world, "get"):
        if types_of(op)[0] != SSE and not path.startswith("/.well-known/"):
            assert world.get(path).headers["cache-control"] == "no-store"


def test_request_ids(nfo):
    for path in ("/v1/runs", "/v1/nothing"):
        a = nfo.get(path, X_Request_Id="trace-1.2:3_4")
        assert a.headers["x-request-id"] == "trace-1.2:3_4"
        if a.status == 404:
            assert a.json["request_id"] == "trace-1.2:3_4"
        for odd in ("a b", "a\"", "x" * 65, "<script>"):
            ours = nfo.get(path, X_Request_Id=odd).headers["x-request-id"]
            assert re.fullmatch("[0-9A-Z]{26}", ours), odd
    assert nfo.get("/v1").headers["x-request-id"] != \
        nfo.get("/v1").headers["x-request-id"]


# --- lists

def test_a_cursor_is_of_its_list_and_its_filters(nfo):
    jobs = [JOB.replace("name: j", f"name: {n}") for n in ("j1", "j2", "j3")]
    for text in jobs:
        assert nfo.submit(text).status == 201
        assert nfo.ask("POST", "/v1/projects/default/jobs", text.encode(),
                       YAML).status == 201
    first = nfo.get("/v1/runs?limit=1&project=default")
    cursor = first.json["next_cursor"]
    assert f"cursor={cursor}" in first.headers["link"]
    assert 'rel="next"' in first.headers["link"]
    target = re.match("<(.*)>", first.headers["link"])[1]
    assert nfo.get(target).status == 200
    assert nfo.get(f"/v1/runs?limit=2&project=default&cursor={cursor}"
                   ).status == 200  # the size of a page may change
    flipped = cursor[:-1] + ("A" if cursor[-1] != "A" else "B")
    for path in (f"/v1/runs?cursor={cursor}",
                 f"/v1/runs?project=other&cursor={cursor}",
                 f"/v1/runs?project=default&state=failed&cursor={cursor}",
                 f"/v1/projects/default/jobs?cursor={cursor}",
                 f"/v1/users?cursor={cursor}",
                 f"/v1/runs?project=default&cursor={flipped}",
                 "/v1/runs?cursor=", "/v1/runs?cursor=AAAA"):
        a = nfo.get(path)
        assert (a.status, a.json["code"]) == (400, "bad-parameter"), path
    nfo.stop()
    nfo("runs")
    assert nfo.get(target).status == 200  # also over a restart


# --- one thing, and waiting for it

def test_single_gets_have_an_etag(world):
    n = 0
    for path, op in operations(world, "get"):
        if "304" not in op["responses"]:
            continue
        tag = world.get(path).headers["etag"]
        for names in (tag, f'"x", {tag}', "*"):
            a = world.get(path, If_None_Match=names)
            assert (a.status, a.body) == (304, b""), (path, names)
            assert a.headers["etag"] == tag
        assert world.get(path, If_None_Match='"x"').status == 200
        n += 1
    assert n >= 7


def test_waiting_for_the_next_change_of_a_run(nfo):
    run = nfo.submit("nfo: 1\nname: w\ntasks: { t: { run: sleep 1000,"
                     " timeout: 60s } }").json
    path = f"/v1/runs/{run['id']}"
    nfo.until_state(run, "running", "t")
    now = nfo.get(path)
    tag = now.headers["etag"]
    a = nfo.get(f"{path}?wait=1s", If_None_Match=tag)
    assert a.status == 304  # nothing happened
    got = []
    waits = threading.Thread(target=lambda: got.append(
        nfo.get(f"{path}?wait=60s", If_None_Match=tag)))
    ends = threading.Thread(target=lambda: got.append(
        nfo.get(path, Prefer="wait=60")))
    waits.start()
    ends.start()
    assert nfo.ask("POST", f"{path}/cancel").status == 202
    waits.join()
    ends.join()
    assert [a.status for a in got] == [200, 200]
    assert all(a.headers["etag"] != tag for a in got)
    ended = [a for a in got if "preference-applied" in a.headers]
    assert ended[0].json["state"] == "cancelled"
    begun = time.monotonic()  # what has ended changes no more
    a = nfo.get(f"{path}?wait=60s",
                If_None_Match=nfo.get(path).headers["etag"])
    assert a.status == 304 and time.monotonic() - begun < 20
    assert nfo.get(f"{path}?wait=soon").status == 400


def test_ranges(world):
    run = world.run("tasks: { t: { run: printf 0123456789; "
                    "printf 0123456789 > f, artifacts: { f: { path: f } } } }")
    log = f"/v1/runs/{run['id']}/tasks/t/log"
    file = f"/v1/runs/{run['id']}/artifacts/t.f"
    for path in (log, file):
        for text, status, body in (
                ("bytes=2-4", 206, b"234"), ("bytes=-3", 206, b"789"),
                ("bytes=7-", 206, b"789"), ("bytes=0-99", 206, b"0123456789"),
                ("bytes=0-0,2-2", 200, b"0123456789"),
                ("lines=1-2", 200, b"0123456789"), ("bytes=10-", 416, None)):
            a = world.get(path, Range=text)
            assert a.status == status, (path, text, a)
            if body is not None:
                assert a.body == body
            if status == 416:
                assert a.headers["content-range"] == "bytes */10"
        assert world.ask("HEAD", path, headers={"Range": "bytes=0-0"}
                         ).status == 200
    tag = world.get(file).headers["etag"]
    assert world.get(file, Range="bytes=0-0", If_Range=tag).status == 206
    for other in ('"x"', "W/" + tag, "Fri, 27 Nov 2026 17:00:00 GMT"):
        assert world.get(file, Range="bytes=0-0",
                         If_Range=other).status == 200
    assert world.get(log, Range="bytes=0-0", If_Range='"x"').status == 200
    assert "repr-digest" in world.get(file).headers


# --- making a thing once

HELLO = {"job": {"nfo": 1, "name": "h", "tasks": {"t": {"run": "echo"}}}}
# What each POST that makes something is sent, and what else it could be.
MAKES = {
    "createRun": (HELLO, {**HELLO, "priority": 7}),
    "runJob": ({"priority": 1}, {"priority": 2}),
    "rerun": ({"from": "start"}, {"from": "task", "task": "t"}),
    "createJob": ({"nfo": 1, "name": "n", "tasks": {"t": {"run": "echo"}}},
                  {"nfo": 1, "name": "n", "tasks": {"t": {"run": "true"}}}),
    "createUser": ({"name": "bob"}, {"name": "bob", "uid": 7}),
    "createGroup": ({"name": "g", "members": []},
                    {"name": "g", "members": ["ann"]}),
    "createRole": ({"name": "q", "role": "viewer", "projects": ["*"],
                    "members": []},
                   {"name": "q", "role": "admin", "projects": ["*"],
                    "members": []}),
    "createToken": ({"name": "x"}, {"name": "y"}),
}


def makes(world):
    """Each POST that answers 201: none may be left out."""
    all_of_them = {item["post"]["operationId"]
                   for item in world.document["paths"].values()
                   if "201" in item.get("post", {}).get("responses", {})}
    assert all_of_them == set(MAKES)
    done = set()
    for path, op in operations(world, "post"):
        if "201" in op["responses"]:
            done.add(op["operationId"])
            yield (path, op["operationId"], *MAKES[op["operationId"]])
    assert done == all_of_them


def test_every_post_that_makes_something_makes_it_once(world):
    n = 0
    for path, name, body, other in makes(world):
        key = {"Idempotency-Key": f"key-{name}"}
        first = world.ask("POST", path, body, key)
        assert first.status == 201, (path, first)
        assert "idempotency-replayed" not in first.headers
        # the same parsed parts, not the same bytes
        spaced = json.dumps(body, indent=3).encode()
        again = world.ask("POST", path, spaced, {
            "Content-Type": "application/json", **key})
        if name == "createToken":
            assert (again.status, again.json["code"]) == \
                (409, "idempotency-secret")
            assert first.json["token"].encode() not in again.body
        else:
            assert again.status == 201, (path, again)
            assert again.headers["idempotency-replayed"] == "true", path
            if first.headers["location"].startswith("/v1/runs/"):
                assert again.json["id"] == first.json["id"]
            else:
                assert again.body == first.body
                assert again.headers["etag"] == first.headers["etag"]
        assert again.headers["location"] == first.headers["location"]
        a = world.ask("POST", path, other, key)
        assert (a.status, a.json["code"]) == \
            (422, "idempotency-mismatch"), (path, a)
        n += 1
    assert n >= 8


def test_a_key_is_of_one_operation_and_one_client(world):
    key = {"Idempotency-Key": "one"}
    assert world.ask("POST", "/v1/users", {"name": "bob"}, key).status == 201
    a = world.ask("POST", "/v1/groups", {"name": "bob", "members": []}, key)
    assert a.status == 422
    a = world.ask("POST", RUNS, HELLO, key)
    assert a.status == 422
    # what failed may be tried again
    key = {"Idempotency-Key": "two"}
    assert world.ask("POST", "/v1/users", {"name": "bob"}, key).status == 409
    assert world.ask("POST", "/v1/users", {"name": "eve"}, key).status == 201
    for odd in ("", "x" * 256, "a b", "caf\u00e9"):
        a = world.ask("POST", RUNS, HELLO, {
            "Idempotency-Key": odd.encode("latin-1")})
        assert (a.status, a.json["code"]) == (400, "bad-header"), odd


def test_what_was_made_once_is_remembered_over_a_restart(world):
    key = {"Idempotency-Key": "k"}
    first = world.ask("POST", "/v1/users", {"name": "bob"}, key)
    world.stop(how=9)
    world("runs")
    again = world.ask("POST", "/v1/users", {"name": "bob"}, key)
    assert (again.status, again.body) == (201, first.body)
    assert again.headers["idempotency-replayed"] == "true"


def test_one_that_is_under_way_is_409(nfo):
    """A body that does not come to its end holds the key, until it is cut."""
    body = json.dumps(HELLO).encode()
    slow = nfo.connect()
    slow.putrequest("POST", RUNS)
    for key, value in (("Content-Type", "application/json"),
                       ("Content-Length", str(len(body))),
                       ("Idempotency-Key", "k"), ("Expect", "100-continue")):
        slow.putheader(key, value)
    slow.endheaders()
    assert slow.sock.recv(100).startswith(b"HTTP/1.1 100")
    a = nfo.ask("POST", RUNS, HELLO, {"Idempotency-Key": "k"})
    assert (a.status, a.json["code"]) == (409, "idempotency-under-way")
    assert a.headers["retry-after"] == "1"
    slow.send(body)
    first = slow.getresponse()
    assert first.status == 201
    again = nfo.ask("POST", RUNS, HELLO, {"Idempotency-Key": "k"})
    assert again.json["id"] == json.loads(first.read())["id"]
    slow.close()


def test_many_with_one_key_make_one_thing(nfo):
    got = []

    def ask():
        for _ in range(1000):
            a = nfo.ask("POST", "/v1/users", {"name": "bob"},
                        {"Idempotency-Key": "k"})
            if a.status != 409 or a.json["code"] != "idempotency-under-way":
                break
        got.append(a)
    threads = [threading.Thread(target=ask) for _ in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert {a.status for a in got} == {201}
    assert len({a.body for a in got}) == 1
    assert sum("idempotency-replayed" not in a.headers for a in got) == 1


def test_the_codes_are_in_the_document(nfo):
    schemas = nfo.get("/v1/openapi.json").json["components"]["schemas"]
    codes = schemas["Code"]["enum"]
    assert schemas["Problem"]["properties"]["code"]["$ref"].endswith("/Code")
    for path in ("/v1/nothing", "/v1/runs?x=1", "/v1/runs?limit=x"):
        assert nfo.get(path).json["code"] in codes
