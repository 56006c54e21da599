/*
 * compat.h - the one place that knows how PostgreSQL 14 to 18 differ.
 *
 * Every file of the extension includes it first, instead of postgres.h.
 */
#ifndef FF_COMPAT_H
#define FF_COMPAT_H

#include "postgres.h"

#include "fmgr.h"

#if PG_VERSION_NUM < 140000
#error "ffengine needs PostgreSQL 14 or later"
#endif

/* varlena accessors moved out of postgres.h in PostgreSQL 16 */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* pg_hmac's kin and strong random live here in all of them */
#include "port.h"

/* pg_attribute_printf() names an archetype that clang does not know */
#define FF_PRINTF_LIKE(at, first) __attribute__((format(printf, at, first)))

/* what pg_attribute_noreturn() was until PostgreSQL 18 */
#define FF_NORETURN __attribute__((noreturn))

#if PG_VERSION_NUM < 150000
/* MarkGUCPrefixReserved() does more than its older name: it also drops what it refuses */
#define MarkGUCPrefixReserved(prefix) EmitWarningsOnPlaceholders(prefix)
#endif

/* an update tells whether it needs index entries; since PostgreSQL 16, of which indexes */
#if PG_VERSION_NUM >= 160000
#define FfUpdateIndexes TU_UpdateIndexes
#define FF_UPDATES_INDEXES(indexes) ((indexes) != TU_None)
#else
#define FfUpdateIndexes bool
#define FF_UPDATES_INDEXES(indexes) (indexes)
#endif

/* a scan may be watched by EXPLAIN since PostgreSQL 18 */
#if PG_VERSION_NUM >= 180000
#define FF_INDEX_BEGINSCAN(heap, index, snapshot, nkeys) \
	index_beginscan(heap, index, snapshot, NULL, nkeys, 0)
#else
#define FF_INDEX_BEGINSCAN(heap, index, snapshot, nkeys) \
	index_beginscan(heap, index, snapshot, nkeys, 0)
#endif

/* DecodeDateTime() gives details of a failure from PostgreSQL 16 on; nobody here wants them */
#if PG_VERSION_NUM >= 160000
#define FF_NO_DATETIME_DETAILS , &(DateTimeErrorExtra) {0}
#else
#define FF_NO_DATETIME_DETAILS
#endif

/* ownership checks became one function of all catalogs in PostgreSQL 16 */
#if PG_VERSION_NUM >= 160000
#define ff_owns_database(database, role) object_ownercheck(DatabaseRelationId, database, role)
#else
#define ff_owns_database(database, role) pg_database_ownercheck(database, role)
#endif

/* from libpq/libpq.h, which wants headers of GSSAPI that need not be there */
extern bool pq_check_connection(void);

/* where it cannot be seen that a client went away, PostgreSQL 14 says that it is there */
#if PG_VERSION_NUM >= 150000
#define ff_sees_lost_client() WaitEventSetCanReportClosed()
#else
#define ff_sees_lost_client() true
#endif

#endif							/* FF_COMPAT_H */
