# SPDX-License-Identifier: AGPL-3.0-or-later
"""Two hundred SIGKILLs at random moments, for the server and for all of it,
under a load of writes: nothing that was answered with 2xx is lost.  A failure
names the seed: NFO_KILL_SEED=… tries the same again, NFO_KILLS=… more."""
import os
import random
import select
import signal

import nfo as programs
import oracle

KILLS = int(os.environ.get("NFO_KILLS", "200"))
SERVER_KILLS = 4  # in a row: the monitor waits longer after each


def up(nfo):
    try:
        return nfo.get("/readyz").status == 200
    except OSError:
        return False


def kill_one(nfo, pid):
    watched = programs.Watched([pid])
    os.kill(pid, signal.SIGKILL)
    assert watched.wait() == []


def one_life(nfo, chance, kills):
    """A monitor and its servers, each killed; how many that were."""
    done = 0
    while done < min(SERVER_KILLS, kills - 1):
        nfo.until(lambda: up(nfo) or nfo.serving.poll() is not None)
        assert nfo.serving.poll() is None, "the monitor has left"
        select.select([], [], [], chance.uniform(0, 0.12))
        kill_one(nfo, nfo.role("server"))
        done += 1
    if chance.random() < 0.5:  # the last one comes up, or does not get to
        nfo.until(lambda: up(nfo))
    select.select([], [], [], chance.uniform(0, 0.08))
    nfo.stop(signal.SIGKILL)
    return done + 1


def test_random_kills_lose_nothing(cold):
    seed = os.environ.get("NFO_KILL_SEED") or str(random.randrange(1 << 32))
    chance = random.Random(seed)
    print(f"NFO_KILL_SEED={seed}")
    cold.serve()
    load, kills = oracle.Load(cold, seed), 0
    while kills < KILLS:
        kills += one_life(cold, chance, KILLS - kills)
        cold.serve()
    assert kills == KILLS
    load.stop()
    acked = load.acked()
    print(f"{kills} kills, {acked} answers with 2xx")
    assert acked > KILLS
    load.check()
    cold.stop()
    known = oracle.check_disk(cold.state)
    cold.serve()
    cold.until(lambda: not {p.name for p in (
        cold.state / "server/runs").iterdir()} - known)
    cold.stop()
    oracle.check_no_leftovers(cold.state, known)
