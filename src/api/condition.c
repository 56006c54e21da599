/*
 * condition.c - judging resume conditions without a database: validation, and
 * the reference evaluation. The constructors are SQL.
 */
#include "base/compat.h"

#include "base/argument.h"
#include "base/error.h"
#include "base/jsonbarg.h"
#include "engine/condition.h"

PG_FUNCTION_INFO_V1(ff_validate_resume_condition);
PG_FUNCTION_INFO_V1(ff_evaluate_resume_condition);

static const FfJsonField signal_fields[] = {
	FF_JSON_OPTIONAL("waitpoint_key", FF_JSON_STRING),
	FF_JSON_OPTIONAL("signal_name", FF_JSON_STRING),
	FF_JSON_OPTIONAL("signal_id", FF_JSON_STRING),
	FF_JSON_OPTIONAL("source_type", FF_JSON_STRING),
	FF_JSON_OPTIONAL("source_identity", FF_JSON_STRING),
};
static const FfJsonShape signals_shape =
FF_JSON_ARRAY(FF_JSON_UNBOUNDED, FF_JSON_EACH(FF_JSON_OBJECT(signal_fields)));

/*
 * Not ff_arg_jsonb(): a JSON null is a malformed condition rather than none, and
 * the condition's own limit on its size, the smaller, names the rule.
 */
static FfCondition *
condition_argument(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		ff_raise_null("resume_condition");
	return ff_condition_parse(PG_GETARG_JSONB_P(0), "resume_condition");
}

Datum
ff_validate_resume_condition(PG_FUNCTION_ARGS)
{
	(void) condition_argument(fcinfo);
	PG_RETURN_BOOL(true);
}

/* A string of a signal; what is absent is empty. */
static const char *
fact(JsonbContainer *signal, const char *name)
{
	char	   *value = ff_json_string_or_null(signal, name);

	return value ? value : "";
}

static FfSignalFacts *
read_signals(Jsonb *signals, int *count)
{
	FfSignalFacts *facts;
	FfJsonEach	each;

	ff_json_check(signals, &signals_shape, "signals", FF_INVALID_INPUT, "json_shape");
	*count = JB_ROOT_COUNT(signals);
	facts = palloc((*count + 1) * sizeof(FfSignalFacts));
	each = ff_json_each(ff_json_root(signals));
	while (ff_json_next(&each))
	{
		JsonbContainer *signal = ff_json_value_container(&each.value);

		facts[each.index] = (FfSignalFacts) {
			.waitpoint_key = fact(signal, "waitpoint_key"),
			.signal_name = fact(signal, "signal_name"),
			.signal_id = fact(signal, "signal_id"),
			.source_type = fact(signal, "source_type"),
			.source_identity = fact(signal, "source_identity")
		};
	}
	return facts;
}

Datum
ff_evaluate_resume_condition(PG_FUNCTION_ARGS)
{
	FfCondition *condition = condition_argument(fcinfo);
	FfSignalFacts *signals;
	int			nsignals;

	signals = read_signals(ff_arg_jsonb(fcinfo, 1, "signals"), &nsignals);
	PG_RETURN_BOOL(ff_condition_evaluate(condition, signals, nsignals));
}
