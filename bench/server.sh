# shellcheck shell=bash
# The server that run.sh and profile.sh measure on. Source it after scripts/server.sh.

# bench_server_start [CONF-LINE...]: durability as PostgreSQL ships it, memory enough for the tables,
# and no checkpoint while a measurement runs, since the page images after one would count as WAL of
# whichever side runs then.
bench_server_start() {
	bench_start bench "$@"
}

# bench_preloaded_start: one more server, where ffengine is preloaded; sets BENCH_PRELOADED, its PGHOST.
bench_preloaded_start() {
	bench_start preloaded "shared_preload_libraries = 'ffengine'"
	export BENCH_PRELOADED=$PGHOST
}

bench_start() {
	local name=$1

	shift
	ff_server_start "$name" "shared_buffers = 1GB" "max_wal_size = 8GB" "checkpoint_timeout = 1h" \
		"max_connections = 200" "$@"
	createdb bench
	export PGDATABASE=bench
}
