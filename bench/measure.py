"""Measures the work of bench/ with pgbench and prints one table of ratios.

A work is a cycle of calls; a side is one way to do it. The sides of a work take turns, round by
round, on one server, each with a full queue, and a ratio is taken between runs of the same round.

  cycle   claim + complete
  resume  claim + suspend + deliver_signal + claim_resumed + complete
  signals the 10,000th delivery to one waitpoint against the 10th (ffengine only, a table of its own):
          signals that count, and signals that don't, of which the last 1,000 are kept
  wakeup  how long a claim that waits takes to return with work that another session has committed
  notify  the cycle at 8 clients while 4 sessions listen, in the three modes of ffengine.notify_mode
  idle    the CPU time of the server while 100 sessions wait for what does not come
          (the last three ffengine only, with tables of their own, see waits.py; on a server where it is
          preloaded, too)

  ffengine      this extension, ffengine.notify_mode = transactional (what it is without preload)
  ffengine-off  the same, notify_mode = off: events are written, nobody is woken
  seed          the same cycle as the statements of a client library, one round trip each, on its
                tables and indexes, with a NOTIFY trigger on every outbox
  seed-tuned    the same in its favour: an index in claim order, which it lacks and without which a
                claim sorts the backlog, and no serialization failures (see seed_schema, seed_resume)
  floor         two bare single-row updates of a narrow queue table (cycle only)

Connects by PGHOST and so on to a database that it fills itself, and to another of that name on the server
whose PGHOST is BENCH_PRELOADED. Standard library only, but for the last three, which need psycopg2.
"""

import argparse
import collections
import datetime
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
# side: (prefix of its scripts, the settings of its sessions). Nobody's plan depends on how full a table
# was when a session first used it: ffengine sees to that itself, the others get the settings (without
# a usable index, enable_seqscan off makes a plan look so costly that it would be compiled each time).
INDEXED = {"enable_seqscan": "off", "jit": "off"}
SIDES = {
    "ffengine": ("ffengine", {"ffengine.notify_mode": "transactional"}),
    "ffengine-off": ("ffengine", {"ffengine.notify_mode": "off"}),
    "seed": ("seed", {"search_path": "seed", **INDEXED}),
    "seed-tuned": ("seed", {"search_path": "seed_tuned", **INDEXED}),
    "floor": ("floor", INDEXED),
}
# The ways to notify, measured against each other on the server where ffengine is preloaded.
MODES = {mode: ("ffengine", {"ffengine.notify_mode": mode}) for mode in ("background", "transactional", "off")}
ALL = {**SIDES, **MODES}
WAITS = ("wakeup", "notify", "idle")
SETTINGS = ("shared_buffers", "max_wal_size", "checkpoint_timeout", "fsync", "synchronous_commit",
            "full_page_writes", "wal_compression", "wal_level", "autovacuum", "max_connections",
            "shared_preload_libraries", "jit")
TRIES = 3  # of a serialization failure, as the client library does
EARLY, LATE, NEIGHBOURS = 10, 10000, 9  # a delivery is measured with so many before and after it


def environment(side):
    settings = ALL[side][1]
    env = {**os.environ, "PGOPTIONS": " ".join(f"-c {name}={value}" for name, value in settings.items())}
    if side in MODES:
        env["PGHOST"] = os.environ["BENCH_PRELOADED"]
    return env


def tuned(side):
    return int(side == "seed-tuned")


def sql(text=None, file=None, variables=(), env=None):
    command = ["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1"]
    for name, value in variables:
        command += ["-v", f"{name}={value}"]
    command += ["-f", str(file)] if file else ["-c", text]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"bench: {file or text}: {done.stderr.strip()}")
    return done.stdout.strip()


def script(side, name):
    return HERE / f"{ALL[side][0]}_{name}.sql"


def round_trips(path):
    """Statements of a pgbench script, one branch of an \\if: each ends with ; or \\gset at a line's end."""
    text = re.sub(r"\\else.*?\\endif", "", path.read_text(), flags=re.S)
    return len(re.findall(r"(?:;|\\gset)$", text, re.M))


def figure(pattern, text):
    found = re.search(pattern, text)
    return float(found.group(1)) if found else 0.0


def run(side, work, clients, options):
    """One measurement: fill the queue, drive it for some seconds, see that the work was done."""
    env = environment(side)
    sql(file=script(side, "fill"), variables=[("waiting", options.waiting)], env=env)
    waiting = int(sql(file=script(side, "waiting"), env=env))
    now = int(time.time() * 1000)
    counters = "SELECT wal_bytes, wal_records, wal_fpi FROM pg_stat_wal"
    before = [int(n) for n in sql(counters, env=env).split("|")]
    done = subprocess.run(
        ["pgbench", "-n", "-M", "prepared", "-c", str(clients), "-j", str(min(clients, os.cpu_count())),
         "-T", str(options.seconds), f"--max-tries={TRIES}", "-D", f"now={now}", "-D", f"expires={now + 30000}",
         "-D", f"tuned={tuned(side)}", "-f", str(script(side, work))],
        env=env, capture_output=True, text=True)
    if done.returncode or "aborted" in done.stderr:
        sys.exit(f"bench: {side} {work}: {done.stderr.strip()}")
    time.sleep(0.1)  # the backends hand in their counters as they end
    after = [int(n) for n in sql(counters, env=env).split("|")]
    left = int(sql(file=script(side, "waiting"), env=env))
    result = {
        "tps": figure(r"tps = ([\d.]+)", done.stdout),
        "latency_ms": figure(r"latency average = ([\d.]+)", done.stdout),
        "cycles": int(figure(r"actually processed: (\d+)", done.stdout)),
        "failed": int(figure(r"failed transactions: (\d+)", done.stdout)),
        "retries": int(figure(r"total number of retries: (\d+)", done.stdout)),
        "waiting_before": waiting,
        "waiting_after": left,
    }
    cycles = max(1, result["cycles"])
    for name, old, new in zip(("wal_bytes", "wal_records", "wal_page_images"), before, after):
        result[name + "_per_cycle"] = (new - old) / cycles
    most = result["cycles"] + result["failed"] + result["retries"] + TRIES * clients * (side == "seed")
    if left <= 0 or not result["cycles"] <= waiting - left <= most:
        sys.exit(f"bench: {side} {work}: {waiting - left} executions taken in {result['cycles']} cycles, {left} left")
    return result


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def ratios(runs, work, clients, side, other):
    pairs = zip(runs.get((work, clients, side), ()), runs.get((work, clients, other), ()))
    values = [a["tps"] / b["tps"] for a, b in pairs]
    return spread(values) if values and side != other else None


def conditions(options):
    names = ", ".join(f"'{name}'" for name in SETTINGS)
    data = sql("SHOW data_directory")
    kind = subprocess.run(["stat", "-f", "-c", "%T", data], capture_output=True, text=True)
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "server": sql("SELECT version()"),
        "cores": len(os.sched_getaffinity(0)),
        "filesystem": kind.stdout.strip(),
        "settings": json.loads(sql("SELECT json_object_agg(name, current_setting(name)) FROM pg_settings"
                                   f" WHERE name IN ({names})")),
        "options": vars(options),
    }


def signals(rounds):
    """Rows of the cost of a delivery, of a waitpoint's 10th and its 10,000th signal: medians over their neighbours."""
    env = environment("ffengine")
    rows = []
    for kind, wanted in (("counted", "vote"), ("not counted", "veto")):
        samples = {EARLY: [], LATE: []}
        for turn in range(rounds):
            text = sql(file=HERE / "ffengine_signals.sql", env=env,
                       variables=[("signals", LATE + NEIGHBOURS), ("wanted", wanted)])
            for line in text.splitlines():
                number, microseconds, wal = line.split("|")
                for middle, sample in samples.items():
                    if abs(int(number) - middle) <= NEIGHBOURS:
                        sample.append((float(microseconds), int(wal)))
            print(f"signals, {kind}, turn {turn + 1}", file=sys.stderr)
        early, late = ([statistics.median(column) for column in zip(*samples[n])] for n in (EARLY, LATE))
        rows.append({"signals": kind, "microseconds_10": early[0], "microseconds_10000": late[0],
                     "time_ratio": late[0] / early[0], "wal_bytes_10": early[1], "wal_bytes_10000": late[1],
                     "wal_ratio": late[1] / early[1], "samples": len(samples[EARLY])})
    return rows


def print_signals(rows):
    print(f"\none delivery to one waitpoint, its 10th and its 10,000th signal; medians over {NEIGHBOURS} neighbours on "
          f"each side, {rows[0]['samples']} samples\n")
    print_columns([("signals", "us, 10th", "us, 10,000th", "ratio", "WAL B, 10th", "WAL B, 10,000th", "ratio")] + [
        (r["signals"], f"{r['microseconds_10']:.0f}", f"{r['microseconds_10000']:.0f}", f"{r['time_ratio']:.2f}",
         f"{r['wal_bytes_10']:.0f}", f"{r['wal_bytes_10000']:.0f}", f"{r['wal_ratio']:.2f}") for r in rows])


def print_columns(table):
    widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
    for line in table:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip())


def print_facts(facts):
    print(f"{facts['server'].split(' on ')[0]}, {facts['cores']} cores shared with pgbench, "
          f"data on {facts['filesystem']}; {facts['date']}")
    print(", ".join(f"{name} {value or 'empty'}" for name, value in sorted(facts["settings"].items())))


def print_table(facts, rows):
    print(f"\n{facts['options']['waiting']} waiting at the start of each run; median (min-max) of "
          f"{facts['options']['rounds']} runs of {facts['options']['seconds']} s, sides by turns; "
          "ratios of runs in the same turn\n")

    def number(value):
        return f"{value:.0f}" if value >= 100 else f"{value:.3g}"

    def cell(value):
        return f"{number(value['median'])} ({number(value['min'])}-{number(value['max'])})" if value else "-"

    table = [("work", "clients", "side", "trips", "cycles/s", "x seed", "x seed-tuned", "x floor", "WAL B/cycle", "retries")]
    for row in rows:
        table.append((row["work"], str(row["clients"]), row["side"], str(row["round_trips"]),
                      cell(row["tps"]), cell(row["to_seed"]), cell(row["to_seed_tuned"]), cell(row["to_floor"]),
                      f"{row['wal_bytes_per_cycle']:.0f}", f"{row['retry_share']:.1%}"))
    print_columns(table)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=4, help="length of one run (4)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each side (3)")
    parser.add_argument("--clients", default="1,8", help="pgbench clients (1,8)")
    parser.add_argument("--waiting", type=int, default=300000, help="executions waiting at the start (300000)")
    parser.add_argument("--work", default="cycle,resume,signals," + ",".join(WAITS),
                        help="cycle,resume,signals," + ",".join(WAITS))
    parser.add_argument("--sides", default=",".join(SIDES), help=",".join(SIDES))
    parser.add_argument("--out", default=str(HERE / "results"), help="folder of the JSON results")
    options = parser.parse_args()
    sides = [side for side in SIDES if side in options.sides.split(",")]

    for side in sides:
        sql(file=script(side, "schema"), variables=[("tuned", tuned(side))], env=environment(side))
    facts = conditions(options)
    runs = collections.defaultdict(list)
    rows = []
    works = options.work.split(",")
    deliveries = signals(options.rounds) if "signals" in works and "ffengine" in sides else []
    waited = {}
    if "ffengine" in sides and set(works) & set(WAITS):
        import waits  # only here, as it needs psycopg2

        sql(file=script("background", "schema"), env=environment("background"))
        waited = waits.measure(set(works) & set(WAITS), options, run)
    for work in works:
        if work == "signals" or work in WAITS:
            continue
        able = [side for side in sides if script(side, work).exists()]
        for clients in map(int, options.clients.split(",")):
            for turn in range(options.rounds):
                for side in able:
                    result = run(side, work, clients, options)
                    runs[work, clients, side].append(result)
                    print(f"{work}, {clients} clients, turn {turn + 1}: {side} {result['tps']:.0f}/s",
                          file=sys.stderr)
            for side in able:
                mine = runs[work, clients, side]
                rows.append({
                    "work": work, "clients": clients, "side": side,
                    "round_trips": round_trips(script(side, work)),
                    "tps": spread([r["tps"] for r in mine]),
                    "to_seed": ratios(runs, work, clients, side, "seed"),
                    "to_seed_tuned": ratios(runs, work, clients, side, "seed-tuned"),
                    "to_floor": ratios(runs, work, clients, side, "floor"),
                    "wal_bytes_per_cycle": statistics.median(r["wal_bytes_per_cycle"] for r in mine),
                    "retry_share": sum(r["retries"] + r["failed"] for r in mine) / max(1, sum(r["cycles"] for r in mine)),
                    "runs": mine,
                })
    print_facts(facts)
    if rows:
        print_table(facts, rows)
    if deliveries:
        print_signals(deliveries)
    for title, table in waited.values():
        print(f"\n{title}\n")
        print_columns([tuple(table[0])] + [tuple(map(str, row.values())) for row in table])
    out = pathlib.Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    file = out / f"{facts['date'].replace(':', '').replace('+0000', 'Z')}.json"
    file.write_text(json.dumps({**facts, "rows": rows, "signals": deliveries,
                                **{work: table for work, (_, table) in waited.items()}}, indent=1) + "\n")
    print(f"\nwritten to {os.path.relpath(file)}")


if __name__ == "__main__":
    main()
