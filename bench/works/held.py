"""What an old snapshot does to a queue: the work held."""

from .outcome import Figure, Outcome, spread
from .rate import run
from .server import Database, Failed, say
from .side import FFENGINE, FLOOR, in_turn

CLIENTS = 4
STEPS = 6  # the run's time in so many parts; the first is compared with the last
MOST_A_SECOND = 10000  # cycles: so many must wait that the queue does not run dry


def hold(db):
    """A session with an open snapshot, such as a long report or a dump has."""
    conn = db.connect()
    cur = conn.cursor()
    cur.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    cur.execute("SELECT count(*) FROM pg_class")
    return conn


def held_run(db, side, options):
    step = options.held_seconds // STEPS
    # and vacuum, while nothing is held yet
    side.fill(db, max(options.waiting, MOST_A_SECOND * options.held_seconds))
    holder = hold(db)
    try:
        result = run(db, side, "cycle", CLIENTS, options, limit=["-T", str(step * STEPS), "--progress", str(step)],
                     waiting=0)
    finally:
        holder.close()
    # a last interval that the end cut short is left out of the progress or comes on top
    rates = result["progress"][:STEPS]
    if len(rates) < STEPS - 1:
        raise Failed(f"held: {len(rates)} intervals were reported")
    return rates


def held(options):
    rows, figures, raw = [], [], {}
    step = options.held_seconds // STEPS
    with Database() as db:
        sides = {"ffengine": FFENGINE, "a plain SKIP LOCKED queue": FLOOR}
        runs = {name: [] for name in sides}
        for side in sides.values():
            side.install(db)
        for turn in range(options.rounds):
            for name, side in in_turn(sides.items(), turn):
                runs[name].append(held_run(db, side, options))
                say(f"held, turn {turn + 1}: {name} {' '.join(f'{rate:.0f}' for rate in runs[name][-1])} /s")
    for name, turns in runs.items():
        ratios = [rates[-1] / rates[0] for rates in turns]
        first = turns[0]
        rows.append({"queue": name, **{f"{(i + 1) * step} s": spread([rates[i] for rates in turns if i < len(rates)])
                                       for i in range(len(first))}, "x": spread(ratios)})
        figures.append(Figure(f"{name}: cycle rate in the last {step} s of {options.held_seconds} s under a held snapshot "
                              f"against the first {step} s, {CLIENTS} clients", ratios,
                              at_least=0.8 if name == "ffengine" else None))
        raw[name] = turns
    return Outcome(f"cycles a second, {CLIENTS} clients, while another session holds a snapshot open", rows, figures,
                   {"step": step, "runs": raw})
