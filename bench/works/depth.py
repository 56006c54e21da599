"""What one call costs when there is much of something: the works depth (waiting executions) and signals."""

import contextlib
import statistics

from .outcome import Figure, Outcome, spread
from .server import Database, say
from .side import FFENGINE, in_turn

SHALLOW = 1000
SAMPLES = 2000  # claims in a run
UNMEASURED = {"synchronous_commit": "off"}  # the commits are outside of what is timed
EARLY, LATE, NEIGHBOURS = 10, 10000, 9  # a delivery is measured with so many before and after it


def depth(options):
    """The same claims in three databases by turns: few waiting, many waiting, few behind many of others."""
    deep = options.deep
    filled = {"bench": (SHALLOW, 0), "bench_deep": (deep, 0), "bench_behind": (SHALLOW, deep)}
    times = {name: [] for name in filled}
    with contextlib.ExitStack() as stack:
        dbs = [stack.enter_context(Database(name)) for name in filled]
        for db in dbs:
            waiting, ahead = filled[db.name]
            FFENGINE.install(db)
            FFENGINE.fill(db, waiting)
            if ahead:
                db.psql("ffengine_ahead", {"ahead": ahead})
        for turn in range(options.rounds):
            for db in in_turn(dbs, turn):
                text = db.psql("ffengine_claims", {"samples": SAMPLES}, UNMEASURED)
                times[db.name].append(statistics.median(map(float, text.splitlines())))
                say(f"depth, turn {turn + 1}: {filled[db.name]} {times[db.name][-1]:.0f} us")
    ratios = {name: [one / few for one, few in zip(times[name], times["bench"])] for name in filled}
    rows = [{"waiting": f"{waiting:,}", "of others ahead": f"{ahead:,}", "claim p50 us": spread(times[name]),
             "x the first": spread(ratios[name])} for name, (waiting, ahead) in filled.items()]
    return Outcome(f"one claim, {SAMPLES} samples a run, without the commit", rows, [
        Figure(f"claim with {deep:,} waiting against {SHALLOW:,}, p50", ratios["bench_deep"], at_most=1.2),
        Figure(f"claim with {deep:,} unmatchable of 10 kinds ahead against none, p50", ratios["bench_behind"], at_most=1.5)])


def deliveries(text):
    """{EARLY: (microseconds, WAL bytes), LATE: ...}, medians over the neighbours."""
    samples = {EARLY: [], LATE: []}
    for line in text.splitlines():
        number, microseconds, wal = line.split("|")
        for middle, sample in samples.items():
            if abs(int(number) - middle) <= NEIGHBOURS:
                sample.append((float(microseconds), int(wal)))
    return {middle: [statistics.median(column) for column in zip(*sample)] for middle, sample in samples.items()}


def signals(options):
    """Signals that count, and signals that don't, of which the last 1,000 are kept."""
    rows, figures = [], []
    with Database() as db:
        FFENGINE.install(db)
        for kind, wanted in (("counted", "vote"), ("not counted", "veto")):
            turns = []
            for turn in range(options.rounds):
                turns.append(deliveries(db.psql("ffengine_signals", {"signals": LATE + NEIGHBOURS, "wanted": wanted},
                                                UNMEASURED)))
                say(f"signals, {kind}, turn {turn + 1}")
            ratios = [turn[LATE][0] / turn[EARLY][0] for turn in turns]
            cells = {"signals": kind}
            for unit, column in (("us", 0), ("WAL B", 1)):
                cells[f"{unit}, {EARLY}th"] = spread([turn[EARLY][column] for turn in turns])
                cells[f"{unit}, {LATE:,}th"] = spread([turn[LATE][column] for turn in turns])
                cells[f"x {unit}"] = spread([turn[LATE][column] / turn[EARLY][column] for turn in turns])
            rows.append(cells)
            figures.append(Figure(f"{LATE:,}th signal on a waitpoint against the {EARLY}th, {kind}", ratios, at_most=1.3))
    return Outcome("one delivery to one waitpoint, without the commit; medians over "
                   f"{NEIGHBOURS} neighbours on each side", rows, figures)
