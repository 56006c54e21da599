/*
 * counter.c - what ff_stats counts.
 */
#include "engine/counter.h"

#define CLAIMS(result) "ff_claims_total", "result", result, "Calls of ff_claim that returned work, and that found none."
#define RENEWALS(outcome) \
	"ff_lease_renewal_total", "outcome", outcome, "Lease renewals; refused ones count though rolled back."
#define ATTEMPTS(outcome) "ff_attempt_outcome_total", "outcome", outcome, "Attempts that ended, by outcome."
#define SIGNALS(effect) "ff_signals_total", "effect", effect, "Signals delivered, by effect; those of timeouts too."
#define EVENTS(stream) "ff_events_total", "stream", stream, "Events written, by stream."
#define GRANTS(result) "ff_grants_total", "result", result, "Claim and reclaim grants issued, redeemed and run out."
#define NOTIFIED(channel) "ff_notify_sent_total", "channel", channel, "Notifications sent, by channel."
#define LONG_POLLS(result) \
	"ff_long_polls_total", "result", result, "Calls that waited, by whether something came."

/* clang-format off */
const FfCounterNames ff_counter_names[FF_COUNTERS] = {
	[FF_COUNT_EXECUTIONS_CREATED] = {"ff_executions_created_total", NULL, NULL, "Executions created."},
	[FF_COUNT_SUSPENSIONS] = {"ff_suspensions_total", NULL, NULL, "Executions suspended."},
	[FF_COUNT_RESUMES] = {"ff_resumes_total", NULL, NULL, "Executions resumed, by signal, timeout or operator."},
	[FF_COUNT_RECLAIMS] = {"ff_reclaims_total", NULL, NULL, "Executions taken over after a lost lease."},
	[FF_COUNT_CLAIMS_CLAIMED] = {CLAIMS("claimed")},
	[FF_COUNT_CLAIMS_EMPTY] = {CLAIMS("empty")},
	[FF_COUNT_RENEWALS_OK] = {RENEWALS("ok")},
	[FF_COUNT_RENEWALS_REFUSED] = {RENEWALS("refused")},
	[FF_COUNT_ATTEMPT_SUCCESS] = {ATTEMPTS("success")},
	[FF_COUNT_ATTEMPT_FAILED] = {ATTEMPTS("failed")},
	[FF_COUNT_ATTEMPT_RETRY] = {ATTEMPTS("retry")},
	[FF_COUNT_ATTEMPT_CANCELLED] = {ATTEMPTS("cancelled")},
	[FF_COUNT_ATTEMPT_EXPIRED] = {ATTEMPTS("expired")},
	[FF_COUNT_ATTEMPT_SKIPPED] = {ATTEMPTS("skipped")},
	[FF_COUNT_SIGNAL_SATISFIED] = {SIGNALS("satisfied")},
	[FF_COUNT_SIGNAL_APPENDED] = {SIGNALS("appended")},
	[FF_COUNT_SIGNAL_IGNORED] = {SIGNALS("ignored")},
	[FF_COUNT_SIGNAL_BUFFERED] = {SIGNALS("buffered")},
	[FF_COUNT_SIGNAL_DEDUPED] = {SIGNALS("deduped")},
	[FF_COUNT_SIGNAL_TIMED_OUT] = {SIGNALS("timed_out")},
	[FF_COUNT_SIGNAL_ESCALATED] = {SIGNALS("escalated")},
	[FF_COUNT_EVENTS_COMPLETION] = {EVENTS("completion")},
	[FF_COUNT_EVENTS_LEASE_HISTORY] = {EVENTS("lease_history")},
	[FF_COUNT_EVENTS_SIGNAL_DELIVERY] = {EVENTS("signal_delivery")},
	[FF_COUNT_EVENTS_OPERATOR_EVENTS] = {EVENTS("operator_events")},
	[FF_COUNT_EVENTS_INSTANCE_TAGS] = {EVENTS("instance_tags")},
	[FF_COUNT_EVENTS_WORKER_REGISTRY] = {EVENTS("worker_registry")},
	[FF_COUNT_GRANTS_ISSUED] = {GRANTS("issued")},
	[FF_COUNT_GRANTS_REDEEMED] = {GRANTS("redeemed")},
	[FF_COUNT_GRANTS_EXPIRED] = {GRANTS("expired")},
	[FF_COUNT_NOTIFY_COMPLETION] = {NOTIFIED("ff_completion")},
	[FF_COUNT_NOTIFY_LEASE_EVENT] = {NOTIFIED("ff_lease_event")},
	[FF_COUNT_NOTIFY_SIGNAL_EVENT] = {NOTIFIED("ff_signal_event")},
	[FF_COUNT_NOTIFY_OPERATOR_EVENT] = {NOTIFIED("ff_operator_event")},
	[FF_COUNT_NOTIFY_INSTANCE_TAG] = {NOTIFIED("ff_instance_tag")},
	[FF_COUNT_NOTIFY_WORKER_EVENT] = {NOTIFIED("ff_worker_event")},
	[FF_COUNT_NOTIFY_WORK] = {NOTIFIED("ff_work")},
	[FF_COUNT_LONG_POLLS_EVENTS] = {LONG_POLLS("events")},
	[FF_COUNT_LONG_POLLS_TIMEOUT] = {LONG_POLLS("timeout")},
};
/* clang-format on */

FfCounter
ff_counter_of_signal(const char *effect)
{
	for (int i = FF_COUNT_SIGNAL_SATISFIED; i <= FF_COUNT_SIGNAL_ESCALATED; i++)
		if (strcmp(ff_counter_names[i].value, effect) == 0)
			return i;
	elog(ERROR, "unknown signal effect %s", effect);
}
