# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the policy denies is refused with the reason."""
import re

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
    assert 'default.yaml:21: profile "build" is denied' in \
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
