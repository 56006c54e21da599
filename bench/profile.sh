#!/bin/bash
# Shows where the time of one cycle goes, at 1 client on a server of its own: the backend's top
# symbols by perf, if that is installed, then every statement, those inside functions too, by
# pg_stat_statements, per cycle. Two runs, so that neither disturbs the other.
#
#     bench/profile.sh [cycle|resume [ffengine|seed|floor [SECONDS]]]    (seed: as tuned, see measure.py)
set -eu

cd "$(dirname "$0")/.."
. scripts/server.sh
. bench/server.sh

work=${1:-cycle} side=${2:-ffengine} seconds=${3:-10}
now=$(date +%s000)
symbols=40
[ "$side" != seed ] || export PGOPTIONS="-c search_path=seed -c enable_seqscan=off -c jit=off"

drive() {
	pgbench -n -M prepared -c 1 -T "$seconds" -D now="$now" -D expires="$now" -D tuned=1 \
		-f "bench/sql/${side}_$work.sql"
}

record() {
	local pid

	sleep 1
	pid=$(psql -XqAt -c "SELECT pid FROM pg_stat_activity WHERE application_name = 'pgbench'")
	# A virtual machine may have no cycle counter; the clock is good enough for a list of symbols.
	perf record -q -e cpu-clock -F 2000 -p "$pid" -o "$FF_WORK/tmp/perf.data" -- sleep "$((seconds - 2))"
}

ff_trap
preload=pg_stat_statements
if [ "$side" = ffengine ]; then
	ff_stage
	preload=ffengine,pg_stat_statements
fi
bench_server_start bench "shared_preload_libraries = '$preload'" "pg_stat_statements.track = none"
createdb bench
export PGDATABASE=bench
psql -Xq -c 'CREATE EXTENSION pg_stat_statements SCHEMA public'
psql -Xq -v tuned=1 -f "bench/sql/${side}_schema.sql" >/dev/null
psql -Xq -v waiting=300000 -f "bench/sql/${side}_fill.sql"

if command -v perf >/dev/null; then
	drive >"$FF_WORK/tmp/drive.out" &
	record || echo "perf cannot record here" >&2
	wait "$!"
	grep -E 'latency|tps' "$FF_WORK/tmp/drive.out"
	if [ -s "$FF_WORK/tmp/perf.data" ]; then
		perf report -i "$FF_WORK/tmp/perf.data" --stdio --no-children --sort dso,symbol 2>/dev/null |
			grep -v '^#' | grep . | head -n "$symbols"
	fi
fi

psql -Xq -v waiting=300000 -f "bench/sql/${side}_fill.sql"
PGOPTIONS="${PGOPTIONS:-} -c pg_stat_statements.track=all" drive >"$FF_WORK/tmp/drive.out"
cycles=$(sed -n 's/.*actually processed: \([0-9]*\).*/\1/p' "$FF_WORK/tmp/drive.out")
grep -E 'latency|tps' "$FF_WORK/tmp/drive.out"
psql -Xq -P pager=off -v cycles="$cycles" -f bench/sql/profile.sql
