"""What the tables bear: the works renew (heap-only updates), bulk (rows in) and size (what stays)."""

import io
import json
import time

from .outcome import Figure, Outcome, spread
from .rate import pgbench
from .server import Database, Failed, say
from .side import FFENGINE

LEASES = 1000
BULK, BATCHES = 1000, 20  # executions in a call, calls in a run
CLIENTS = 8


def renew(options):
    """How many of the updates that renewals make touch no index."""
    updates = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'ff_attempt'"
    hot, rates = [], []
    with Database() as db:
        FFENGINE.install(db)
        FFENGINE.fill(db, 2 * LEASES)
        db.psql("ffengine_leases", {"leases": LEASES})
        for turn in range(options.rounds):
            before = db.row(updates)
            result = pgbench(db, FFENGINE.script("renew"), CLIENTS, ["-T", str(options.seconds)],
                             variables={"leases": LEASES})
            time.sleep(1.2)  # the backends hand in their counters as they end
            all_updates, hot_updates = (new - old for new, old in zip(db.row(updates), before))
            if all_updates < result["cycles"]:
                raise Failed(f"renew: {result['cycles']} renewals, {all_updates} updates")
            hot.append(100 * hot_updates / all_updates)
            rates.append(result["tps"])
            say(f"renew, turn {turn + 1}: {hot[-1]:.1f} % HOT, {rates[-1]:.0f}/s")
    return Outcome(f"renewals of {LEASES} leases, {CLIENTS} clients", [{"renewals/s": spread(rates), "HOT %": spread(hot)}],
                   [Figure("renewals that are HOT", hot, "%", at_least=95)])


def bulk_run(cur):
    """Seconds for BATCHES calls, and for COPY of the same rows, a transaction each, by turns."""
    call = ("SELECT outcome, execution_id FROM ff_create_executions(%s, '{\"lane_id\": \"bench\"}')",
            (json.dumps([{"payload": "p" * 98}] * BULK),))
    created = copied = 0.0
    for _ in range(BATCHES):
        begun = time.perf_counter()
        cur.execute(*call)
        answers = cur.fetchall()
        created += time.perf_counter() - begun
        if [outcome for outcome, _ in answers] != ["created"] * BULK:
            raise Failed("bulk: not everything was created")
        cur.execute("SELECT string_agg(quote_literal(ff_execution_uuid(id)::text), ',') FROM unnest(%s) id",
                    ([execution for _, execution in answers],))
        rows = io.StringIO()
        cur.copy_expert("COPY (SELECT * FROM ff_exec_core WHERE partition_key = ff_lane_partition('bench')"
                        f" AND execution_id IN ({cur.fetchone()[0]})) TO STDOUT", rows)
        rows.seek(0)
        begun = time.perf_counter()
        cur.copy_expert("COPY bare FROM STDIN", rows)
        copied += time.perf_counter() - begun
        if cur.rowcount != BULK:
            raise Failed(f"bulk: {cur.rowcount} rows copied")
    return created, copied


def bulk(options):
    rates = {"ff_create_executions": [], "COPY into a bare table": []}
    with Database() as db:
        FFENGINE.install(db)
        conn = db.connect()
        cur = conn.cursor()
        # its generated columns come out as plain ones
        cur.execute("CREATE TABLE bare (LIKE ff_exec_core INCLUDING INDEXES)")
        bulk_run(cur)  # plans and caches
        for turn in range(options.rounds):
            for name, seconds in zip(rates, bulk_run(cur)):
                rates[name].append(BULK * BATCHES / seconds)
            say(f"bulk, turn {turn + 1}: {' '.join(f'{mine[-1]:.0f}' for mine in rates.values())} rows/s")
        conn.close()
    ratios = [ours / copy for ours, copy in zip(*rates.values())]
    return Outcome(f"rows in, {BULK} in a transaction, {BULK * BATCHES} a run, 1 client",
                   [{"by": name, "rows/s": spread(mine)} for name, mine in rates.items()],
                   [Figure(f"create_executions of {BULK:,} against COPY of the same rows into a bare table, same indexes",
                           ratios, at_least=0.3)])


SIZES = """
SELECT sum(pg_table_size(c.oid)), sum(pg_indexes_size(c.oid)), (SELECT count(*) FROM ff_exec_core)
FROM pg_class c JOIN pg_depend d ON d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'e'
WHERE c.relkind = 'r'
"""


def bytes_each(db):
    table, index, executions = db.row(SIZES)
    return {"table": float(table / executions), "index": float(index / executions),
            "all": float((table + index) / executions)}


def size(options):
    """create + claim + complete until a fifth and until all of the cycles are done, autovacuum as shipped.

    Commits are asynchronous here: the same bytes sooner, which leaves autovacuum less time."""
    late, early = options.size_cycles, options.size_cycles // 5
    turns = []
    for turn in range(options.rounds):
        with Database() as db:
            FFENGINE.install(db)
            FFENGINE.fill(db, LEASES)
            after = {}
            done = 0
            for cycles in (early, late):
                pgbench(db, FFENGINE.script("life"), CLIENTS, ["-t", str((cycles - done) // CLIENTS)],
                        {"synchronous_commit": "off"})
                done = cycles
                after[cycles] = bytes_each(db)
                say(f"size, turn {turn + 1}: {after[cycles]['all']:.0f} bytes an execution after {cycles}")
            turns.append(after)
    rows = [{"cycles": f"{cycles:,}", **{f"{part} B/execution": spread([turn[cycles][part] for turn in turns])
                                         for part in ("table", "index", "all")}} for cycles in (early, late)]
    ratios = [turn[late]["all"] / turn[early]["all"] for turn in turns]
    return Outcome(f"tables and indexes of ffengine after create + claim + complete, {CLIENTS} clients, autovacuum on, "
                   "asynchronous commits", rows,
                   [Figure(f"table and index bytes per execution after {late:,} cycles against after {early:,}",
                           ratios, at_most=1.2)])
