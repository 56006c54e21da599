#!/bin/bash
# Measures ffengine on servers of its own and prints tables of figures and ratios. `bench/run.sh --help`
# says what is compared and how to run less or more of it:
#
#     make bench                                        all of it, about 30 minutes on 2 cores
#     bench/run.sh --quick                              all of it in small, about 8 minutes
#     bench/run.sh --work cycle --clients 8 --seconds 10
#     bench/run.sh --markdown FILE                      writes the tables as Markdown, too
#     bench/run.sh --sides seed,floor                   without the extension
set -eu

cd "$(dirname "$0")/.."
. scripts/server.sh
. bench/server.sh

case " $* " in
*" --help "* | *" -h "*) exec /usr/bin/python3 bench/measure.py --help ;;
esac
ff_trap
preload=
case "$*" in
*--sides*ffengine*) preload=ffengine ;;
*--sides*) ;;
*) preload=ffengine ;;
esac
if [ -n "$preload" ]; then
	ff_stage
	bench_server_start plain
	export BENCH_PLAIN=$PGHOST
fi
bench_server_start bench "shared_preload_libraries = '$preload'"
ff_run /usr/bin/python3 bench/measure.py "$@" || exit
