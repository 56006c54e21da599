#!/usr/bin/python3
"""A service that must act on every end of an execution, once: here it writes invoices.

It listens, to be told at once; what happened it reads from a durable subscription, and it
acknowledges in the transaction that writes the invoices. So an invoice and its acknowledgement are
committed together or not at all: nothing is lost or done twice, whether the service crashes, is
down for a day, or misses a notification.

The server is found through PGHOST and so on; run.sh prepares a database, makes the subscription
and checks what is printed.
"""
import select
import threading

import psycopg2

ORDERS = {"A-1": "success", "A-2": "failed", "A-3": "success"}


def connect(role):
    return psycopg2.connect(user=role)


def call(conn, statement, *parameters):
    """One engine call in a transaction of its own; its first row."""
    with conn, conn.cursor() as cur:
        cur.execute(statement, parameters)
        return cur.fetchone()


class Crash(Exception):
    pass


class Billing:
    def __init__(self, crash_after=None):
        self.conn = connect("order_billing")
        self.ears = connect("order_billing")  # a LISTEN wants a session, not a transaction
        self.ears.autocommit = True
        self.ears.cursor().execute("LISTEN ff_completion")
        self.crash_after = crash_after
        self.invoiced = []

    def turn(self):
        """Up to 100 events, what they call for, and the word that it is done, in one transaction."""
        written = []
        with self.conn, self.conn.cursor() as cur:
            cur.execute("SELECT next_cursor, execution_id, event_type FROM ff_poll_subscription('billing', 100)")
            events = cur.fetchall()
            for _, execution_id, event_type in events:
                cur.execute("INSERT INTO invoice VALUES (%s, %s)", (execution_id, event_type))
                written.append(event_type)
                if len(written) == self.crash_after:
                    raise Crash(len(written))
            if events:
                cur.execute("SELECT outcome FROM ff_ack_subscription('billing', %s)", (events[-1][0],))
        self.invoiced += written
        return written

    def wait(self, seconds=5):
        """Until told, or for some seconds: a notification is only a wake-up, and may be missing."""
        if not self.ears.notifies:
            select.select([self.ears], [], [], seconds)
        self.ears.poll()
        self.ears.notifies.clear()

    def run(self, expected):
        """What a service does for ever: look first, then whenever told."""
        while len(self.invoiced) < expected:
            if not self.turn():
                self.wait()


def work_off_orders():
    """The rest of the shop: three orders, one of which cannot be delivered."""
    web, worker = connect("order_web"), connect("order_worker")
    for order, end in ORDERS.items():
        call(web, "SELECT execution_id FROM ff_create_execution('orders', payload => %s)", order.encode())
        (handle,) = call(worker, "SELECT handle FROM ff_claim('orders', 'shop', 'shop-1')")
        if end == "success":
            call(worker, "SELECT outcome FROM ff_complete(%s)", handle)
        else:
            call(worker, "SELECT outcome FROM ff_fail(%s, 'sold out', failure_class => 'permanent')", handle)


def main():
    first = Billing(crash_after=1)
    shop = threading.Thread(target=work_off_orders)
    shop.start()
    try:
        first.run(len(ORDERS))
    except Crash as crash:
        print(f"first billing: {crash} invoice written, then it crashed before the commit")
    first.conn.close()
    shop.join()

    second = Billing()
    second.run(len(ORDERS))
    print(f"second billing: {', '.join(second.invoiced)}")

    third = Billing()
    assert third.turn() == []
    print("third billing: nothing left to do")

    (count,) = call(third.conn, "SELECT count(*) FROM invoice")
    print(f"{count} invoices, one for each order")


if __name__ == "__main__":
    main()
