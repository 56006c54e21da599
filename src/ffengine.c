/*
 * ffengine.c - what happens when the library is loaded.
 */
#include "base/compat.h"

#include "background/ddl.h"
#include "background/launcher.h"
#include "base/extension.h"
#include "base/setting.h"
#include "base/statement.h"
#include "base/table.h"
#include "engine/slot.h"
#include "engine/wake.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

void
_PG_init(void)
{
	ff_setting_init();
	ff_extension_init();
	ff_statement_init();
	ff_table_init();
	ff_slot_init();
	ff_wake_init();
	ff_launcher_init();
	ff_ddl_init();
}
