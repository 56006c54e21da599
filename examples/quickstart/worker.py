#!/usr/bin/python3
"""A worker for expense reports.

It claims work, and what it does depends on how the claim came about:

  fresh, retry, reclaimed   the report needs approval: suspend it and hand out the tokens
  resumed                   the approvals are in: read the signals and complete the report

Nothing about the report is kept in this process. While the report is suspended it belongs to
nobody, so this process may be killed at any moment and any other worker can finish the work.

Connects as a role with the access set `worker`; the server is found through PGHOST, PGPORT,
PGDATABASE and PGUSER.

    worker.py --instance worker-1 --outbox /some/folder
"""
import argparse
import json
import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

import psycopg2
from psycopg2.extras import DictCursor, DictRow

LANE = "expenses"


def say(text: str) -> None:
    print(text, flush=True)


def claim(conn, instance: str) -> DictRow | None:
    """Take the next execution of the lane under a lease of 30 s, or None if there is no work for a while."""
    with conn, conn.cursor() as cur:
        cur.execute(
            """
            SELECT execution_id, handle, claim_kind, attempt_index, lease_epoch, payload
              FROM ff_claim(lane_id            => %(lane)s,
                            worker_id          => 'expense-worker',
                            worker_instance_id => %(instance)s,
                            lease_ttl_ms       => 30000,
                            block_ms           => 10000)
            """,
            {"lane": LANE, "instance": instance},
        )
        return cur.fetchone()


def ask_for_approval(conn, work: DictRow, outbox: Path) -> None:
    """Suspend until two different approvers and the finance system have signalled.

    The condition names two waitpoints, `approval` and `finance`. Each gets a token of its own:
    whoever holds it may signal that waitpoint and nothing else.
    """
    with conn, conn.cursor() as cur:
        cur.execute(
            """
            SELECT outcome, waitpoint_id, waitpoint_key, waitpoint_token, additional_waitpoints
              FROM ff_suspend(
                     handle           => %(handle)s,
                     resume_condition => ff_all_of(
                                           ff_count_of(2, ARRAY['approval'], 'sources', 'approved'),
                                           ff_when('finance', 'booked')),
                     reason_code      => 'waiting_for_approval',
                     timeout_at       => %(timeout_at)s,
                     timeout_behavior => 'expire',
                     idempotency_key  => %(key)s)
            """,
            {
                "handle": bytes(work["handle"]),
                "timeout_at": datetime.now(timezone.utc) + timedelta(days=2),
                "key": f"approval/attempt-{work['attempt_index']}",
            },
        )
        row = cur.fetchone()
        # The tokens leave before the commit. Should this process die in between, the suspension
        # is rolled back and the tokens are good for nothing; the other way round the report
        # would wait for signals that nobody can send. A signal that is faster than the commit
        # is refused with waitpoint_not_found, class ZC: repeat it.
        first = {key: row[key] for key in ("waitpoint_id", "waitpoint_key", "waitpoint_token")}
        for waitpoint in [first, *row["additional_waitpoints"]]:
            hand_over(outbox, {"execution_id": work["execution_id"], **waitpoint})
    say(f"{row['outcome']}: waiting for two approvers and finance; the lease is given back")


def hand_over(outbox: Path, waitpoint: dict) -> None:
    """Write the token where the signaller finds it; elsewhere this would be a mail or a webhook."""
    target = outbox / (waitpoint["waitpoint_key"] + ".json")
    draft = target.with_suffix(".tmp")
    with open(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
        json.dump(waitpoint, file)
    draft.rename(target)
    say(f"token for waitpoint '{waitpoint['waitpoint_key']}' written to {target.name}")


def finish(conn, work: DictRow) -> None:
    """Read the signals that resumed the execution and complete it, in one transaction."""
    report = json.loads(bytes(work["payload"]))
    with conn, conn.cursor() as cur:
        cur.execute(
            """
            SELECT waitpoint_key, source_identity, payload
              FROM ff_observe_signals(handle => %(handle)s, only_counted => true)
            """,
            {"handle": bytes(work["handle"])},
        )
        signals = cur.fetchall()
        approvers = [s["source_identity"] for s in signals if s["waitpoint_key"] == "approval"]
        booking = next(json.loads(bytes(s["payload"]))["booking"]
                       for s in signals if s["waitpoint_key"] == "finance")
        say(f"signals read: approved by {' and '.join(approvers)}, booked as {booking}")

        result = {"report": report["report"], "approved_by": approvers, "booking": booking}
        cur.execute(
            """
            SELECT outcome
              FROM ff_complete(handle          => %(handle)s,
                               result          => %(result)s,
                               result_encoding => 'json')
            """,
            {"handle": bytes(work["handle"]), "result": json.dumps(result).encode()},
        )
        outcome = cur.fetchone()["outcome"]
    say(f"{outcome}: {json.dumps(result)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--instance", required=True, help="name of this process")
    parser.add_argument("--outbox", required=True, type=Path, help="folder for the tokens")
    parser.add_argument("--until-completed", action="store_true",
                        help="exit after completing one report (default: run until killed)")
    args = parser.parse_args()

    conn = psycopg2.connect("", application_name=args.instance, cursor_factory=DictCursor)
    say("waiting for work")
    while True:
        work = claim(conn, args.instance)
        if work is None:
            continue
        say(f"claimed {work['execution_id']}: claim_kind {work['claim_kind']}, "
            f"attempt {work['attempt_index']}, lease epoch {work['lease_epoch']}")
        if work["claim_kind"] == "resumed":
            finish(conn, work)
            if args.until_completed:
                return
        else:
            ask_for_approval(conn, work, args.outbox)
        say("waiting for work")


if __name__ == "__main__":
    main()
