# shellcheck shell=bash
# Private PostgreSQL servers with this checkout's extension. Source it from bash:
#
#     . "$(dirname "$0")/../scripts/server.sh"
#     ff_trap                                  # everything below disappears when the script ends
#     ff_stage                                 # build, install into a temporary folder
#     ff_server_start main "fsync = off"       # sets PGHOST PGPORT PGUSER PGDATABASE
#     psql -c 'CREATE EXTENSION ffengine CASCADE'
#     ff_server_stop main                      # optional: ff_trap's cleanup stops what is left
#
# Nothing is written to the system's PostgreSQL folders. Servers listen on a Unix socket in their
# own folder and on nothing else, so they cannot clash with other servers. As root, servers run as
# the OS user `postgres` (or `nobody`), whom PostgreSQL and the tests must not have more rights than.
#
# Functions
#   ff_init                 Finds PostgreSQL and makes the work folder. The others call it.
#   ff_trap                 Runs ff_cleanup when the script ends, also on INT, TERM and HUP. Leave it
#                           out (or call `ff_untrap`) for a server that outlives the script; then
#                           the program $FF_STOP stops the server and removes the work folder.
#   ff_stage                Builds and installs into $FF_STAGE, writes $FF_CONF. Does nothing in a
#                           script that was started by one that has done so.
#   ff_server_start NAME [CONF-LINE...]
#                           Starts the server $FF_WORK/NAME, made by initdb when it is new (UTF8,
#                           locale C, superuser postgres, trust), with the lines of $FF_CONF and the
#                           given lines of postgresql.conf, which are kept for later starts. Exports
#                           PGHOST PGPORT PGUSER PGDATABASE; its log is $FF_WORK/NAME/log. fsync is on.
#   ff_server_stop NAME [MODE]
#                           Stops it; MODE as pg_ctl's: fast (default), smart, immediate.
#   ff_as_user CMD ARG...   Runs a program as the servers' OS user, in $FF_WORK. The caller's own
#                           folder may be unreadable for that user: see ff_copy.
#   ff_copy NAME PATH...    Copies files or folders of the checkout, by their paths relative to it,
#                           to $FF_WORK/NAME, owned by the servers' OS user; `.` is all but build products.
#   ff_own_dir PATH         Makes a folder owned by the servers' OS user.
#   ff_run CMD ARG...       Runs a program or function so that INT and TERM end it with all its children.
#   ff_cleanup              Stops every server and process that works below $FF_WORK, removes it.
#
# Variables (set by ff_init, exported, read-only for callers)
#   FF_ROOT    the checkout
#   FF_WORK    the work folder, of a short name since socket paths end at 107 bytes
#   FF_USER    the servers' OS user
#   FF_PGBIN   PostgreSQL's programs; first in PATH as well
#   FF_PGXS_SRC  the folder that holds test/regress/pg_regress and test/perl
#   FF_PG_MAJOR  14 to 18
#   FF_STAGE   the staged installation's root, empty when the server has no setting for one
#   FF_CONF    file with the lines of postgresql.conf that let a server find the extension
#   FF_STOP    program that ends everything below FF_WORK and removes it

FF_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export FF_ROOT
. "$FF_ROOT/scripts/pg.sh"

ff_die() {
	echo "ffengine: $*" >&2
	exit 1
}

ff_init() {
	[ -n "${FF_READY:-}" ] && return
	local tmp

	PG_CONFIG=$(ff_find_pg_config) || ff_die "no PostgreSQL with server headers found: run \`make deps\`"
	export PG_CONFIG
	FF_PGBIN=$("$PG_CONFIG" --bindir)
	FF_PGXS_SRC=$(dirname "$(dirname "$("$PG_CONFIG" --pgxs)")")
	FF_PG_MAJOR=$("$PG_CONFIG" --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/')
	PATH=$FF_PGBIN:$PATH

	FF_USER=$(id -un)
	if [ "$(id -u)" = 0 ]; then
		FF_USER=postgres
		id -u "$FF_USER" >/dev/null 2>&1 || FF_USER=nobody
	fi
	tmp=${TMPDIR:-/tmp}
	if [ ${#tmp} -gt 40 ] || ! (cd / && ff_setpriv test -x "$tmp"); then
		tmp=/tmp
	fi
	FF_WORK=$(mktemp -d "$tmp/ffe.XXXXXX") || ff_die "cannot make a temporary folder in $tmp"
	FF_WORK=$(cd "$FF_WORK" && pwd -P)
	FF_CONF=$FF_WORK/ff.conf
	FF_STOP=$FF_WORK/stop
	export PATH FF_PGBIN FF_PGXS_SRC FF_PG_MAJOR FF_USER FF_WORK FF_CONF FF_STOP
	# The other user may look in, but only root may write what root will read again.
	if [ "$(id -u)" = 0 ]; then
		chgrp "$(id -g "$FF_USER")" "$FF_WORK"
		chmod 0750 "$FF_WORK"
	fi
	FF_READY=yes
	ff_own_dir "$FF_WORK/tmp"
	# A script that another one started after its ff_stage uses that one's installation.
	if [ -n "${FF_STAGED:-}" ]; then
		cat "$FF_STAGED" >"$FF_CONF"
	else
		FF_STAGE=
		: >"$FF_CONF"
	fi
	export FF_STAGE
	{
		echo '#!/bin/bash'
		echo '# Stops every process that works below this folder, then removes the folder.'
		echo "FF_WORK='$FF_WORK'"
		declare -f ff_processes ff_cleanup
		echo ff_cleanup
	} >"$FF_STOP"
	chmod 0755 "$FF_STOP"
}

ff_trap() {
	ff_init
	trap 'ff_end_run; ff_cleanup' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	trap 'exit 129' HUP
}

ff_untrap() {
	trap - EXIT INT TERM HUP
}

ff_setpriv() {
	if [ "$(id -u)" = 0 ]; then
		exec setpriv --reuid="$(id -u "$FF_USER")" --regid="$(id -g "$FF_USER")" --init-groups "$@"
	fi
	exec "$@"
}

ff_as_user() {
	(cd "$FF_WORK" && HOME=$FF_WORK/tmp TMPDIR=$FF_WORK/tmp ff_setpriv "$@")
}

ff_own_dir() {
	mkdir -p "$1"
	if [ "$(id -u)" = 0 ]; then
		chown "$(id -u "$FF_USER"):$(id -g "$FF_USER")" "$1"
	fi
}

ff_copy() {
	local name=$1

	shift
	ff_own_dir "$FF_WORK/$name"
	(cd "$FF_ROOT" && tar -cf - --exclude=./.git --exclude=./build --exclude=./tmp_check \
		--exclude='*.[od]' -- "$@") | ff_as_user tar -xf - --no-same-owner -C "$FF_WORK/$name"
}

# A child that a signal must reach gets a process group of its own; bash runs a trap only after
# the foreground child ended, but at once while it waits for a background one.
ff_run() {
	local rc=0

	set -m
	"$@" </dev/null &
	FF_RUN_PID=$!
	set +m
	wait "$FF_RUN_PID" || rc=$?
	FF_RUN_PID=
	return $rc
}

ff_end_run() {
	[ -n "${FF_RUN_PID:-}" ] && kill -TERM -- "-$FF_RUN_PID" 2>/dev/null
	FF_RUN_PID=
}

# Does this PostgreSQL know the setting? An empty data folder is enough to ask.
ff_knows_setting() {
	local dir=$FF_WORK/tmp/ask

	ff_own_dir "$dir"
	ff_as_user touch "$dir/postgresql.conf"
	ff_as_user "$FF_PGBIN/postgres" -D "$dir" -C "$1" >/dev/null 2>&1
	local rc=$?
	rm -rf "$dir"
	return $rc
}

ff_stage() {
	ff_init
	local stage=$FF_WORK/stage lib share

	[ -n "${FF_STAGED:-}" ] && return
	lib=$("$PG_CONFIG" --pkglibdir)
	share=$("$PG_CONFIG" --sharedir)
	if ff_knows_setting extension_destdir; then
		echo "extension_destdir = '$stage'" >>"$FF_CONF"
	elif ff_knows_setting extension_control_path; then
		echo "extension_control_path = '$stage$share:\$system'" >>"$FF_CONF"
	else
		echo "ffengine: this PostgreSQL knows no setting for a staged extension: installing into" \
			"$lib and $share/extension" >&2
		stage=
	fi
	[ -n "$stage" ] && echo "dynamic_library_path = '$stage$lib:\$libdir'" >>"$FF_CONF"
	chmod 0644 "$FF_CONF"
	# Two scripts in one checkout take turns to build.
	(
		flock 9
		umask 022
		ff_make all && ff_make install DESTDIR="$stage"
	) 9>"$FF_ROOT/.build.lock" >"$FF_WORK/build.log" 2>&1 </dev/null || {
		cat "$FF_WORK/build.log" >&2
		ff_die "the build failed"
	}
	grep -E -A5 'warning:' "$FF_WORK/build.log" >&2 || true
	FF_STAGE=$stage
	EXTENSION_DESTDIR=$stage
	FF_STAGED=$FF_CONF
	export FF_STAGE EXTENSION_DESTDIR FF_STAGED
}

# A make of its own: nothing of the calling make's flags or job server.
ff_make() {
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u DESTDIR \
		make -s -C "$FF_ROOT" --no-print-directory -j"$(nproc)" PG_CONFIG="$PG_CONFIG" "$@"
}

ff_server_start() {
	ff_init
	local dir=$FF_WORK/$1 line

	shift
	ff_own_dir "$dir"
	chmod 0700 "$dir"
	if [ ! -e "$dir/data/PG_VERSION" ]; then
		ff_as_user "$FF_PGBIN/initdb" -D "$dir/data" -U postgres --auth=trust --encoding=UTF8 \
			--locale=C --no-sync >"$FF_WORK/initdb.log" 2>&1 </dev/null || {
			cat "$FF_WORK/initdb.log" >&2
			ff_die "initdb failed"
		}
		{
			echo "listen_addresses = ''"
			echo "port = 5432"
			echo "unix_socket_directories = '$dir'"
			echo "unix_socket_permissions = 0700"
			echo "timezone = 'UTC'"
			echo "log_timezone = 'UTC'"
			echo "log_line_prefix = '%m [%p] %q%a '"
			cat "$FF_CONF"
		} | ff_as_user tee -a "$dir/data/postgresql.conf" >/dev/null
	fi
	for line in "$@"; do
		echo "$line"
	done | ff_as_user tee -a "$dir/data/postgresql.conf" >/dev/null
	ff_as_user "$FF_PGBIN/pg_ctl" -D "$dir/data" -l "$dir/log" -w -s start </dev/null >/dev/null || {
		tail -n 20 "$dir/log" >&2
		ff_die "the server did not start"
	}
	export PGHOST=$dir PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
}

ff_server_stop() {
	ff_as_user "$FF_PGBIN/pg_ctl" -D "$FF_WORK/$1/data" -m "${2:-fast}" -w -s stop </dev/null
}

# The processes whose current folder lies below FF_WORK: ours, whoever their parent is by now.
ff_processes() {
	local link

	for link in /proc/[0-9]*/cwd; do
		case $(readlink "$link" 2>/dev/null) in
		"$FF_WORK" | "$FF_WORK"/*)
			link=${link%/cwd}
			link=${link#/proc/}
			[ "$link" = "$$" ] || [ "$link" = "$BASHPID" ] || echo "$link"
			;;
		esac
	done
}

ff_cleanup() {
	local - file pid round

	set +eu
	[ -n "${FF_WORK:-}" ] && [ -d "$FF_WORK" ] || return 0
	cd /
	# A postmaster takes its children and its shared memory with it.
	find "$FF_WORK" -name postmaster.pid 2>/dev/null | while read -r file; do
		pid=$(head -n 1 "$file" 2>/dev/null)
		case $(readlink "/proc/$pid/cwd" 2>/dev/null) in
		"$FF_WORK"/*) kill -QUIT "$pid" 2>/dev/null ;;
		esac
	done
	for round in $(seq 1 50); do
		pid=$(ff_processes)
		[ -z "$pid" ] && break
		[ "$round" = 10 ] && kill -TERM $pid 2>/dev/null
		[ "$round" = 40 ] && kill -KILL $pid 2>/dev/null
		sleep 0.1
	done
	rm -rf "$FF_WORK"
}
