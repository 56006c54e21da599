/*
 * workscan.c - the claimable rows of one class of work, in claim order.
 */
#include "engine/workscan.h"

#include "utils/builtins.h"

#include "engine/record.h"

/* The parts of a class behind a place, in claim order. */
enum
{
	EVERYTHING,
	SAME_PRIORITY,				/* younger, or of the same age with a later id */
	LOWER_PRIORITY				/* comes after that */
};

static FfTable fresh_rows = FF_TABLE("ff_exec_core", "ff_exec_core_claim_idx", FF_WORK_COLUMNS);
static FfTable resumable_rows =
FF_TABLE("ff_exec_core", "ff_exec_core_resumable_idx", FF_WORK_COLUMNS);

static FfTable *
rows_of(const FfWorkClass *class)
{
	return class->resumable ? &resumable_rows : &fresh_rows;
}

/* Begin to go through the current part. */
static void
begin_part(FfWorkScan *scan)
{
	const FfPlace *begin = scan->begin;
	FfBound		bounds[] = {
		FF_BOUND(1, BTEqualStrategyNumber, CStringGetTextDatum(scan->class.lane_id)),
		FF_BOUND(2, BTEqualStrategyNumber, Int64GetDatum(scan->class.caps_hash)),
		FF_BOUND(3, BTEqualStrategyNumber, Int32GetDatum(begin->priority)),
		FF_BOUND_WITH_NEXT(4, Int64GetDatum(begin->created_at_ms)),
		FF_BOUND(5, BTGreaterStrategyNumber, UUIDPGetDatum(&begin->execution_id)),
	};
	int			nbounds = scan->part == SAME_PRIORITY ? 5 : scan->part == LOWER_PRIORITY ? 3 : 2;

	if (scan->part == LOWER_PRIORITY)
		bounds[2].strategy = BTLessStrategyNumber;
	scan->scan = ff_scan_begin(rows_of(&scan->class), bounds, nbounds);
}

bool
ff_workscan_next(FfWorkScan *scan)
{
	while (scan->scan)
	{
		if (ff_scan_next(scan->scan, &scan->row))
			return true;
		ff_workscan_end(scan);
		if (scan->part == SAME_PRIORITY)
		{
			scan->part = LOWER_PRIORITY;
			begin_part(scan);
		}
	}
	return false;
}

bool
ff_workscan_begin(FfWorkScan *scan, const FfWorkClass *class, const FfPlace *behind)
{
	scan->class = *class;
	/* where it stays while scans have keys that point to it */
	scan->begin = palloc(sizeof(FfPlace));
	*scan->begin = *behind;
	scan->part = ff_place_is_first(behind) ? EVERYTHING : SAME_PRIORITY;
	begin_part(scan);
	return ff_workscan_next(scan);
}

bool
ff_workscan_lock(FfWorkScan *scan)
{
	return ff_scan_lock(scan->scan, &scan->row, LockWaitSkip);
}

void
ff_workscan_end(FfWorkScan *scan)
{
	if (scan->scan)
		ff_scan_end(scan->scan);
	scan->scan = NULL;
}

FfPlace
ff_workscan_place(const FfWorkScan *scan)
{
	return (FfPlace) {
		.priority = ff_row_int4(&scan->row, FF_CORE_PRIORITY),
			.created_at_ms = ff_row_int8(&scan->row, FF_CORE_CREATED),
			.execution_id = *ff_row_uuid(&scan->row, FF_CORE_ID)
	};
}

bool
ff_workscan_first(const FfWorkClass *class, FfPlace *place)
{
	FfWorkScan	scan;

	if (!ff_workscan_begin(&scan, class, &FF_FIRST_PLACE))
		return false;
	*place = ff_workscan_place(&scan);
	ff_workscan_end(&scan);
	return true;
}

bool
ff_workscan_class(FfWorkClass *class, bool first)
{
	FfBound		bounds[] = {
		FF_BOUND(1, BTEqualStrategyNumber, CStringGetTextDatum(class->lane_id)),
		FF_BOUND(2, BTGreaterStrategyNumber, Int64GetDatum(class->caps_hash)),
	};
	FfScan	   *scan = ff_scan_begin(rows_of(class), bounds, first ? 1 : lengthof(bounds));
	Datum		caps_hash;
	bool		found = ff_scan_next_key(scan, 2, &caps_hash);

	if (found)
		class->caps_hash = DatumGetInt64(caps_hash);
	ff_scan_end(scan);
	return found;
}
