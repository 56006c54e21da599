# ffengine: durable executions in PostgreSQL.
#
#   make deps         what the rest needs: installs Debian packages as root, else says how to
#   make              builds the module
#   make install      installs it, PGXS's way: PG_CONFIG=..., DESTDIR=...
#   make installcheck runs the regress and isolation tests against a running, installed server
#   make check        runs every test on private servers, installs nothing;
#                     TESTS="sql/handles isolation/claim t/010_fuzz.pl examples/psql" runs just these
#   make quickstart   starts a private server and runs a workflow on it
#   make bench        measures for about 30 minutes, prints tables of ratios; BENCH="--quick" is shorter,
#                     BENCH="--work cycle,held --rounds 5" is a part, bench/run.sh --help tells the rest
#   make dist         the PGXN archive
#   make clean

EXTENSION = ffengine
# PGXN wants three numbers.
FF_VERSION := $(shell sed -n 's/^  "version": "\(.*\)",/\1/p' META.json)

MODULE_big = $(EXTENSION)
PGFILEDESC = "ffengine - durable executions"
SRCS := $(sort $(wildcard src/*.c src/base/*.c src/engine/*.c src/api/*.c src/background/*.c))
OBJS = $(SRCS:.c=.o)
DATA = $(sort $(wildcard $(EXTENSION)--*.sql))

WARNINGS = -Wall -Wextra -Wno-unused-parameter -Wmissing-prototypes
PG_CPPFLAGS = -Isrc -DFF_VERSION='"$(FF_VERSION)"'
PG_CFLAGS = $(WARNINGS) -MMD -MP
# Bitcode for the JIT compiler would need the clang that built the server, to inline nothing:
# these functions spend their time in the executor.
override with_llvm = no

EXTRA_CLEAN = $(SRCS:.c=.d) build tmp_check output_iso results regression.diffs regression.out \
	.build.lock $(wildcard $(EXTENSION)-*.zip)

# A schedule orders the tests it names; those it doesn't name come after it. Without one, the
# test that creates the extension is first.
SCHEDULE := $(wildcard sql/schedule)
SCHEDULED := $(if $(SCHEDULE),$(shell sed -n 's/^ *test: *//p' $(SCHEDULE)))
SQL_TESTS := $(sort $(basename $(notdir $(wildcard sql/*.sql))))
REGRESS = $(filter-out $(SCHEDULED),\
	$(if $(SCHEDULE),,$(filter install,$(SQL_TESTS))) \
	$(if $(SCHEDULE),$(SQL_TESTS),$(filter-out install,$(SQL_TESTS))))
# In place of the time zone and styles that pg_regress sets for PostgreSQL's own tests.
LAUNCHER = --launcher='env PGTZ=UTC PGDATESTYLE=ISO PGOPTIONS=-cintervalstyle=postgres'
REGRESS_OPTS = $(LAUNCHER) $(if $(SCHEDULE),--schedule=$(SCHEDULE))
ISOLATION = $(sort $(basename $(notdir $(wildcard isolation/specs/*.spec))))
ISOLATION_OPTS = $(LAUNCHER) --inputdir=isolation
NO_LOCALE = 1
ENCODING = UTF8

PG_CONFIG ?= pg_config
export PG_CONFIG

# PGXS has a `check` that only refuses, and is not there before `deps` ran. So the goals below are
# ours and leave PGXS out, and a command line that mixes both kinds is run goal by goal.
OWN_GOALS = deps check quickstart bench dist
GOALS := $(or $(MAKECMDGOALS),all)
.DEFAULT_GOAL = all

ifeq ($(filter $(OWN_GOALS),$(GOALS)),)

PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifneq ($(wildcard $(PGXS)),)
include $(PGXS)
-include $(SRCS:.c=.d)

# What `check` compiles with each compiler: the build's own flags, every warning an error. The
# server's headers are not ours to clean up. clang is told of flags that only gcc has.
WERROR_FLAGS = $(CFLAGS) $(subst -I$(includedir_server),-isystem $(includedir_server),$(CPPFLAGS)) -Werror
WERROR_CLANG = clang
build/gcc/%.o: %.c
	@mkdir -p $(@D)
	gcc $(WERROR_FLAGS) -c -o $@ $<
build/clang/%.o: %.c
	@mkdir -p $(@D)
	$(WERROR_CLANG) $(WERROR_FLAGS) -Wno-unknown-warning-option -Wno-ignored-optimization-argument -c -o $@ $<

.PHONY: werror-gcc werror-clang
werror-gcc: $(OBJS:%=build/gcc/%)
werror-clang: $(OBJS:%=build/clang/%)
-include $(SRCS:%.c=build/gcc/%.d) $(SRCS:%.c=build/clang/%.d)

else

all install installcheck:
	@echo "PostgreSQL's extension build files are missing: run 'make deps'" >&2
	@exit 1
clean:
	rm -rf $(OBJS) $(EXTENSION).so $(EXTRA_CLEAN)

endif

else ifneq ($(filter-out $(OWN_GOALS),$(GOALS)),)

.NOTPARALLEL:
.PHONY: $(GOALS)
$(GOALS):
	@$(MAKE) --no-print-directory $@

else

.PHONY: $(OWN_GOALS)

deps:
	@scripts/deps

check:
	@scripts/check $(TESTS)

quickstart: deps
	@bash examples/quickstart/run.sh

bench: deps
	@bash bench/run.sh $(BENCH)

dist:
	git archive --format=zip --prefix=$(EXTENSION)-$(FF_VERSION)/ -o $(EXTENSION)-$(FF_VERSION).zip HEAD

endif
