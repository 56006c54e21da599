"""How many cycles a second the sides do: the works cycle, resume, batch, notify and locks."""

import collections
import select
import statistics
import threading

from .crew import Crew
from .outcome import Figure, Outcome, spread
from .rate import run
from .server import Database, say
from .side import FFENGINE, FLOOR, SIDES, in_turn, notifying

COMPARED = (1, 8)  # clients at which all sides are measured; at the others those two
SCALED = (FFENGINE, FLOOR)
BATCH = 50
MOST_A_SECOND = 40000  # executions in batches: so many must wait that the queue does not run dry
CLIENTS, LISTENERS = 8, 4  # of notify
CROWD = 32  # clients of locks
SAMPLE_SECONDS = 0.02


class Runs:
    """Runs of one work by clients and side, sides by turns, so that a ratio is of runs of the same turn."""

    def __init__(self):
        self.runs = collections.defaultdict(list)

    def add(self, clients, side, result):
        self.runs[clients, side.name].append(result)

    def ratios(self, clients, side, other):
        """None where there is no such pair."""
        pairs = zip(self.runs.get((clients, side), ()), self.runs.get((clients, other), ()))
        return [a["tps"] / b["tps"] for a, b in pairs] or None

    def each(self, clients, side, name):
        return [result[name] for result in self.runs[clients, side]]

    def figures(self, told, *wanted):
        """Of (clients, other side, target) those that were measured."""
        for clients, other, at_least in wanted:
            ratios = self.ratios(clients, "ffengine", other)
            if ratios:
                yield Figure(f"{told} against {OTHERS[other]}, {clients} client{'s' * (clients > 1)}", ratios,
                             at_least=at_least)


OTHERS = {"seed": "the seed's statements", "seed-tuned": "the seed's statements with a claim index",
          "floor": "two bare single-row commits"}


def compare(work, options, clients_sides):
    """Runs of `work` for each (clients, sides), and the rows of its table."""
    runs, rows = Runs(), []
    with Database() as db:
        for side in {side.name: side for _, sides in clients_sides for side in sides}.values():
            side.install(db)
        for clients, sides in clients_sides:
            for turn in range(options.rounds):
                for side in in_turn(sides, turn):
                    runs.add(clients, side, run(db, side, work, clients, options))
                    say(f"{work}, {clients} clients, turn {turn + 1}: {side.name} "
                        f"{runs.each(clients, side.name, 'tps')[-1]:.0f}/s")
            rows += [row(runs, work, clients, side) for side in sides]
    return runs, rows


def row(runs, work, clients, side):
    name = side.name
    cells = {"clients": clients, "side": name, "trips": side.round_trips(work),
             "cycles/s": spread(runs.each(clients, name, "tps"))}
    for other in OTHERS:
        ratios = None if name == other else runs.ratios(clients, name, other)
        cells[f"x {other}"] = spread(ratios) if ratios else "-"
    for told, counter in (("WAL B/cycle", "wal_bytes"), ("buffers/cycle", "buffers")):
        cells[told] = statistics.median(runs.each(clients, name, f"{counter}_per_cycle"))
    again = sum(runs.each(clients, name, "retries")) + sum(runs.each(clients, name, "failed"))
    cells["retries"] = f"{again / max(1, sum(runs.each(clients, name, 'cycles'))):.1%}"
    return cells


def cycle(options):
    sides = [SIDES[name] for name in options.sides]
    runs, rows = compare("cycle", options, [
        (clients, sides if clients in COMPARED else [side for side in sides if side in SCALED])
        for clients in options.clients])
    told = "claim + complete"
    figures = [*runs.figures(told, (1, "seed", 12), (8, "seed", 10), (1, "seed-tuned", None), (8, "seed-tuned", None),
                             (1, "floor", None), (8, "floor", 0.6))]
    if (1, "ffengine") in runs.runs:
        figures += [Figure(f"{told}, WAL per cycle, 1 client", runs.each(1, "ffengine", "wal_bytes_per_cycle"), "bytes"),
                    Figure(f"{told}, buffers per cycle, 1 client", runs.each(1, "ffengine", "buffers_per_cycle"), "pages")]
    return Outcome(f"{told}, {options.waiting} waiting, {options.seconds} s a run", rows, figures,
                   {f"{clients} {side}": mine for (clients, side), mine in runs.runs.items()})


def resume(options):
    sides = [SIDES[name] for name in options.sides if SIDES[name].can("resume")]
    runs, rows = compare("resume", options, [(clients, sides) for clients in options.clients if clients in COMPARED])
    told = "suspend + signal + claim_resumed + complete"
    return Outcome(f"claim + {told}, {options.waiting} waiting, {options.seconds} s a run", rows,
                   [*runs.figures(told, (1, "seed", 6), (8, "seed", 6), (1, "seed-tuned", None), (8, "seed-tuned", None))],
                   {f"{clients} {side}": mine for (clients, side), mine in runs.runs.items()})


def batch(options):
    rows, figures = [], []
    waiting = max(options.waiting, MOST_A_SECOND * options.seconds)
    with Database() as db:
        FFENGINE.install(db)
        for clients in (clients for clients in options.clients if clients in COMPARED):
            rates = {1: [], BATCH: []}
            for turn in range(options.rounds):
                for size, work in in_turn(((1, "cycle"), (BATCH, "batch")), turn):
                    result = run(db, FFENGINE, work, clients, options, each=size, waiting=waiting)
                    rates[size].append(result["tps"] * size)
                    say(f"batch, {clients} clients, turn {turn + 1}: {size} at a time {rates[size][-1]:.0f}/s")
            ratios = [many / one for many, one in zip(rates[BATCH], rates[1])]
            for size in rates:
                rows.append({"clients": clients, "at a time": size, "executions/s": spread(rates[size]),
                             "x one at a time": spread(ratios) if size > 1 else "-"})
            figures.append(Figure(f"claim {BATCH} + complete_many {BATCH}, executions per second against one at a "
                                  f"time, {clients} client{'s' * (clients > 1)}", ratios, at_least=4))
    return Outcome("claim + complete, many in a call", rows, figures)


def hear(cur):
    conn = cur.connection
    if select.select([conn], [], [], 0.2)[0]:
        conn.poll()
        conn.notifies.clear()


def notify(options):
    sides = {mode: notifying(mode) for mode in ("off", "background", "transactional")}
    rates = {mode: [] for mode in sides}
    with Database() as db:
        FFENGINE.install(db)
        crew = Crew(db, LISTENERS, hear)
        for conn in crew.conns:
            conn.cursor().execute("LISTEN ff_completion; LISTEN ff_lease_event; LISTEN ff_work")
        with crew:
            for turn in range(options.rounds):
                for mode, side in in_turn(sides.items(), turn):
                    rates[mode].append(run(db, side, "cycle", CLIENTS, options)["tps"])
                    say(f"notify, turn {turn + 1}: {mode} {rates[mode][-1]:.0f}/s")
    ratios = {mode: [rate / off for rate, off in zip(rates[mode], rates["off"])] for mode in sides}
    rows = [{"notify_mode": mode, "cycles/s": spread(rates[mode]), "x off": spread(ratios[mode])} for mode in sides]
    told = f"notify_mode {{}} against off, {CLIENTS} clients, {LISTENERS} listeners"
    return Outcome(f"claim + complete at {CLIENTS} clients, {LISTENERS} sessions listening", rows,
                   [Figure(told.format("background"), ratios["background"], at_least=0.95),
                    Figure(told.format("transactional"), ratios["transactional"])])


def sample_waits(db, stopped, counts):
    conn = db.connect()
    cur = conn.cursor()
    while not stopped.wait(SAMPLE_SECONDS):
        cur.execute("SELECT coalesce(wait_event_type, 'on the CPU or ready'), coalesce(wait_event, ''), count(*)"
                    " FROM pg_stat_activity WHERE application_name = 'pgbench' GROUP BY 1, 2")
        for kind, event, count in cur.fetchall():
            counts[kind, event] += count
    conn.close()


def locks(options):
    """What the sessions of CROWD clients wait for, in shares of samples of all of them."""
    sides = [SIDES[name] for name in options.sides if SIDES[name] in SCALED]
    shares = {side.name: [] for side in sides}
    with Database() as db:
        for side in sides:
            side.install(db)
        for turn in range(options.rounds):
            for side in in_turn(sides, turn):
                counts, stopped = collections.Counter(), threading.Event()
                sampler = threading.Thread(target=sample_waits, args=(db, stopped, counts))
                sampler.start()
                try:
                    run(db, side, "cycle", CROWD, options)
                finally:
                    stopped.set()
                    sampler.join()
                total = sum(counts.values())
                shares[side.name].append({event: 100 * count / total for event, count in counts.items()})
                say(f"locks, turn {turn + 1}: {side.name}, {total} samples")
    rows = []
    for name, turns in shares.items():
        events = {event: [turn.get(event, 0.0) for turn in turns] for event in set().union(*turns)}
        for event in sorted(events, key=lambda event: -statistics.median(events[event])):
            if max(events[event]) >= 1:
                rows.append({"side": name, "type": event[0], "event": event[1], "% of samples": spread(events[event])})
    return Outcome(f"what {CROWD} clients wait for in claim + complete (1 % and more)", rows)
