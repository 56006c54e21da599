#!/bin/bash
# Runs an approval workflow with real client processes against a private server.
#
# Called by `make quickstart`; builds the extension if that was not done. The server stays up at
# the end, so that you can look around; with QUICKSTART_STOP=1 it is stopped and removed. Exits
# non-zero when anything did not happen as told, so it is a test as well.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=/usr/bin/python3 # Debian's, which has psycopg2
# shellcheck source=scripts/server.sh
. "$here/../../scripts/server.sh"

#
# Telling and checking
#

number=0
step() {
	number=$((number + 1))
	printf '%2d. %s\n' "$number" "$*"
}

fail() {
	echo "quickstart: $*" >&2
	exit 1
}

# expect WHAT WANTED FOUND
expect() {
	[ "$2" = "$3" ] || fail "$1: expected '$2', found '$3'"
}

# One value, asked as the superuser.
ask() {
	psql -XqAt -v ON_ERROR_STOP=1 -c "$1"
}

# A client's output goes to its own log; show prints what was added since it was last shown.
declare -A shown
show() {
	local from=$((${shown[$1]:-0} + 1)) to

	to=$(wc -l <"$dir/$1.log")
	sed -n "${from},${to}s/^/      $1 | /p" "$dir/$1.log"
	shown[$1]=$to
}

# Wait at most 15 s until a worker has written a line that begins with a word, then show its log.
await() {
	local tries=0

	until grep -q "^$2" "$dir/$1.log" 2>/dev/null; do
		tries=$((tries + 1))
		if [ "$tries" -gt 150 ]; then
			show "$1"
			fail "$1 did not write a line '$2...'"
		fi
		sleep 0.1
	done
	show "$1"
}

# Run a client to its end: client NAME ROLE PROGRAM ARGUMENT...
client() {
	local name=$1 role=$2 code=0

	shift 2
	PGUSER=$role "$python" "$@" >"$dir/$name.log" 2>&1 || code=$?
	show "$name"
	[ "$code" = 0 ] || fail "$name ended with exit code $code"
}

# Start a worker in the background; its process id is in $worker_pid.
start_worker() {
	local name=$1

	shift
	PGUSER=expense_worker "$python" "$here/worker.py" --instance "$name" --outbox "$dir/tokens" \
		"$@" >"$dir/$name.log" 2>&1 &
	worker_pid=$!
}

# Until the story has been told, nothing outlives this script.
clean_up() {
	local code=$?

	set +e
	[ -z "${worker_pid:-}" ] || kill "$worker_pid" 2>/dev/null
	if [ "$code" != 0 ] && [ -s "$FF_WORK/server/log" ]; then
		echo "quickstart: the server's log ends with:" >&2
		tail -n 20 "$FF_WORK/server/log" >&2
	fi
	ff_cleanup
}

#
# The workflow
#

ff_trap
trap clean_up EXIT

ff_stage
ff_server_start server "shared_preload_libraries = 'ffengine'"
dir=$FF_WORK/clients
mkdir -m 700 "$dir" "$dir/tokens"
step "Started a private PostgreSQL $(ask 'SHOW server_version') in $PGHOST, OS user $FF_USER."

ask 'CREATE DATABASE quickstart'
export PGDATABASE=quickstart
psql -Xq -v ON_ERROR_STOP=1 -f "$here/setup.sql" >"$dir/setup.log"
step "Installed ffengine $(ask "SELECT extversion FROM pg_extension WHERE extname = 'ffengine'")," \
	"seeded a signing key, made three roles."
show setup

step "The web application submits an expense report."
client submit expense_web "$here/submit.py" --report E-1001 --employee dana --amount 1840.00
execution_id=$(sed -n 's/^created //p' "$dir/submit.log")
[ -n "$execution_id" ] || fail "the report was not created"

step "Worker 1 claims it and suspends it until two approvers and finance have signalled."
start_worker worker-1
await worker-1 'suspended:'
expect "state after the suspension" suspended \
	"$(ask "SELECT public_state FROM ff_executions WHERE execution_id = '$execution_id'")"

step "Alice tries a forged token, then approves with the genuine one."
client alice expense_hook "$here/deliver.py" --token-file "$dir/tokens/approval.json" \
	--signal approved --source user:alice --payload '{"note":"fine with me"}' --tamper
grep -q '^forged token refused: ZV008' "$dir/alice.log" || fail "the forged token was not refused"
grep -q '^approved: accepted, appended_to_waitpoint, counted' "$dir/alice.log" ||
	fail "Alice's approval was not counted"

kill -KILL "$worker_pid"
code=0
wait "$worker_pid" 2>/dev/null || code=$?
expect "exit code of worker 1" 137 "$code"
worker_pid=
expect "what the database holds" 'suspended 1' "$(ask "SELECT public_state, signals_received
	FROM ff_executions JOIN ff_suspensions USING (execution_id)
	WHERE execution_id = '$execution_id'" | tr '|' ' ')"
step "Worker 1 was killed with SIGKILL while it waited. The report is still suspended, with one approval."

step "The finance system books it. One approval is still missing."
client finance expense_hook "$here/deliver.py" --token-file "$dir/tokens/finance.json" \
	--signal booked --source system:finance --payload '{"booking":"B-2041"}'
grep -q '^booked: accepted, appended_to_waitpoint, counted' "$dir/finance.log" ||
	fail "the booking was not counted"

step "Worker 2 starts. It knows nothing of the report, and nothing can be claimed yet."
start_worker worker-2 --until-completed
await worker-2 waiting

step "Bob approves, and sends the same signal again."
client bob expense_hook "$here/deliver.py" --token-file "$dir/tokens/approval.json" \
	--signal approved --source user:bob --payload '{"note":"ok"}' --times 2
expect "Bob's first delivery" 'approved: accepted, resume_condition_satisfied, counted' \
	"$(sed -n 1p "$dir/bob.log")"
expect "Bob's second delivery" 'approved: duplicate, resume_condition_satisfied, counted' \
	"$(sed -n 2p "$dir/bob.log")"

step "Worker 2 has claimed the resumed report: the same attempt, under a new lease."
await worker-2 completed:
wait "$worker_pid" || fail "worker 2 ended with exit code $?"
worker_pid=
grep -q "^claimed $execution_id: claim_kind resumed, attempt 0," "$dir/worker-2.log" ||
	fail "worker 2 did not continue attempt 0"

expect "the end" 'completed|1|3' "$(ask "SELECT public_state, total_attempt_count,
	(SELECT count(*) FROM ff_signal WHERE execution_id = execution_uuid)
	FROM ff_executions WHERE execution_id = '$execution_id'")"
expect "the result" '{"report": "E-1001", "approved_by": ["alice", "bob"], "booking": "B-2041"}' \
	"$(ask "SELECT convert_from(result, 'UTF8') FROM ff_exec_core
		WHERE execution_id = ff_execution_uuid('$execution_id')")"
# What is due by the clock nobody need call for.
late=$(ask "SELECT execution_id FROM ff_create_execution('late')")
timeout_at=$(ask "SELECT clock_timestamp() + interval '1 second'")
ask "SELECT FROM ff_claim('late', 'demo', 'demo-1') c,
	ff_suspend(c.handle, ff_when('approval'), timeout_at => '$timeout_at', timeout_behavior => 'expire')"
step "Another report is suspended for one second. Nobody signals, and nobody calls."
tries=0
until [ "$(ask "SELECT public_state FROM ff_executions WHERE execution_id = '$late'")" = expired ]; do
	tries=$((tries + 1))
	[ "$tries" -le 100 ] || fail "the background worker did not end $late"
	sleep 0.1
done
step "The background worker has ended it as expired," \
	"$(ask "SELECT round(extract(epoch FROM completed_at - '$timeout_at') * 1000)
		FROM ff_executions WHERE execution_id = '$late'") ms after its time."

step "The history of $execution_id, the first report, which is completed:"
echo
psql -Xq -v ON_ERROR_STOP=1 -v execution_id="$execution_id" -f "$here/history.sql"

[ "${QUICKSTART_STOP:-0}" = 1 ] && exit
ff_untrap
cat <<END
The server is still running. To look around:

    $FF_PGBIN/psql -h $PGHOST -U $PGUSER $PGDATABASE

To stop it and remove its folder:

    $FF_STOP
END
