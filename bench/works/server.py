"""The servers under measurement, found by PGHOST and BENCH_PLAIN: databases that exist for one measurement."""

import json
import os
import pathlib
import subprocess
import sys

import psycopg2

SCRIPTS = pathlib.Path(__file__).resolve().parent.parent / "sql"
SETTINGS = ("shared_buffers", "max_wal_size", "checkpoint_timeout", "fsync", "synchronous_commit",
            "full_page_writes", "wal_compression", "wal_level", "autovacuum", "max_connections",
            "shared_preload_libraries", "jit")


class Failed(Exception):
    """A measurement that did not do what it is said to measure."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def hosts():
    """Where ffengine is preloaded, as users are told to, and where it is not."""
    return {"preloaded": os.environ["PGHOST"], "not preloaded": os.environ["BENCH_PLAIN"]}


class Database:
    """A new database, dropped at the end of the `with` block, so that no work finds the dead rows of another.

    A checkpoint comes first: what a work writes into tables of its own needs no page images then."""

    def __init__(self, name="bench", host=None):
        self.name = name
        self.host = host or os.environ["PGHOST"]

    def __enter__(self):
        self.administer("CHECKPOINT", f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)',
                        f'CREATE DATABASE "{self.name}"')
        return self

    def __exit__(self, *_):
        self.administer(f'DROP DATABASE "{self.name}" WITH (FORCE)')

    def administer(self, *statements):
        conn = self.connect("postgres")
        for statement in statements:
            conn.cursor().execute(statement)
        conn.close()

    def connect(self, name=None):
        conn = psycopg2.connect(host=self.host, dbname=name or self.name)
        conn.autocommit = True
        return conn

    def value(self, text):
        """The first column of the first row."""
        return self.row(text)[0]

    def row(self, text):
        conn = self.connect()
        try:
            cur = conn.cursor()
            cur.execute(text)
            return cur.fetchone()
        finally:
            conn.close()

    def environment(self, settings=None):
        options = " ".join(f"-c {name}={value}" for name, value in (settings or {}).items())
        return {**os.environ, "PGHOST": self.host, "PGDATABASE": self.name, "PGOPTIONS": options}

    def psql(self, script, variables=None, settings=None):
        """Runs a script of SCRIPTS, gives what it prints."""
        command = ["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-f", str(SCRIPTS / f"{script}.sql")]
        for name, value in (variables or {}).items():
            command += ["-v", f"{name}={value}"]
        done = subprocess.run(command, env=self.environment(settings), capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"{script}.sql: {done.stderr.strip()}")
        return done.stdout.strip()


def conditions():
    """What everything was measured on."""
    postgres = Database("postgres")
    names = ", ".join(f"'{name}'" for name in SETTINGS)
    settings = postgres.value("SELECT json_object_agg(name, current_setting(name))::text FROM pg_settings"
                              f" WHERE name IN ({names})")
    kind = subprocess.run(["stat", "-f", "-c", "%T", postgres.value("SHOW data_directory")], capture_output=True,
                          text=True)
    return {"server": postgres.value("SELECT version()"), "cores": len(os.sched_getaffinity(0)),
            "filesystem": kind.stdout.strip(), "settings": json.loads(settings)}
