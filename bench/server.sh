# shellcheck shell=bash
# The server that run.sh and profile.sh measure on. Source it after scripts/server.sh.

# bench_server_start [CONF-LINE...]: durability as PostgreSQL ships it, memory enough for the tables,
# and no checkpoint while a measurement runs, since the page images after one would count as WAL of
# whichever side runs then.
bench_server_start() {
	ff_server_start bench "shared_buffers = 1GB" "max_wal_size = 8GB" "checkpoint_timeout = 1h" "$@"
	createdb bench
	export PGDATABASE=bench
}
