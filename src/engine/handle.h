/*
 * handle.h - the worker's handle, the ticket for one lease: its wire format
 * (specification chapter 02, section 3). Pure, looks at no table.
 */
#ifndef FF_HANDLE_H
#define FF_HANDLE_H

#include "base/compat.h"

#include "base/id.h"

/* Values as on the wire; there a fresh handle has no kind byte, and v1 has no kind at all. */
typedef enum FfHandleKind
{
	FF_HANDLE_NO_KIND = 0,
	FF_HANDLE_FRESH = 1,
	FF_HANDLE_RESUMED = 2,
	FF_HANDLE_SUSPENDED = 3,
	FF_HANDLE_RECLAIMED = 4
} FfHandleKind;

/* The backend tag of this engine's handles. */
#define FF_HANDLE_BACKEND 2

typedef struct FfHandle
{
	int			kind;			/* FfHandleKind */
	int			backend;		/* 1-3; 1 for v1 */
	FfExecutionId execution;
	int32		attempt_index;	/* the numbers are never negative */
	pg_uuid_t	attempt_id;
	pg_uuid_t	lease_id;
	int64		lease_epoch;
	int64		lease_ttl_ms;
	const char *lane_id;		/* both may be empty, never NULL */
	const char *worker_instance_id;
} FfHandle;

/*
 * The handle's bytes (v2), palloc'd. Raises only where a string of a database
 * in another encoding cannot be written in UTF-8.
 */
extern bytea *ff_handle_encode(const FfHandle *handle);

/*
 * Read the bytes of a (detoasted) handle of any known backend; strings are
 * palloc'd. Raises corruption with one of the rules of chapter 02, 3.2.
 */
extern void ff_handle_decode(const bytea *bytes, FfHandle *handle);

/*
 * What an operation reads its handle with: the same, and raises
 * handle_from_other_backend for a handle that is not this engine's. The kind
 * is for the operation to check.
 */
extern void ff_handle_read(const bytea *bytes, FfHandle *handle);

/* The name of a kind, NULL for FF_HANDLE_NO_KIND; and back, FF_HANDLE_NO_KIND if it is none. */
extern const char *ff_handle_kind_name(int kind);
extern int	ff_handle_kind_find(const char *name);

#endif							/* FF_HANDLE_H */
