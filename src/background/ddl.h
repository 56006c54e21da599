/*
 * ddl.h - commands that need a database to themselves: DROP DATABASE, ALTER
 * DATABASE ... RENAME or SET TABLESPACE, CREATE DATABASE ... TEMPLATE. The
 * background worker of that database makes way for them.
 */
#ifndef FF_DDL_H
#define FF_DDL_H

#include "base/compat.h"

/* Hook into utility commands, where the library is preloaded; called once, from _PG_init. */
extern void ff_ddl_init(void);

#endif							/* FF_DDL_H */
