/*
 * launcher.h - the one process of a server that starts a background worker in
 * each database that has the extension. Preloaded servers only.
 */
#ifndef FF_LAUNCHER_H
#define FF_LAUNCHER_H

#include "base/compat.h"

/* Register the launcher; called once, from _PG_init. */
extern void ff_launcher_init(void);

/* Where the process begins. */
extern PGDLLEXPORT void ff_launcher_main(Datum arg);

#endif							/* FF_LAUNCHER_H */
