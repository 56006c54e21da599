"""Sessions beside the one that measures."""

import threading

import psycopg2


class Crew:
    """Threads that each repeat a task until the block ends; what they wait in is cancelled."""

    def __init__(self, db, count, task):
        self.conns = [db.connect() for _ in range(count)]
        self.stopped = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(conn, task)) for conn in self.conns]

    def run(self, conn, task):
        cur = conn.cursor()
        try:
            while not self.stopped.is_set():
                task(cur)
        except psycopg2.errors.QueryCanceled:
            pass

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for conn, thread in zip(self.conns, self.threads):
            while thread.is_alive():  # it may just be between two calls
                conn.cancel()
                thread.join(0.1)
            conn.close()
