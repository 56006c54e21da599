# The approval workflow as psql input, for tests that run it in unfriendly surroundings.
package FfWorkflow;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';

our @EXPORT = qw(workflow workflow_result seed_key);

# workflow(SCHEMA, LANE): create, claim, suspend for two approvals, signal twice, claim resumed,
# observe, complete; all in one session, with names from the schema (an identifier, quoted where
# it must be) and operators from nowhere. LANE must hold no other work.
sub workflow
{
	my ($schema, $lane) = @_;
	return <<"PSQL";
SELECT outcome, execution_id AS e FROM $schema.ff_create_execution('$lane', payload => '\\x7b7d') \\gset
\\echo :outcome
SELECT claim_kind, handle FROM $schema.ff_claim('$lane', 'w', 'w-1') \\gset
\\echo :claim_kind
SELECT outcome, waitpoint_id AS w, waitpoint_token AS t
  FROM $schema.ff_suspend(handle => :'handle', reason_code => 'waiting_for_approval',
         resume_condition => $schema.ff_count_of(2, '{approval}', 'sources', 'approved')) \\gset
\\echo :outcome
SELECT outcome, effect FROM $schema.ff_deliver_signal(:'e', :'w', :'t', 'approved', source_identity => 'alice') \\gset
\\echo :outcome :effect
SELECT outcome, effect FROM $schema.ff_deliver_signal(:'e', :'w', :'t', 'approved', source_identity => 'bob') \\gset
\\echo :outcome :effect
SELECT claim_kind, handle FROM $schema.ff_claim_resumed_execution(:'e', 'w', 'w-2') \\gset
\\echo :claim_kind
SELECT source_identity FROM $schema.ff_observe_signals(:'handle');
SELECT outcome FROM $schema.ff_complete(:'handle', result => '\\x01') \\gset
\\echo :outcome
PSQL
}

# What psql -qAt prints for it.
sub workflow_result
{
	return join("\n", 'created', 'fresh', 'suspended', 'accepted appended_to_waitpoint',
		'accepted resume_condition_satisfied', 'resumed', 'alice', 'bob', 'completed');
}

# A signing key, whose secret the server mints.
sub seed_key
{
	my ($schema) = @_;
	return "SELECT outcome FROM $schema.ff_seed_waitpoint_hmac_secret('k1');\n";
}

1;
