# SPDX-License-Identifier: AGPL-3.0-or-later
"""A secret of the project that somebody writes into a job that is to be stored."""
import base64
import json

import pytest

VALUE = "squeamish/ossifrage+7"
JOB = """nfo: 1
name: deploy
secrets:
  token: { store: mine }
tasks:
  t:
    secrets: [token]
    env: { A: "%s" }
    run: |
      cat "$NFO_SECRETS/token"
"""
YAML = {"Content-Type": "application/yaml"}
ANY = {**YAML, "If-Match": "*"}


@pytest.fixture
def has(nfo):
    nfo("secret", "put", "mine", stdin=VALUE)
    return nfo


def put(nfo, text, method="PUT", name="/deploy", kind=YAML):
    return nfo.ask(method, f"/v1/projects/default/jobs{name}", text.encode(),
                   kind)


@pytest.mark.parametrize("form", [
    VALUE, "a" + VALUE + "b", base64.b64encode(VALUE.encode()).decode(),
    VALUE.encode().hex()])
@pytest.mark.parametrize("method, name", [("PUT", "/deploy"), ("POST", "")])
def test_it_is_refused_with_its_line(has, form, method, name):
    a = put(has, JOB % form, method, name)
    assert (a.status, a.json["code"]) == (422, "secret-in-job"), a
    (one,) = a.json["errors"]
    assert one["line"] == 8 and "secrets" in one["hint"], one
    assert form not in a.body.decode()
    assert has.get("/v1/projects/default/jobs").json["items"] == []


def test_far_behind_and_across_pieces(has):
    for lines in (800, 150, 0):
        filler = "".join(f"      # {'x' * 90} {i}\n" for i in range(lines))
        text = JOB % "x" + filler + f"      echo {VALUE}\n" + filler
        a = put(has, text)
        assert a.json["code"] == "secret-in-job", a
        assert a.json["errors"][0]["line"] == 11 + lines
    cut = JOB % "x" + "      # "
    cut += "x" * (15000 - len(cut) - 7) + VALUE + "\n"
    assert put(has, cut).json["errors"][0]["line"] == 11


def test_in_json_and_on_the_command_line(has):
    has.write("job.yaml", JOB % VALUE)
    told = has("job", "put", "job.yaml", code=2)
    assert "job.yaml:8:" in told.err and VALUE not in told.err
    text = json.dumps({"nfo": 1, "name": "deploy", "tasks": {
        "t": {"argv": ["echo", VALUE]}}})
    a = put(has, text, kind={"Content-Type": "application/json"})
    assert a.json["code"] == "secret-in-job", a


def test_what_is_stored_all_the_same(has):
    assert put(has, JOB % "nothing").status == 201
    assert put(has, JOB % VALUE[:7], kind=ANY).status == 200
    has("secret", "rm", "mine")
    assert put(has, JOB % VALUE, kind=ANY).status == 200  # it is none any more
    has.secrets.clear()
    other = (JOB % "more").replace("name: deploy", "name: deploy\nproject: web")
    has("project", "put", "web")
    a = has.ask("PUT", "/v1/projects/web/jobs/deploy", other.encode(), YAML)
    assert a.status == 201, a


def test_a_sealed_store_stops_nobody(has):
    has("secret", "seal")
    assert put(has, JOB % VALUE).status == 201
    has.secrets.clear()
