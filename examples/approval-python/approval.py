#!/usr/bin/python3
"""An approval gate in Python: one person says yes or no, and the worker does the one or the other.

Three clients in one program, each with a connection and a role of its own: the web application
submits, the worker works, the hook (a web server behind a button) signals. The server is found
through PGHOST and so on; run.sh prepares a database.

psycopg2 (Debian's python3-psycopg2) writes parameters into the statement's text, where
pg_stat_activity shows them to superusers; a driver that binds them, such as psycopg 3, does not.
"""
import json
from datetime import datetime, timedelta, timezone

import psycopg2
from psycopg2.extras import DictCursor


def connect(role):
    return psycopg2.connect(user=role, cursor_factory=DictCursor)


def call(conn, statement, **parameters):
    """One engine call in a transaction of its own; its first row, or None."""
    with conn, conn.cursor() as cur:
        cur.execute(statement, parameters)
        return cur.fetchone()


def submit(conn, order, amount):
    """Safe to repeat: the same idempotency key gives the same execution."""
    row = call(conn, """
        SELECT execution_id
          FROM ff_create_execution(lane_id => 'refunds', payload => %(payload)s,
                                   payload_encoding => 'json', idempotency_key => %(key)s)""",
               payload=json.dumps({"order": order, "amount": amount}).encode(), key=f"refund/{order}")
    return row["execution_id"]


def claim(conn, instance):
    return call(conn, """
        SELECT execution_id, handle, claim_kind, attempt_index, payload
          FROM ff_claim(lane_id => 'refunds', worker_id => 'refunder', worker_instance_id => %(instance)s)""",
                instance=instance)


def ask(conn, work):
    """Suspend until any signal comes, for two days at most; return what the decider needs.

    The condition names no signal, so a rejection ends the wait as well. The time limit is applied
    by ff_expire_suspension.
    """
    row = call(conn, """
        SELECT outcome, waitpoint_id, waitpoint_token
          FROM ff_suspend(handle => %(handle)s, resume_condition => ff_when('decision'),
                          reason_code => 'waiting_for_approval',
                          timeout_at => %(timeout_at)s, timeout_behavior => 'expire',
                          idempotency_key => 'decision')""",
               handle=bytes(work["handle"]), timeout_at=datetime.now(timezone.utc) + timedelta(days=2))
    assert row["outcome"] == "suspended"
    return {"execution_id": work["execution_id"], "waitpoint_id": row["waitpoint_id"],
            "token": row["waitpoint_token"]}


def decide(conn, ticket, decision, person, note):
    """What the button does. A repeated click has the same key and is recognised."""
    row = call(conn, """
        SELECT outcome, effect
          FROM ff_deliver_signal(execution_id => %(execution_id)s, waitpoint_id => %(waitpoint_id)s,
                                 waitpoint_token => %(token)s, signal_name => %(decision)s,
                                 payload => %(payload)s, source_type => 'user',
                                 source_identity => %(person)s, idempotency_key => %(person)s)""",
               decision=decision, person=person, payload=json.dumps({"note": note}).encode(), **ticket)
    return row["outcome"], row["effect"]


def finish(conn, work):
    """Read the decision and act on it. The read and the end are one transaction."""
    handle = bytes(work["handle"])
    with conn, conn.cursor() as cur:
        cur.execute("SELECT signal_name, source_identity, payload FROM ff_observe_signals(handle => %s)", (handle,))
        decision = cur.fetchone()
        note = json.loads(bytes(decision["payload"]))["note"]
        if decision["signal_name"] == "approved":
            cur.execute("SELECT public_state FROM ff_complete(handle => %s, result => %s, result_encoding => 'json')",
                        (handle, json.dumps({"approved_by": decision["source_identity"]}).encode()))
        else:  # permanent: no retry would change a person's mind
            cur.execute("SELECT public_state FROM ff_fail(handle => %s, reason => %s, failure_class => 'permanent')",
                        (handle, f"{decision['signal_name']} by {decision['source_identity']}: {note}"))
        return cur.fetchone()["public_state"]


def main():
    web, worker, hook = connect("refund_web"), connect("refund_worker"), connect("refund_hook")
    for order, decision, state in (("A-7", "approved", "completed"), ("A-8", "rejected", "failed")):
        execution_id = submit(web, order, 120)
        assert submit(web, order, 120) == execution_id

        ticket = ask(worker, claim(worker, "refunder-1"))
        assert claim(worker, "refunder-1") is None  # nothing to do while it waits

        forged = {**ticket, "token": ticket["token"][:-1] + ("0" if ticket["token"][-1] != "0" else "1")}
        try:
            decide(hook, forged, decision, "mallory", "")
        except psycopg2.Error as error:
            assert error.pgcode == "ZV008", error  # invalid_token
        else:
            raise AssertionError("a forged token was accepted")

        assert decide(hook, ticket, decision, "alice", "seen") == ("accepted", "resume_condition_satisfied")
        assert decide(hook, ticket, decision, "alice", "seen") == ("duplicate", "resume_condition_satisfied")

        work = claim(worker, "refunder-2")
        assert (work["execution_id"], work["claim_kind"], work["attempt_index"]) == (execution_id, "resumed", 0)
        assert finish(worker, work) == state
        print(f"order {order}: {decision} by alice, the refund is {state}")


if __name__ == "__main__":
    main()
