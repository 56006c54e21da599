#!/bin/bash
# Measures ffengine on a server of its own and prints one table of ratios. `bench/run.sh --help`
# says what is compared and how to run less or more of it:
#
#     make bench                                        all of it, under 6 minutes
#     bench/run.sh --work cycle --clients 8 --seconds 10
#     bench/run.sh --sides seed,floor                   without the extension
set -eu

cd "$(dirname "$0")/.."
. scripts/server.sh
. bench/server.sh

if [ "${1:-}" = --help ]; then
	exec /usr/bin/python3 bench/measure.py --help
fi
ff_trap
case "$*" in
*--sides*ffengine*) ff_stage && bench_preloaded_start ;;
*--sides*) ;;
*) ff_stage && bench_preloaded_start ;;
esac
# shellcheck disable=SC2119
bench_server_start
ff_run /usr/bin/python3 bench/measure.py "$@" || exit
