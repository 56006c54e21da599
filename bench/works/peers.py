"""Other queues for PostgreSQL that the npm registry carries, through their own clients: the work peers."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile

from .outcome import Figure, Outcome, spread
from .server import Database, Failed, say
from .side import FFENGINE, in_turn

HERE = pathlib.Path(__file__).resolve().parent.parent / "peers"
SYSTEMS = ("ffengine", "graphile-worker", "pg-boss")
CONCURRENCY = (1, 8)
NPM = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error")


def program(folder):
    """Installs what package-lock.json names into `folder`; gives the command that runs peers.mjs there."""
    for name in ("package.json", "package-lock.json", "peers.mjs"):
        shutil.copy(HERE / name, folder)
    # a cache of its own: the user may have no home
    done = subprocess.run([*NPM, "--cache", f"{folder}/.npm"], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"peers: npm ci: {done.stderr.strip()}")
    # they want a newer Node.js than Debian's, which the registry carries too
    nodes = list(pathlib.Path(folder).glob("node_modules/node-linux-*/bin/node"))
    return [str(nodes[0]) if nodes else "node", f"{folder}/peers.mjs"]


def peer_run(command, system, concurrency, options):
    with Database() as db:
        if system == "ffengine":
            FFENGINE.install(db)
        done = subprocess.run([*command, system, str(concurrency), str(options.seconds), str(options.peer_jobs)],
                              env={**db.environment(), "NO_LOG_SUCCESS": "1"}, capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"peers: {system}: {done.stderr.strip()}")
        result = json.loads(done.stdout.splitlines()[-1])
        return {**result, "all": 1 / (1 / result["enqueue"] + 1 / result["work"])}


def peers(options):
    runs, rows, figures = {}, [], []
    with tempfile.TemporaryDirectory(dir=os.environ.get("FF_WORK")) as folder:
        command = program(folder)
        for concurrency in CONCURRENCY:
            for turn in range(options.rounds):
                for system in in_turn(SYSTEMS, turn):
                    mine = peer_run(command, system, concurrency, options)
                    runs.setdefault((system, concurrency), []).append(mine)
                    say(f"peers, {concurrency} at once, turn {turn + 1}: {system} enqueue {mine['enqueue']:.0f}/s, "
                        f"fetch + complete {mine['work']:.0f}/s")
    for (system, concurrency), mine in runs.items():
        ours = runs["ffengine", concurrency]
        cells = {"system": mine[0]["version"], "at once": concurrency}
        for told, phase in (("enqueue/s", "enqueue"), ("fetch + complete/s", "work"),
                            ("enqueue + fetch + complete/s", "all")):
            ratios = [our[phase] / its[phase] for our, its in zip(ours, mine)]
            cells[told] = spread([its[phase] for its in mine])
            cells[f"ffengine x ({phase})"] = spread(ratios) if system != "ffengine" else "-"
            if system != "ffengine":
                figures.append(Figure(f"{told.removesuffix('/s')} against {mine[0]['version']}, {concurrency} at once, all "
                                      "through Node.js", ratios))
        rows.append({**cells, "how": mine[0]["how"]})
    first = runs["ffengine", CONCURRENCY[0]][0]
    return Outcome(f"jobs a second through Node.js {first['node']} and pg {first['pg']}, {options.peer_jobs} jobs waiting "
                   f"at the start of fetch + complete, {options.seconds} s a run, a new database each, default options, "
                   "the same server and durability; nothing is tuned", rows, figures)
