/*
 * workscan.h - the claimable rows of one class of work, in claim order.
 */
#ifndef FF_WORKSCAN_H
#define FF_WORKSCAN_H

#include "base/table.h"
#include "engine/frontier.h"

/* What a row has: FF_CORE_COLUMNS, payload, and the tokens that it requires. */
#define FF_WORK_COLUMNS FF_CORE_COLUMNS ", payload, required_capabilities"
#define FF_WORK_PAYLOAD (FF_CORE_NCOLUMNS + 1)
#define FF_WORK_TOKENS (FF_CORE_NCOLUMNS + 2)

typedef struct FfWorkScan
{
	FfWorkClass class;
	FfRow		row;			/* the one that it is at, not locked */
	/* private */
	FfPlace    *begin;
	int			part;
	FfScan	   *scan;			/* NULL: ended */
} FfWorkScan;

/* To the first row behind a place; false, and ended, when there is none. */
extern bool ff_workscan_begin(FfWorkScan *scan, const FfWorkClass *class, const FfPlace *behind);

/* To the next row; false, and ended, when there is none. */
extern bool ff_workscan_next(FfWorkScan *scan);

/* Lock the row, unless another transaction has it; false as ff_scan_lock has it. */
extern bool ff_workscan_lock(FfWorkScan *scan);

/* The row stays as it is until the next step. May be called again. */
extern void ff_workscan_end(FfWorkScan *scan);

/* Where the row is. */
extern FfPlace ff_workscan_place(const FfWorkScan *scan);

/*
 * The place of a class's first live row, from the very head of its order; false
 * if it has none. Steps over all dead entries.
 */
extern bool ff_workscan_first(const FfWorkClass *class, FfPlace *place);

/*
 * The lane's first class that the index has, or the one that comes next, fresh
 * or resumable; false when there is none. Its entries may all be dead: to look
 * for a live one could take long.
 */
extern bool ff_workscan_class(FfWorkClass *class, bool first);

#endif							/* FF_WORKSCAN_H */
