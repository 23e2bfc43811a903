# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a server that somebody has taken over can make of its channel: the
other roles are the real ones, nfo-bad-server stands in for it."""
import os
import shutil
import subprocess

import pytest

import nfo as programs

BAD = programs.BIN / "nfo-bad-server"
pytestmark = pytest.mark.skipif(not BAD.exists(),
                                reason="nfo-bad-server is not built")


@pytest.fixture
def stage(cold):
    """The programs, with another server, and a monitor that starts it."""
    bins = cold.home / "bin"
    bins.mkdir()
    for name in ("monitor", "keeper", "spawner", "runner", "fetcher"):
        shutil.copy(programs.BIN / f"nfo-{name}", bins)
    shutil.copy(BAD, bins / "nfo-server")
    (cold.state / "server").mkdir(parents=True)
    cold.state.chmod(0o711)
    policies = cold.home / "policies"
    policies.mkdir(mode=0o755)
    shutil.copy(programs.TOP / "policies/default.yaml", policies)
    (policies / "default.yaml").chmod(0o644)
    cold.err = cold.home / "monitor.err"

    def play(scene, end="done", *options):
        (cold.state / "server").chmod(0o700)
        (cold.state / "server/scene").write_text(scene)
        (cold.state / "server/scene").chmod(0o644)
        with open(cold.err, "wb") as err:
            cold.serving = subprocess.Popen(
                [bins / "nfo-monitor", "--state", cold.state, "--socket",
                 cold.socket, "--policy", policies, "--cgroups", "prefer",
                 *options], env=cold.env, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=err)
        seen = cold.state / "server/seen"
        cold.until(lambda: (seen.exists() and f"{end}\n" in seen.read_text())
                   or cold.serving.poll() is not None)
        assert cold.serving.poll() is None, cold.err.read_text()
        cold.note_monitor()
        return seen.read_text().splitlines()
    cold.play = play
    return cold


def test_what_is_granted_runs(stage):
    assert stage.play("well") == ["that is all", "started 0",
                                  "ended 0 succeeded -", "done"]


@pytest.mark.parametrize("scene, what", (
    ("twice", "ended 0 failed internal"),
    ("same-uid", "ended 1 failed internal"),
    ("uid-of-helpers", "ended 1 failed internal"),
    ("same-workspace", "ended 1 failed internal"),
    ("release-in-use", "ended 0 failed internal"),
))
def test_the_second_is_refused_and_the_first_lives(stage, scene, what):
    seen = stage.play(scene)
    assert what in seen
    assert len([s for s in seen if s.startswith("ended")]) == 1
    assert "refused:" in stage.err.read_text()
    if scene == "release-in-use":
        assert "still in use" in stage.err.read_text()
        assert list((stage.state / "work").iterdir()) or \
            "started 0" not in seen


def test_not_more_than_the_operator_allows(stage):
    seen = stage.play("too-many", "done", "--max-attempts", "2")
    assert "ended 2 failed internal" in seen
    assert "too many at once" in stage.err.read_text()


@pytest.mark.parametrize("scene, kind", (
    ("other-policies", "policy"),
    ("other-job", "internal"),
    ("unsealed-job", "internal"),
))
def test_the_runner_believes_nothing(stage, scene, kind):
    seen = stage.play(scene)
    assert f"ended 0 failed {kind}" in seen
    assert "started 0" not in seen


def test_a_profile_that_is_not_in_the_job_is_refused(stage):
    seen = stage.play("no-such-profile")
    assert "ended 0 failed internal" in seen
    assert "started 0" not in seen


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's monitor could give "
                    "directories away")
def test_no_directory_of_others_is_given_away(stage):
    before = os.stat("/")
    assert "ended 0 failed internal" in stage.play("foreign-directory")
    assert "not the server's own" in stage.err.read_text()
    after = os.stat("/")
    assert (before.st_uid, before.st_gid, before.st_mode) == \
        (after.st_uid, after.st_gid, after.st_mode)


@pytest.mark.parametrize("scene", ("too-long", "too-few-descriptors",
                                   "as-the-zygote", "as-a-runner",
                                   "as-the-keeper", "as-a-helper",
                                   "nonsense"))
def test_who_breaks_the_rules_is_ended(stage, scene):
    seen = stage.play(scene, "again")
    assert seen == ["that is all", "that is all", "again"] or \
        seen == ["that is all", "that is all", "again", "done"]
    err = stage.err.read_text()
    assert "server died" in err and "refused" in err


def test_a_new_server_hears_who_lives(stage):
    # that it started may be told to the old one, to the new one, or to none
    seen = [x for x in stage.play("dies-with-one-alive", "again")
            if not x.startswith("started")]
    assert seen[:4] == ["that is all", "alive", "that is all", "again"]


def test_half_a_group_is_forgotten(stage):
    seen = stage.play("dies-in-half-a-group", "again")
    assert seen[:3] == ["that is all", "that is all", "again"]


def test_the_keeper_says_yes_or_no(stage):
    assert stage.play("verify-well")[1:] == ["keeper: no"] * 4 + [
        "started 0", "ended 0 succeeded -", "done"]


def test_the_keeper_tells_of_secrets(stage):
    assert stage.play("show-well")[1:] == [
        "keeper: not found", "keeper: not found", "keeper: stale",
        "started 0", "ended 0 succeeded -", "done"]


def test_the_keeper_is_not_asked_for_ever(stage):
    assert stage.play("verify-often")[1:] == [
        "keeper: too often", "started 0", "ended 0 succeeded -", "done"]


@pytest.mark.parametrize("scene", (
    "verify-garbage", "verify-trailing", "verify-no-content",
    "verify-too-much", "verify-unsealed", "verify-a-file",
    "verify-a-foreign-secret", "verify-another-kind", "show-trailing",
    "versions-trailing", "remove-no-version"))
def test_who_asks_the_keeper_oddly_is_heard_no_more(stage, scene):
    """And nobody else: it goes on for the attempts."""
    before = stage.play(scene)
    assert before[1:] == ["keeper: hangs up", "started 0",
                          "ended 0 succeeded -", "done"]
    assert "keeper died" not in stage.err.read_text()


def test_the_fetcher_fetches_what_is_on_its_list(stage):
    """And one that hears nonsense is replaced, and answers again."""
    assert stage.play("fetches", "done", "--fetch",
                      "http://127.0.0.1:9/listed")[1:] == [
        "fetcher: tried", "fetcher: refused", "fetcher: nothing",
        "fetcher: tried", "done"]
    err = stage.err.read_text()
    assert "a message that it may not send" in err and "fetcher died" in err
