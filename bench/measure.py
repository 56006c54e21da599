"""Measures ffengine: a table of figures with their targets, and tables of what they come from.

A work measures one thing. Where it compares, its sides take turns, round by round, on one server, each with a
full queue, and a ratio is taken between runs of the same round. Works:

{works}

Sides of cycle and resume:

  ffengine      this extension, preloaded, as users are told to; default settings
  seed          the same cycle as the statements of a client library, one round trip each, on its
                tables and indexes, with a NOTIFY trigger on every outbox
  seed-tuned    the same in its favour: an index in claim order, which it lacks and without which a
                claim sorts the backlog, and no serialization failures (see seed_schema, seed_resume)
  floor         two bare single-row updates of a narrow queue table (cycle only)

Connects by PGHOST and so on to a server where ffengine is preloaded and, for wakeup and idle, to that whose
PGHOST is BENCH_PLAIN, where it is not. Needs psycopg2; the work peers needs npm and its registry.
"""

import argparse
import datetime
import json
import os
import pathlib
import subprocess
import sys
import time
import traceback

from works import chart, report
from works.cycles import batch, cycle, locks, notify, resume
from works.depth import depth, signals
from works.held import held
from works.peers import peers
from works.server import conditions, say
from works.side import SIDES
from works.storage import bulk, renew, size
from works.waits import idle, wakeup

HERE = pathlib.Path(__file__).resolve().parent
# name: (function, what it measures); all but the first three are of ffengine or need it
WORKS = {
    "cycle": (cycle, "claim + complete, by clients, against the other sides"),
    "resume": (resume, "claim + suspend + deliver_signal + claim_resumed + complete, likewise"),
    "locks": (locks, "what 32 clients wait for in claim + complete"),
    "batch": (batch, "claim 50 + complete_many 50 against claim + complete"),
    "depth": (depth, "a claim with many waiting, and behind many that it cannot take, against few"),
    "held": (held, "the rate under a snapshot that another session holds open, and that of a plain queue"),
    "signals": (signals, "the 10,000th delivery to one waitpoint against the 10th"),
    "wakeup": (wakeup, "from the commit of work to the return of a claim that waits for it"),
    "notify": (notify, "the cycle at 8 clients while 4 sessions listen, by ffengine.notify_mode"),
    "idle": (idle, "the CPU time of the server while 100 sessions wait for what does not come"),
    "renew": (renew, "renewals: how many are heap-only updates"),
    "bulk": (bulk, "ff_create_executions of 1,000 against COPY of the same rows"),
    "size": (size, "bytes of tables and indexes per execution after many cycles against fewer"),
    "peers": (peers, "graphile-worker, pg-boss and ffengine, all through Node.js"),
}
WITHOUT_FFENGINE = ("cycle", "resume", "locks")
# option: (default, with --quick, what it is)
NUMBERS = {
    "seconds": (4, 2, "length of one run"),
    "rounds": (3, 2, "runs of each side"),
    "waiting": (300000, 50000, "executions waiting at the start of a run"),
    "deep": (1000000, 100000, "of depth: executions that wait, or wait ahead"),
    "held-seconds": (60, 12, "of held: length of one run"),
    "size-cycles": (500000, 50000, "of size: cycles at the end; the first look is after a fifth"),
    "wakeups": (400, 100, "of wakeup: wake-ups in a run"),
    "peer-jobs": (30000, 15000, "of peers: jobs waiting at the start of fetch + complete"),
}
CLIENTS, QUICK_CLIENTS = "1,2,4,8,16,32", "1,8,32"


def arguments():
    works = "\n".join(f"  {name:<9} {told}" for name, (_, told) in WORKS.items())
    parser = argparse.ArgumentParser(description=__doc__.format(works=works),
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="about 8 minutes in place of 40: smaller sizes, fewer and "
                        "shorter runs")
    parser.add_argument("--work", default=",".join(WORKS), help="which works, with commas (all)")
    parser.add_argument("--sides", default=",".join(SIDES), help="which sides, with commas (all)")
    parser.add_argument("--clients", help=f"clients of cycle, with commas ({CLIENTS}; quick {QUICK_CLIENTS}); those of "
                        "resume and batch are 1 and 8 of them")
    for name, (usual, quick, told) in NUMBERS.items():
        parser.add_argument(f"--{name}", type=int, help=f"{told} ({usual}; quick {quick})")
    parser.add_argument("--out", default=str(HERE / "results"), help="folder of the results: text, JSON and SVG")
    parser.add_argument("--markdown", metavar="FILE", help="also write the tables there, dated, as Markdown")
    options = parser.parse_args()

    for name, (usual, quick, _) in NUMBERS.items():
        name = name.replace("-", "_")
        if getattr(options, name) is None:
            setattr(options, name, quick if options.quick else usual)
    clients = options.clients or (QUICK_CLIENTS if options.quick else CLIENTS)
    options.clients = [int(count) for count in clients.split(",")]
    options.sides = [side for side in SIDES if side in options.sides.split(",")]
    wanted = options.work.split(",")
    unknown = set(wanted) - set(WORKS)
    if unknown or not options.sides:
        parser.error(f"no such work: {', '.join(unknown)}" if unknown else "no such side")
    options.work = [work for work in WORKS if work in wanted
                    and ("ffengine" in options.sides or work in WITHOUT_FFENGINE)]
    return options


def commit():
    """What was measured, as git calls it."""
    done = subprocess.run(["git", "-C", str(HERE), "describe", "--always", "--dirty"], capture_output=True, text=True)
    return done.stdout.strip() or "unknown commit"


def main():
    options = arguments()
    now = datetime.datetime.now(datetime.timezone.utc)
    facts = {"date": now.isoformat(timespec="seconds"), "commit": commit(), **conditions(), "options": vars(options)}
    outcomes, failed, seconds = {}, [], {}
    for work in options.work:
        begun = time.monotonic()
        try:
            outcomes[work] = WORKS[work][0](options)
        except Exception:  # the other works are worth their minutes all the same
            traceback.print_exc()
            failed.append(work)
        seconds[work] = round(time.monotonic() - begun)
        say(f"{work}: {seconds[work]} s")

    text = report.text(facts, outcomes)
    print(text)
    out = pathlib.Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    stem = now.strftime("%Y-%m-%dT%H%M%SZ")
    figures = [{"work": work, **figure.as_dict()} for work, outcome in outcomes.items() for figure in outcome.figures]
    tables = {work: {"title": outcome.title, "rows": outcome.rows, "raw": outcome.raw, "seconds": seconds[work]}
              for work, outcome in outcomes.items()}
    contents = {"txt": text, "svg": chart.chart(outcomes),
                "json": json.dumps({**facts, "failed": failed, "figures": figures, "tables": tables}, indent=1) + "\n"}
    for kind, content in contents.items():
        (out / f"{stem}.{kind}").write_text(content)
    print(f"written to {os.path.relpath(out)}/{stem}.{{{','.join(contents)}}}")
    if options.markdown:
        pathlib.Path(options.markdown).write_text(report.markdown(facts, outcomes))
    if failed:
        sys.exit(f"bench: not measured: {', '.join(failed)}")


if __name__ == "__main__":
    main()
