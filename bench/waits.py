"""What waiting and being woken costs: the works `wakeup`, `notify` and `idle` of measure.py.

Each is measured where ffengine is preloaded, by the server whose PGHOST is BENCH_PRELOADED, and, but for
`notify`, where it is not. A work's result is a title and rows for one table.
"""

import os
import pathlib
import random
import select
import statistics
import sys
import threading
import time

import psycopg2

CLIENTS, LISTENERS = 8, 4  # of `notify`
SAMPLES = 400  # wake-ups measured
POLLERS = 100  # of `idle`
LONGEST_MS = 30000  # the longest wait of a call


def servers():
    return {"preloaded": os.environ["BENCH_PRELOADED"], "not preloaded": os.environ["PGHOST"]}


def connect(host):
    conn = psycopg2.connect(host=host)
    conn.autocommit = True
    return conn


def say(text):
    print(text, file=sys.stderr)


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


class Crew:
    """Threads that each repeat a task until the block ends; what they wait in is cancelled."""

    def __init__(self, host, count, task):
        self.conns = [connect(host) for _ in range(count)]
        self.stopped = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(conn, task)) for conn in self.conns]

    def run(self, conn, task):
        cur = conn.cursor()
        try:
            while not self.stopped.is_set():
                task(cur)
        except psycopg2.errors.QueryCanceled:
            pass

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for conn, thread in zip(self.conns, self.threads):
            while thread.is_alive():  # it may just be between two calls
                conn.cancel()
                thread.join(0.1)
            conn.close()


def wakeup_times(host, waiting):
    """Milliseconds from a commit of work, as its client sees it, to the return of a claim that waits for it."""
    committed, returned = {}, {}

    def take(cur):
        cur.execute("SELECT execution_id, handle FROM ff_claim('wakeup', 'w', 'w-1', block_ms => %s)", (LONGEST_MS,))
        now = time.perf_counter()
        for execution, handle in cur.fetchall():
            returned[execution] = now
            cur.execute("SELECT ff_complete(%s)", (handle,))

    cur = connect(host).cursor()
    with Crew(host, waiting, take):
        time.sleep(0.5)
        for _ in range(SAMPLES):
            cur.execute("SELECT execution_id FROM ff_create_execution('wakeup')")
            committed[cur.fetchone()[0]] = time.perf_counter()
            # everybody waits again; not in step with anything
            time.sleep(0.01 + 0.01 * random.random())
        give_up = time.monotonic() + 5
        while len(returned) < len(committed) and time.monotonic() < give_up:
            time.sleep(0.05)
    if returned.keys() != committed.keys():
        sys.exit(f"bench: wakeup: {len(committed)} executions created, {len(returned)} claimed")
    # the claim may be back before its creator is
    return [max(0.0, 1000 * (returned[execution] - at)) for execution, at in committed.items()]


def wakeup(options, run):
    rows = []
    for server, host in servers().items():
        for waiting in (1, 8):
            times = wakeup_times(host, waiting)
            rows.append({"server": server, "waiting claims": waiting, "p50 ms": round(statistics.median(times), 2),
                         "p99 ms": round(percentile(times, 0.99), 2), "max ms": round(max(times), 2),
                         "samples": len(times)})
            say(f"wakeup, {server}, {waiting} waiting: {rows[-1]['p50 ms']} ms")
    return "a claim that waits in ff_claim (block_ms): from the commit of work to its return", rows


def listen(conns):
    for conn in conns:
        conn.cursor().execute("LISTEN ff_completion; LISTEN ff_lease_event; LISTEN ff_work")


def hear(cur):
    conn = cur.connection
    if select.select([conn], [], [], 0.2)[0]:
        conn.poll()
        conn.notifies.clear()


def notify(options, run):
    modes = ("off", "background", "transactional")
    rates = {mode: [] for mode in modes}
    crew = Crew(os.environ["BENCH_PRELOADED"], LISTENERS, hear)
    listen(crew.conns)
    with crew:
        for turn in range(options.rounds):
            for mode in modes:
                rates[mode].append(run(mode, "cycle", CLIENTS, options)["tps"])
                say(f"notify, turn {turn + 1}: {mode} {rates[mode][-1]:.0f}/s")
    rows = []
    for mode in modes:
        ratios = [rate / off for rate, off in zip(rates[mode], rates["off"])]
        rows.append({"notify_mode": mode, "cycles/s": round(statistics.median(rates[mode])),
                     "x off": f"{statistics.median(ratios):.3f} ({min(ratios):.3f}-{max(ratios):.3f})"})
    return f"claim + complete at {CLIENTS} clients, {LISTENERS} sessions listening, preloaded", rows


def server_cpu(host):
    """Seconds of CPU time that the server's processes have used; those that have ended count in the postmaster's."""
    conn = connect(host)
    cur = conn.cursor()
    cur.execute("SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)")
    postmaster = cur.fetchone()[0]
    conn.close()
    ticks = 0
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        if fields[1] == postmaster:
            ticks += int(fields[11]) + int(fields[12])
        elif stat.parent.name == postmaster:
            ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


IDLE = {
    "ff_claim": ("SELECT * FROM ff_claim('idle', 'w', 'w-1', block_ms => %s)"),
    "ff_poll_subscription": ("SELECT * FROM ff_poll_subscription('idle', block_ms => %s)"),
}


def idle(options, run):
    rows = []
    for server, host in servers().items():
        connect(host).cursor().execute("SELECT ff_create_subscription('idle', 'operator_events')")
        for name, call in IDLE.items():
            with Crew(host, POLLERS, lambda cur, call=call: cur.execute(call, (LONGEST_MS,))):
                time.sleep(2)
                before, begun = server_cpu(host), time.monotonic()
                time.sleep(options.seconds * 2)
                used = (server_cpu(host) - before) / (time.monotonic() - begun)
            rows.append({"server": server, "waiting in": name, "sessions": POLLERS,
                         "% of a core": round(100 * used, 1)})
            say(f"idle, {server}, {name}: {rows[-1]['% of a core']} % of a core")
    return "CPU time of the server while sessions wait for what does not come", rows


def measure(works, options, run):
    """{work: (title, rows)}; run is measure.py's, one run of pgbench."""
    return {work.__name__: work(options, run) for work in (wakeup, notify, idle) if work.__name__ in works}
