/*
 * dependency.c - what an execution waits for in its flow.
 */
#include "engine/dependency.h"

static FfStatement requirement_is_met =
FF_STATEMENT("requirement_is_met", "smallint, uuid, uuid",
			 "SELECT NOT EXISTS (SELECT FROM @extschema@.ff_edge e"
			 "  WHERE e.partition_key = $1 AND e.flow_id = $2 AND e.downstream_eid = $3"
			 "  AND e.edge_state <> 'pending')"
			 " OR EXISTS (SELECT FROM @extschema@.ff_edge_group g"
			 "  WHERE g.partition_key = $1 AND g.flow_id = $2 AND g.downstream_eid = $3"
			 "  AND g.group_state = 'satisfied')");

bool
ff_dependencies_are_met(const FfCore *core)
{
	FfRow		row;

	return core->flow_id == NULL ||
		(ff_statement_row(&requirement_is_met, &row, ff_int2(core->id.partition),
						  ff_uuid(core->flow_id), ff_uuid(&core->id.uuid)) &&
		 ff_row_bool(&row, 1));
}
