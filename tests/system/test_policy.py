# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the policy denies is refused with the reason."""
import re

import nfo as programs

NET = """nfo: 1
name: net
tasks:
  t: { sandbox: { profile: net, network: host }, run: echo hi }
"""


def test_the_host_network_is_denied_with_what_would_allow_it(nfo):
    result = nfo("run", nfo.write("net.yaml", NET), code=3)
    assert re.search(r'default.yaml:\d+: network "host" is allowed by no rule',
                     result.err)
    assert "allow: { networks:" in result.err and "[policy]" in result.err
    assert nfo.get("/v1/runs").json["items"] == []


def test_the_api_says_403_with_reasons(nfo):
    a = nfo.submit(NET)
    assert (a.status, a.json["code"]) == (403, "policy")
    assert a.json["errors"]


def test_a_rule_that_allows_it_is_enough(nfo):
    nfo.stop()
    path = nfo.state / "policies/default.yaml"
    text = path.read_text()
    assert "networks: [none]" in text
    path.write_text(text.replace("networks: [none]", "networks: [none, host]"))
    nfo("runs")
    assert nfo.run(NET)["state"] == "succeeded"


def test_deny_wins(nfo):
    nfo.stop()
    path = nfo.state / "policies/default.yaml"
    path.write_text(path.read_text() + "  - name: never\n    deny: "
                    "{ profiles: [build] }\n")
    nfo("runs")
    a = nfo.submit(NET.replace("profile: net, network: host",
                               "profile: build"))
    assert a.status == 403
    assert 'default.yaml:23: profile "build" is denied' in \
        a.json["errors"][0]["message"]


def test_secrets_in_the_environment_are_denied(nfo):
    a = nfo.submit("nfo: 1\nname: e\nsecrets: "
                   "{ k: { store: k, deliver: env } }\n"
                   "tasks: { t: { secrets: [k], run: env } }\n")
    assert (a.status, a.json["code"]) == (403, "policy")


def test_another_projects_secret_is_denied(nfo):
    a = nfo.submit("nfo: 1\nname: e\nsecrets: { k: { store: other/k } }\n"
                   "tasks: { t: { secrets: [k], run: env } }\n")
    assert (a.status, a.json["code"]) == (403, "policy")


def test_most_cuts_a_limit_down(nfo):
    """One second by policy, whatever the job says."""
    nfo.stop()
    path = nfo.state / "policies/default.yaml"
    path.write_text(path.read_text().replace("timeout: 24h", "timeout: 1s"))
    nfo("runs")
    run = nfo.run("tasks: { t: { run: sleep 30, timeout: 20m, grace: 1s } }")
    assert nfo.tasks(run)["t"]["kind"] == "timeout"


VAULT = """nfo: 1
name: v
project: web
secrets: { k: %s }
tasks: { t: { secrets: [k], run: "true" } }
"""


def refused(nfo, secret):
    a = nfo.ask("POST", "/v1/projects/web/runs", VAULT % secret,
                {"Content-Type": "application/yaml"})
    assert (a.status, a.json["code"]) == (403, "policy"), a
    return a.json["errors"]


def test_a_path_that_is_denied_comes_with_the_line_that_allows_it(nfo):
    secret = '{ vault: database/creds/ro, kind: read, on_end: keep }'
    lines = [e["hint"] for e in refused(nfo, secret)]
    assert lines == ['allow: { secrets: ["vault:default:database/creds/ro"] }',
                     "allow: { keep_leases: true }"]
    nfo.stop()
    path = nfo.state / "policies/default.yaml"
    path.write_text(path.read_text() + "".join(
        f"  - {line}\n" for line in lines))
    nfo("runs")
    a = nfo.ask("POST", "/v1/projects/web/runs", VAULT % secret,
                {"Content-Type": "application/yaml"})
    assert a.status != 403, a


def test_denied_places_stay_denied_whatever_is_asked_of_them(nfo):
    nfo.stop()
    path = nfo.state / "policies/default.yaml"
    path.write_text(path.read_text() +
                    '  - deny: { secrets: ["vault:*:secret/web/prod"] }\n')
    nfo("runs")
    for more in ("", ", field: f", ", version: 2", ", kind: read",
                 ", kind: read, params: { a: b }"):
        (error,) = refused(nfo, "{ vault: secret/web/prod%s }" % more)
        assert error["message"].endswith("is denied"), error


def test_what_the_page_about_policies_shows_is_taken(nfo):
    page = (programs.TOP / "policies/README.md").read_text()
    (rule,) = re.findall(r"```yaml\n(.*?)```", page, re.S)
    for key in re.findall(r"^\| `(?:allow|deny)\.(\w+)`", page, re.M):
        assert key in rule or f"{key}:" in page
    nfo.stop()
    (nfo.state / "policies/web.yaml").write_text(rule)
    nfo("runs")
    a = nfo.ask("POST", "/v1/projects/web/runs", VAULT.replace(
        "name: v", "name: release") %
        "{ vault: ssh/sign/deploy, kind: ssh-cert }",
        {"Content-Type": "application/yaml"})
    assert a.status != 403, a
