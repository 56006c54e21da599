#!/usr/bin/python3
"""Deliver one signal to a waitpoint: an approver's button, or a finance system's callback.

Connects as a role with the access set `signaler`, which can do this and nothing else; the server
is found through PGHOST, PGPORT, PGDATABASE and PGUSER. The token file is what worker.py wrote.

    deliver.py --token-file approval.json --source user:alice --signal approved

The exit code is 0 when every delivery was accepted or recognised as a duplicate, 1 when one was
refused (with --tamper: when the forged token was NOT refused).
"""
import argparse
import json
import sys

import psycopg2


def deliver(conn, waitpoint: dict, signal: str, source: str, payload: dict) -> tuple:
    """Deliver once; return (outcome, effect, match_result) or raise psycopg2.Error.

    The idempotency key belongs to the event, not to the call: pressing the same button again, or
    repeating the call after a lost answer, is recognised as a duplicate and changes nothing.
    """
    source_type, _, source_identity = source.partition(":")
    with conn, conn.cursor() as cur:
        cur.execute(
            """
            SELECT outcome, effect, match_result
              FROM ff_deliver_signal(execution_id    => %(execution_id)s,
                                     waitpoint_id    => %(waitpoint_id)s,
                                     waitpoint_token => %(waitpoint_token)s,
                                     signal_name     => %(signal)s,
                                     payload         => %(payload)s,
                                     source_type     => %(source_type)s,
                                     source_identity => %(source_identity)s,
                                     idempotency_key => %(key)s)
            """,
            {
                **waitpoint,
                "signal": signal,
                "payload": json.dumps(payload).encode(),
                "source_type": source_type,
                "source_identity": source_identity,
                "key": f"{signal}/{source}",
            },
        )
        return cur.fetchone()


def forged(waitpoint: dict) -> dict:
    """The same waitpoint with the last digit of its token changed."""
    token = waitpoint["waitpoint_token"]
    return {**waitpoint, "waitpoint_token": token[:-1] + ("0" if token[-1] != "0" else "1")}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--token-file", required=True)
    parser.add_argument("--signal", required=True)
    parser.add_argument("--source", required=True, help="type:identity, such as user:alice")
    parser.add_argument("--payload", type=json.loads, default={}, help="JSON")
    parser.add_argument("--tamper", action="store_true", help="first try a forged token")
    parser.add_argument("--times", type=int, default=1, help="deliver the same signal so often")
    args = parser.parse_args()

    with open(args.token_file) as file:
        waitpoint = json.load(file)
    conn = psycopg2.connect("", application_name="deliver " + args.source)
    signal = (args.signal, args.source, args.payload)

    if args.tamper:
        try:
            deliver(conn, forged(waitpoint), *signal)
        except psycopg2.Error as error:
            if error.pgcode != "ZV008":
                raise
            print(f"forged token refused: {error.pgcode} {error.diag.message_primary} "
                  f"({error.diag.message_detail})")
        else:
            print("forged token accepted", file=sys.stderr)
            return 1

    for _ in range(args.times):
        try:
            outcome, effect, match_result = deliver(conn, waitpoint, *signal)
        except psycopg2.Error as error:
            print(f"refused: {error.pgcode} {error.diag.message_primary}", file=sys.stderr)
            return 1
        print(f"{args.signal}: {outcome}, {effect}, {match_result}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
