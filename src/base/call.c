/*
 * call.c - the frame around every SQL-callable function that runs statements.
 */
#include "base/call.h"

#include "base/clock.h"
#include "base/extension.h"
#include "base/statement.h"

void
ff_call_begin_scalar(FfCall *call, FunctionCallInfo fcinfo)
{
	call->fcinfo = fcinfo;
	call->result = NULL;
	call->now_ms = ff_now_ms();
	ff_extension_enter(fcinfo);
	ff_statement_connect();
}

void
ff_call_begin(FfCall *call, FunctionCallInfo fcinfo)
{
	call->fcinfo = fcinfo;
	call->now_ms = ff_now_ms();
	ff_extension_enter(fcinfo);
	call->result = ff_result_begin(fcinfo);
	ff_statement_connect();
}

Datum
ff_call_end(FfCall *call)
{
	ff_statement_disconnect();
	return call->result ? ff_result_end(call->result) : (Datum) 0;
}
