/*
 * extension.h - which installed copy of the extension this backend talks to.
 */
#ifndef FF_EXTENSION_H
#define FF_EXTENSION_H

#include "base/compat.h"

/* What is cached of the catalogs is good for one generation only. */
extern uint64 ff_extension_generation;

/*
 * Note the schema that the called function lives in. Call it first in every
 * SQL-callable function that runs statements; it costs a look into a syscache.
 * A DROP and CREATE EXTENSION, or a renamed schema, starts a new generation.
 */
extern void ff_extension_enter(FunctionCallInfo fcinfo);

/* The same where no function was called: in the background worker. */
extern void ff_extension_enter_schema(Oid schema);

/* The schema noted last: its OID, and its name quoted as an identifier. */
extern Oid	ff_extension_schema(void);
extern const char *ff_extension_schema_name(void);

/* The OID of a type of the extension; raises unavailable if it is not there. */
extern Oid	ff_extension_type(const char *name);

/* Registers for invalidation messages; called once, from _PG_init. */
extern void ff_extension_init(void);

#endif							/* FF_EXTENSION_H */
