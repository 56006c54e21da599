#!/usr/bin/python3
"""Submit one expense report. Prints the id of its execution.

Connects as a role with the access set `submitter`; the server is found through PGHOST, PGPORT,
PGDATABASE and PGUSER.

    submit.py --report E-1001 --employee dana --amount 1840.00
"""
import argparse
import json

import psycopg2
from psycopg2.extras import Json


def submit(conn, report: dict) -> tuple[str, str]:
    """Create the execution; return its id and whether it was 'created' or a 'duplicate'.

    The idempotency key makes the call safe to repeat: a second submission of the same report
    number returns the first execution instead of making another.
    """
    with conn, conn.cursor() as cur:
        cur.execute(
            """
            SELECT execution_id, outcome
              FROM ff_create_execution(lane_id          => 'expenses',
                                       payload          => %(payload)s,
                                       payload_encoding => 'json',
                                       execution_kind   => 'expense-report',
                                       idempotency_key  => %(key)s,
                                       tags             => %(tags)s)
            """,
            {
                "payload": json.dumps(report).encode(),
                "key": "expense-report/" + report["report"],
                "tags": Json({"expense.employee": report["employee"]}),
            },
        )
        return cur.fetchone()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--report", required=True)
    parser.add_argument("--employee", required=True)
    parser.add_argument("--amount", required=True)
    conn = psycopg2.connect("", application_name="submit")
    execution_id, outcome = submit(conn, vars(parser.parse_args()))
    print(outcome, execution_id)


if __name__ == "__main__":
    main()
