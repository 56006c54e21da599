"""One run of pgbench: how many cycles a second a side does, and what each cost in WAL and buffers."""

import os
import re
import subprocess
import time

from .server import Failed
from .side import TRIES

COUNTERS = """
SELECT w.wal_bytes, w.wal_records, w.wal_fpi, d.blks_hit + d.blks_read
FROM pg_stat_wal w, pg_stat_database d WHERE d.datname = current_database()
"""
NAMES = ("wal_bytes", "wal_records", "wal_page_images", "buffers")


def number(pattern, text):
    found = re.search(pattern, text)
    return float(found.group(1)) if found else 0.0


def pgbench(db, script, clients, limit, settings=None, variables=None):
    """Drives a script by `limit`, the options that say for how long; gives what pgbench reports."""
    command = ["pgbench", "-n", "-M", "prepared", "-c", str(clients), "-j", str(min(clients, os.cpu_count())),
               f"--max-tries={TRIES}", "-f", str(script), *limit]
    for name, value in (variables or {}).items():
        command += ["-D", f"{name}={value}"]
    done = subprocess.run(command, env=db.environment(settings), capture_output=True, text=True)
    if done.returncode or "aborted" in done.stderr:
        raise Failed(f"{script.name}: {done.stderr.strip()}")
    return {
        "tps": number(r"tps = ([\d.]+)", done.stdout),
        "latency_ms": number(r"latency average = ([\d.]+)", done.stdout),
        "cycles": int(number(r"actually processed: (\d+)", done.stdout)),
        "failed": int(number(r"failed transactions: (\d+)", done.stdout)),
        "retries": int(number(r"total number of retries: (\d+)", done.stdout)),
        "progress": [float(rate) for rate in re.findall(r"progress: [\d.]+ s, ([\d.]+) tps", done.stderr)],
    }


def run(db, side, work, clients, options, each=1, limit=None, waiting=None):
    """Fills the queue, drives it for some seconds, sees that the work was done.

    each: executions in a cycle. limit: as pgbench's, default the options' seconds. waiting: executions, default
    the options' number, 0 to leave the queue as it is."""
    waiting = side.fill(db, options.waiting if waiting is None else waiting)
    now = int(time.time() * 1000)
    before = db.row(COUNTERS)
    result = pgbench(db, side.script(work), clients, limit or ["-T", str(options.seconds)], side.settings,
                     {"now": now, "expires": now + 30000, "tuned": side.tuned})
    time.sleep(0.2)  # the backends hand in their counters as they end
    after = db.row(COUNTERS)
    left = side.waiting(db)
    cycles = max(1, result["cycles"])
    for name, old, new in zip(NAMES, before, after):
        result[f"{name}_per_cycle"] = float(new - old) / cycles
    most = (result["cycles"] + result["failed"] + result["retries"] + side.extra * clients) * each
    if left <= 0 or not result["cycles"] * each <= waiting - left <= most:
        raise Failed(f"{side.name} {work}: {waiting - left} executions taken in {result['cycles']} cycles, "
                     f"{left} left")
    return {**result, "waiting_before": waiting, "waiting_after": left}
