# shellcheck shell=bash
# Which PostgreSQL to build for. Source it from bash.

# ff_find_pg_config: prints the path of a pg_config whose server and extension headers are there:
# the one PG_CONFIG names, or else the first in PATH, or else the newest of Debian's. False if none.
ff_find_pg_config() {
	local candidate pgxs candidates=${PG_CONFIG:-pg_config}

	[ "$candidates" = pg_config ] &&
		candidates="pg_config $(ls -d /usr/lib/postgresql/*/bin/pg_config 2>/dev/null | sort -t/ -k5 -rV)"
	for candidate in $candidates; do
		candidate=$(command -v "$candidate") || continue
		pgxs=$("$candidate" --pgxs 2>/dev/null) || continue
		if [ -f "$pgxs" ] && [ -x "$("$candidate" --bindir)/postgres" ]; then
			echo "$candidate"
			return 0
		fi
	done
	return 1
}

# ff_find_clang: prints the name of a clang, whatever its version. False if there is none.
ff_find_clang() {
	command -v clang && return
	compgen -c clang- | grep -E '^clang-[0-9]+$' | sort -t- -k2 -rn | head -n 1 | grep .
}
