# What README.md and doc/ say: their SQL runs from top to bottom, as they promise; they name every
# function and every file of the source, and no function that is not there.
use strict;
use warnings FATAL => 'all';

use FfTest;
use File::Basename qw(basename);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($readme, $guide, $architecture, $changelog) =
  map { slurp_file($_) } qw(README.md doc/guide.md doc/architecture.md CHANGELOG.md);

# The SQL of a document, as somebody would paste it.
sub sql_of
{
	my ($text) = @_;
	return join "\n", $text =~ /^```sql\n(.*?)^```$/msg;
}

# The same on a preloaded server and without, for what happens by the clock differs.
for my $preload (1, 0)
{
	my $name = $preload ? 'preloaded' : 'not preloaded';
	my $node = new_node($preload ? 'preloaded' : 'plain', preload => $preload);
	my ($rc, $out, $err) = $node->psql('postgres', sql_of($readme), on_error_stop => 0);

	is($err =~ s/^psql:.*NOTICE: .*\n?//mgr, '', "$name: the README's SQL runs");
	($rc, $out, $err) = $node->psql('postgres', sql_of($guide), on_error_stop => 0);
	is_deeply(
		[ $err =~ /^psql:\S+ (ERROR: .*?)(?: \{fp.*)?$/mg ],
		[ 'ERROR:  permission denied for function ff_claim', 'ERROR:  execution' ],
		"$name: the guide's SQL runs, but for the two refusals that it shows") or diag($err);
	like($err, qr/NOTICE:  not found: execution/, "$name: and for the one that it catches");
	is_consistent($node);

	if ($preload)
	{
		my @functions = split /\n/, $node->safe_psql('postgres', <<'SQL');
SELECT DISTINCT split_part(function_signature, '(', 1) FROM ff_access_function
 WHERE split_part(function_signature, '(', 1) NOT IN ('ff_in_range', 'ff_page', 'ff_violations')
SQL
		is_deeply([ grep { $readme !~ /`\Q$_\E`/ } @functions ], [], 'the README lists every function');

		my %there = map { $_ => 1 } split /\n/, $node->safe_psql('postgres', <<'SQL');
SELECT proname FROM pg_proc WHERE proname ^@ 'ff_' UNION SELECT relname FROM pg_class WHERE relname ^@ 'ff_'
 UNION SELECT name FROM ff_stats()
 UNION SELECT unnest('{ff_work,ff_reconciler_next_due_seconds}'::text[])   -- a channel; there when something is due
SQL
		my @named = map { /\b(ff_[a-z0-9_]*[a-z0-9])\b(?!\*)(?!_)/g } $readme, $guide, $changelog;
		is_deeply([ grep { !$there{$_} } @named ], [], 'no document names a function, table or counter that is not there');
	}
	$node->stop;
}

# The tables of doc/architecture.md: `condition*` stands for all that begin so.
my $tables = join ' ', $architecture =~ /^\| (`.*?) \|/mg;
my @rooms = $tables =~ /`([a-z_]+\*?)(?:\.h)?`/g;
my %files = map { basename($_) =~ s/\.[ch]$//r => 1 } glob 'src/base/*.[ch] src/engine/*.[ch] src/api/*.[ch] src/background/*.[ch]';
ok(keys %files > 50, 'there are files');
is_deeply([ grep { my $file = $_; !grep { /^(.*)\*$/ ? index($file, $1) == 0 : $file eq $_ } @rooms } sort keys %files ],
	[], 'the architecture has a room for every file');
is_deeply([ grep { !/\*/ && !$files{$_} } @rooms ], [], 'and no room without one');

done_testing();
