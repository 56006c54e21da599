"""What waiting and being woken costs, where ffengine is preloaded and where it is not: wakeup and idle."""

import pathlib
import random
import statistics
import time

from .crew import Crew
from .outcome import Figure, Outcome, percentile, spread
from .server import Database, Failed, hosts, say
from .side import FFENGINE

WAITING = (1, 8)  # claims that wait at once
POLLERS = 100  # of idle
LONGEST_MS = 30000  # the longest wait of a call


def wakeup_times(db, waiting, wakeups):
    """Milliseconds from a commit of work, as its client sees it, to the return of a claim that waits for it."""
    committed, returned = {}, {}

    def take(cur):
        cur.execute("SELECT execution_id, handle FROM ff_claim('wakeup', 'w', 'w-1', block_ms => %s)", (LONGEST_MS,))
        now = time.perf_counter()
        for execution, handle in cur.fetchall():
            returned[execution] = now
            cur.execute("SELECT ff_complete(%s)", (handle,))

    conn = db.connect()
    cur = conn.cursor()
    with Crew(db, waiting, take):
        time.sleep(0.5)
        for _ in range(wakeups):
            cur.execute("SELECT execution_id FROM ff_create_execution('wakeup')")
            committed[cur.fetchone()[0]] = time.perf_counter()
            # everybody waits again; not in step with anything
            time.sleep(0.01 + 0.01 * random.random())
        give_up = time.monotonic() + 5
        while len(returned) < len(committed) and time.monotonic() < give_up:
            time.sleep(0.05)
    conn.close()
    if returned.keys() != committed.keys():
        raise Failed(f"wakeup: {len(committed)} executions created, {len(returned)} claimed")
    # the claim may be back before its creator is
    return [max(0.0, 1000 * (returned[execution] - at)) for execution, at in committed.items()]


def wakeup(options):
    rows, figures = [], []
    for server, host in hosts().items():
        with Database(host=host) as db:
            FFENGINE.install(db)
            for waiting in WAITING:
                p50, p99 = [], []
                for turn in range(options.rounds):
                    times = wakeup_times(db, waiting, options.wakeups)
                    p50.append(statistics.median(times))
                    p99.append(percentile(times, 0.99))
                    say(f"wakeup, {server}, {waiting} waiting, turn {turn + 1}: {p50[-1]:.2f} ms")
                rows.append({"server": server, "waiting claims": waiting, "p50 ms": spread(p50), "p99 ms": spread(p99),
                             "samples": options.wakeups * options.rounds})
                if server == "preloaded":
                    told = f"wake-up of a long-polling claim, {waiting} waiting"
                    figures += [Figure(f"{told}, p50", p50, "ms", at_most=3), Figure(f"{told}, p99", p99, "ms", at_most=15)]
    return Outcome("a claim that waits in ff_claim (block_ms): from the commit of work to its return", rows, figures)


def server_cpu(db):
    """Seconds of CPU time that the server's processes of now have used, exactly: the kernel's other account
    is kept by ticks, and misses who works for less than one."""
    postmaster = db.value("SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)")
    nanoseconds = 0
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if postmaster in (folder.name, (folder / "stat").read_text().rpartition(")")[2].split()[1]):
                nanoseconds += int((folder / "schedstat").read_text().split()[0])
        except OSError:
            continue  # it has ended
    return nanoseconds / 1e9


IDLE = {
    "ff_claim": "SELECT * FROM ff_claim('idle', 'w', 'w-1', block_ms => %s)",
    "ff_poll_subscription": "SELECT * FROM ff_poll_subscription('idle', block_ms => %s)",
}


def idle_cpu(db, call, seconds):
    """Percent of a core that POLLERS sessions cost which wait in `call`."""
    with Crew(db, POLLERS, lambda cur: cur.execute(call, (LONGEST_MS,))):
        time.sleep(2)
        before, begun = server_cpu(db), time.monotonic()
        time.sleep(seconds)
        return 100 * (server_cpu(db) - before) / (time.monotonic() - begun)


def idle(options):
    rows = []
    for server, host in hosts().items():
        with Database(host=host) as db:
            FFENGINE.install(db)
            db.value("SELECT ff_create_subscription('idle', 'operator_events')")
            for name, call in IDLE.items():
                used = [idle_cpu(db, call, options.seconds) for _ in range(options.rounds)]
                say(f"idle, {server}, {name}: {statistics.median(used):.1f} % of a core")
                rows.append({"server": server, "waiting in": name, "sessions": POLLERS, "% of a core": spread(used)})
    return Outcome("CPU time of the server while sessions wait for what does not come", rows)
