# shellcheck shell=bash
# The servers that run.sh and profile.sh measure on. Source it after scripts/server.sh.

# bench_server_start NAME [CONF-LINE...]: durability as PostgreSQL ships it, memory enough for the tables,
# and no checkpoint while a measurement runs, since the page images after one would count as WAL of
# whichever side runs then.
bench_server_start() {
	local name=$1

	shift
	ff_server_start "$name" "shared_buffers = 1GB" "max_wal_size = 8GB" "checkpoint_timeout = 1h" \
		"max_connections = 200" "$@"
}
