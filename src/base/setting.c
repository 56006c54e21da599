/*
 * setting.c - the settings, prefix ffengine.
 *
 * Every setting is listed here once, with its range and what it does; SHOW,
 * pg_settings and SET read it from here. Limits and defaults are for a
 * superuser to set, so that no client role lifts its own.
 */
#include "base/setting.h"

#include <limits.h>

#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/varlena.h"

#include "base/clock.h"
#include "base/id.h"

#define PREFIX "ffengine"

int64		ff_test_now_ms = 0;
int			ff_notify_mode;
int			ff_notify_delay_ms;
bool		ff_notify_streams;
char	   *ff_instance_tag_key;
int			ff_default_lease_ttl_ms;
int			ff_max_lease_ttl_ms;
int			ff_default_grant_ttl_ms;
int			ff_max_grant_ttl_ms;
int			ff_reclaim_hold_ms;
int			ff_default_max_retries;
int			ff_default_backoff_initial_ms;
int			ff_default_backoff_max_ms;
double		ff_default_backoff_multiplier;
int			ff_default_max_reclaims;
int			ff_default_max_replays;
int			ff_default_max_signals;
int			ff_max_payload_size;
int			ff_max_signal_payload_size;
int			ff_max_frame_size;
int			ff_max_summary_size;
int			ff_stream_maxlen;
int			ff_execution_dedup_window_s;
int			ff_signal_dedup_window_s;
int			ff_usage_dedup_window_s;
int			ff_suspend_dedup_max_s;
int			ff_hmac_grace_s;
int			ff_max_flow_members;
int			ff_max_flow_edges;
int			ff_cancel_flow_inline_max;
int			ff_cancel_grace_ms;
int			ff_retention_s;
double		ff_outbox_retention_ms;
double		ff_outbox_max_retention_ms;
int			ff_dependency_stale_ms;
char	   *ff_databases;
bool		ff_worker_enabled;
int			ff_launcher_naptime_ms;
int			ff_max_databases;
int			ff_batch_target_ms;

/* What SHOW ffengine.test_now_ms says; ff_test_now_ms is its value. */
static char *test_now_text;

typedef struct IntSetting
{
	const char *name;			/* after the prefix */
	int		   *variable;
	int			value;
	int			min;
	int			max;
	GucContext	context;
	int			unit;			/* GUC_UNIT_* of the numbers here, 0 for none */
	const char *what;
	const char *more;			/* NULL: nothing to add */
} IntSetting;

typedef struct RealSetting
{
	const char *name;
	double	   *variable;
	double		value;
	double		min;
	double		max;
	int			unit;
	const char *what;
	const char *more;
} RealSetting;

#define SECOND 1000				/* in milliseconds */
#define HOUR_S 3600				/* in seconds */
#define DAY_S (24 * HOUR_S)
#define DAY_MS (DAY_S * SECOND)
#define KB 1024
#define MB (1024 * KB)

/* clang-format off */
static const IntSetting int_settings[] = {
	{"notify_delay", &ff_notify_delay_ms, 10, 1, SECOND, PGC_SIGHUP, GUC_UNIT_MS,
		"Least time between two notifications of one channel by the background worker.",
		"Events that come in between share the next one."},
	{"default_lease_ttl", &ff_default_lease_ttl_ms, 30 * SECOND, 1, DAY_MS, PGC_SUSET, GUC_UNIT_MS,
		"How long a lease runs when the claim does not say.", NULL},
	{"max_lease_ttl", &ff_max_lease_ttl_ms, DAY_MS, SECOND, INT_MAX, PGC_SUSET, GUC_UNIT_MS,
		"The longest lease that a claim or renewal may ask for.", NULL},
	{"default_grant_ttl", &ff_default_grant_ttl_ms, 5 * SECOND, 1, 60 * SECOND, PGC_SUSET, GUC_UNIT_MS,
		"How long a claim grant is good when its issuer does not say.", NULL},
	{"max_grant_ttl", &ff_max_grant_ttl_ms, 60 * SECOND, SECOND, HOUR_S * SECOND, PGC_SUSET, GUC_UNIT_MS,
		"The longest claim grant that may be asked for.", NULL},
	{"reclaim_hold", &ff_reclaim_hold_ms, 0, 0, DAY_MS, PGC_SUSET, GUC_UNIT_MS,
		"How long an execution whose lease was lost is kept for an explicit reclaim.",
		"With 0 it goes back to the queue at once. A policy's reclaim_hold_ms goes before it."},
	{"default_max_retries", &ff_default_max_retries, 3, 0, 10000, PGC_SUSET, 0,
		"Retries of an execution whose policy does not say.", NULL},
	{"default_backoff_initial", &ff_default_backoff_initial_ms, SECOND, 0, DAY_MS, PGC_SUSET, GUC_UNIT_MS,
		"Delay before the first retry when the policy does not say.",
		"Every further delay is the last one times default_backoff_multiplier, up to default_backoff_max."},
	{"default_backoff_max", &ff_default_backoff_max_ms, 60 * SECOND, 0, DAY_MS, PGC_SUSET, GUC_UNIT_MS,
		"The longest delay before a retry when the policy does not say.", NULL},
	{"default_max_reclaims", &ff_default_max_reclaims, 1000, 0, 1000000, PGC_SUSET, 0,
		"How often work is taken over after a lost lease before the execution fails.",
		"A policy's max_reclaim_count goes before it."},
	{"default_max_replays", &ff_default_max_replays, 10, 0, 1000000, PGC_SUSET, 0,
		"How often an ended execution may be replayed.",
		"A policy's max_replay_count goes before it."},
	{"default_max_signals", &ff_default_max_signals, 10000, 0, 10000000, PGC_SUSET, 0,
		"How many signals an execution accepts; 0 for any number.",
		"A policy's max_signals_per_execution goes before it."},
	{"max_payload_size", &ff_max_payload_size, MB, KB, 512 * MB, PGC_SUSET, GUC_UNIT_BYTE,
		"The largest payload or result of an execution.", NULL},
	{"max_signal_payload_size", &ff_max_signal_payload_size, 64 * KB, KB, 16 * MB, PGC_SUSET, GUC_UNIT_BYTE,
		"The largest payload of one signal.", NULL},
	{"max_frame_size", &ff_max_frame_size, 64 * KB, KB, 16 * MB, PGC_SUSET, GUC_UNIT_BYTE,
		"The largest frame of a stream.", NULL},
	{"max_summary_size", &ff_max_summary_size, MB, KB, 16 * MB, PGC_SUSET, GUC_UNIT_BYTE,
		"The largest summary document of a stream.", NULL},
	{"stream_maxlen", &ff_stream_maxlen, 10000, 1, 10000000, PGC_SUSET, 0,
		"How many durable frames of an attempt's stream are kept.",
		"A stream policy's retention_maxlen goes before it."},
	{"execution_dedup_window", &ff_execution_dedup_window_s, DAY_S, 0, INT_MAX, PGC_SUSET, GUC_UNIT_S,
		"How long an idempotency key finds the execution it created.", NULL},
	{"signal_dedup_window", &ff_signal_dedup_window_s, DAY_S, 0, INT_MAX, PGC_SUSET, GUC_UNIT_S,
		"How long an idempotency key finds the signal it delivered.", NULL},
	{"usage_dedup_window", &ff_usage_dedup_window_s, DAY_S, 0, INT_MAX, PGC_SUSET, GUC_UNIT_S,
		"How long the key of a usage report keeps it from being counted twice.", NULL},
	{"suspend_dedup_max", &ff_suspend_dedup_max_s, 7 * DAY_S, 60, INT_MAX, PGC_SUSET, GUC_UNIT_S,
		"How long an idempotency key finds the suspension it made.",
		"With a timeout: until a minute after it, if that is sooner."},
	{"hmac_grace", &ff_hmac_grace_s, DAY_S, 0, INT_MAX, PGC_SUSET, GUC_UNIT_S,
		"How long a retired key still verifies tokens when the rotation does not say.", NULL},
	{"max_flow_members", &ff_max_flow_members, 100000, 1, 10000000, PGC_SUSET, 0,
		"How many executions a flow may have.", NULL},
	{"max_flow_edges", &ff_max_flow_edges, 500000, 1, 10000000, PGC_SUSET, 0,
		"How many dependency edges a flow may have.", NULL},
	{"cancel_flow_inline_max", &ff_cancel_flow_inline_max, 10000, 1, 1000000, PGC_SUSET, 0,
		"How many members a cancelled flow cancels within the call.",
		"The reconciler cancel_backlog does the rest."},
	{"cancel_grace", &ff_cancel_grace_ms, 30 * SECOND, 0, DAY_MS, PGC_SUSET, GUC_UNIT_MS,
		"How long the rest of a cancelled flow is left to its canceller.",
		"After that the reconciler cancel_backlog takes it over."},
	{"retention", &ff_retention_s, DAY_S, 0, INT_MAX, PGC_SUSET, GUC_UNIT_S,
		"How long an ended execution is kept; 0 for ever.", NULL},
	{"dependency_stale", &ff_dependency_stale_ms, SECOND, 0, HOUR_S * SECOND, PGC_SUSET, GUC_UNIT_MS,
		"Age at which the reconciler takes a completion that nobody dispatched.", NULL},
	{"launcher_naptime", &ff_launcher_naptime_ms, 60 * SECOND, SECOND, HOUR_S * SECOND, PGC_SIGHUP, GUC_UNIT_MS,
		"How often the launcher looks for databases that have the extension.", NULL},
	{"max_databases", &ff_max_databases, 16, 1, 1000, PGC_POSTMASTER, 0,
		"How many databases have state in shared memory.",
		"One more works as if the library were not preloaded."},
	{"batch_target", &ff_batch_target_ms, 50, 1, 10 * SECOND, PGC_SIGHUP, GUC_UNIT_MS,
		"The time that one transaction of a reconciler aims at.", NULL},
};

static const RealSetting real_settings[] = {
	{"default_backoff_multiplier", &ff_default_backoff_multiplier, 2.0, 1.0, 100.0, 0,
		"What a retry's delay is multiplied by for the next when the policy does not say.", NULL},
	{"outbox_retention_ms", &ff_outbox_retention_ms, 7.0 * DAY_MS, 0.0, 3650.0 * DAY_MS, GUC_UNIT_MS,
		"How long event rows are kept; 0 for ever.",
		"Longer where a durable subscription has not acknowledged them, and a completion "
		"until it was dispatched."},
	{"outbox_max_retention_ms", &ff_outbox_max_retention_ms, 0.0, 0.0, 3650.0 * DAY_MS, GUC_UNIT_MS,
		"How long event rows are kept for a durable subscription that does not acknowledge them; 0 for ever.", NULL},
};

static const struct config_enum_entry notify_modes[] = {
	{"background", FF_NOTIFY_BACKGROUND, false},
	{"transactional", FF_NOTIFY_TRANSACTIONAL, false},
	{"off", FF_NOTIFY_OFF, false},
	{NULL, 0, false}
};
/* clang-format on */

static bool
check_test_now(char **value, void **extra, GucSource source)
{
	size_t		digits = strspn(*value, "0123456789");
	int64		ms = 0;

	if (digits == 0 || (*value)[digits] != '\0')
	{
		GUC_check_errdetail("It takes decimal digits: milliseconds since 1970, or 0 for the real clock.");
		return false;
	}
	for (const char *c = *value; *c && ms <= FF_MAX_INSTANT_MS; c++)
		ms = ms * 10 + (*c - '0');
	if (ms > FF_MAX_INSTANT_MS)
	{
		GUC_check_errdetail("It is at most " INT64_FORMAT ", the end of the year 9999.",
							FF_MAX_INSTANT_MS);
		return false;
	}
	return true;
}

/* The text has passed check_test_now. */
static void
assign_test_now(const char *value, void *extra)
{
	ff_test_now_ms = (int64) strtoull(value, NULL, 10);
}

static bool
check_instance_tag_key(char **value, void **extra, GucSource source)
{
	if (**value == '\0' || ff_tag_key_is_valid(*value))
		return true;
	GUC_check_errdetail("It is empty or a tag key: lower-case letters, digits and underscores, "
						"a dot among them, at most 128 bytes.");
	return false;
}

static bool
check_databases(char **value, void **extra, GucSource source)
{
	char	   *names = pstrdup(*value);
	List	   *list;
	bool		valid = SplitGUCList(names, ',', &list);

	if (!valid)
		GUC_check_errdetail("It is a list of database names, separated by commas.");
	list_free(list);
	pfree(names);
	return valid;
}

/*
 * The context that a setting can be defined with. One that is fixed at server
 * start can only come to be while the server starts, so a session that loads
 * the library later gets it as a server file's: SHOW and the file work, nobody
 * can SET it, and nothing reads it, for without preload there is no shared
 * memory that it could size.
 */
static GucContext
definable(GucContext context)
{
	if (context == PGC_POSTMASTER && !process_shared_preload_libraries_in_progress)
		return PGC_SIGHUP;
	return context;
}

static void
define_numbers(void)
{
	for (int i = 0; i < (int) lengthof(int_settings); i++)
	{
		const IntSetting *s = &int_settings[i];

		DefineCustomIntVariable(psprintf(PREFIX ".%s", s->name), s->what, s->more, s->variable, s->value,
								s->min, s->max, definable(s->context), s->unit, NULL, NULL, NULL);
	}
	for (int i = 0; i < (int) lengthof(real_settings); i++)
	{
		const RealSetting *s = &real_settings[i];

		DefineCustomRealVariable(psprintf(PREFIX ".%s", s->name), s->what, s->more, s->variable, s->value,
								 s->min, s->max, PGC_SUSET, s->unit, NULL, NULL, NULL);
	}
}

static void
define_switches(void)
{
	DefineCustomEnumVariable(PREFIX ".notify_mode", "How listeners are notified of events.",
							 "background: by the worker after commit, so that commits do not queue "
							 "for the notification lock; transactional: by the writing transaction, "
							 "also what background does where no worker runs; off: not at all, events are "
							 "still written.",
							 &ff_notify_mode,
							 process_shared_preload_libraries_in_progress ?
							 FF_NOTIFY_BACKGROUND : FF_NOTIFY_TRANSACTIONAL,
							 notify_modes, PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable(PREFIX ".notify_streams",
							 "Whether appending to a stream notifies the stream's own channel.",
							 "Readers that wait inside a call are woken either way.",
							 &ff_notify_streams, true, PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable(PREFIX ".worker_enabled",
							 "Whether the background worker runs.",
							 "Read when a worker connects: after ALTER DATABASE ... SET, which turns it "
							 "off for one database, stop the one that runs by ff_stop_worker.",
							 &ff_worker_enabled, true, PGC_SUSET, 0, NULL, NULL, NULL);
}

static void
define_texts(void)
{
	DefineCustomStringVariable(PREFIX ".test_now_ms",
							   "Replaces the engine's clock, for tests; 0 for the real one.",
							   "Milliseconds since 1970, as text since they exceed an integer setting.",
							   &test_now_text, "0", PGC_SUSET, 0,
							   check_test_now, assign_test_now, NULL);
	DefineCustomStringVariable(PREFIX ".instance_tag_key",
							   "Key of the execution tag that events carry as instance_tag.",
							   "Empty for none.",
							   &ff_instance_tag_key, "cairn.instance_id", PGC_SUSET, 0,
							   check_instance_tag_key, NULL, NULL);
	DefineCustomStringVariable(PREFIX ".databases",
							   "Databases whose background worker runs.",
							   "A list of names, case as written; empty for every database that has the "
							   "extension.",
							   &ff_databases, "", PGC_SIGHUP, GUC_LIST_INPUT,
							   check_databases, NULL, NULL);
}

void
ff_setting_init(void)
{
	define_numbers();
	define_switches();
	define_texts();
	MarkGUCPrefixReserved(PREFIX);
}
