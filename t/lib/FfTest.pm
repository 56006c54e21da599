# PostgreSQL::Test::Cluster nodes with ffengine. `make check` says where its files are.
package FfTest;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

our @EXPORT = qw(new_node node_with_extension kill_server log_is_clean is_consistent);

# new_node(NAME, OPTION => VALUE, ...): a running node of its own Unix socket.
#   conf      array of postgresql.conf lines
#   preload   true: ffengine is in shared_preload_libraries
#   fsync     true: as in production; off otherwise, as a crash of the server alone loses nothing
#   init      hash of arguments for Cluster's init, e.g. { allows_streaming => 1 }
#   start     false: initialised only
# Differs from a plain node in that statements are not logged (they hold what must not be) and
# that a server with a killed backend restarts.
sub new_node
{
	my ($name, %opt) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	my %init = %{ $opt{init} // {} };

	# whatever the locale of the machine
	$init{extra} = [ '--locale=C', '--encoding=UTF8', @{ $init{extra} // [] } ];
	$node->init(%init);
	configure($node, %opt);
	$node->start if $opt{start} // 1;
	return $node;
}

sub configure
{
	my ($node, %opt) = @_;
	my @conf = (
		"log_statement = none",
		"log_min_messages = warning",
		"restart_after_crash = on",
		"timezone = 'UTC'",
		"fsync = " . ($opt{fsync} ? 'on' : 'off'));

	push @conf, "extension_destdir = '$ENV{EXTENSION_DESTDIR}'"
	  if $ENV{EXTENSION_DESTDIR} && !$ENV{TEMP_CONFIG};
	push @conf, "shared_preload_libraries = 'ffengine'" if $opt{preload};
	push @conf, @{ $opt{conf} // [] };
	$node->append_conf('postgresql.conf', join("\n", @conf) . "\n");
	return;
}

# node_with_extension(NAME, OPTION => VALUE, ...): the same, with the extension in database
# postgres. `schema` names its schema, which is made; public by default.
sub node_with_extension
{
	my ($name, %opt) = @_;
	my $schema = delete $opt{schema};
	my $node = new_node($name, %opt, start => 1);

	$node->safe_psql('postgres', $schema
		? qq(CREATE SCHEMA "$schema"; CREATE EXTENSION ffengine SCHEMA "$schema" CASCADE)
		: 'CREATE EXTENSION ffengine CASCADE');
	return $node;
}

# The children of a process: /proc/PID/stat has the parent after the name, which is in parentheses.
sub children
{
	my ($pid) = @_;
	my @found;
	for my $file (glob '/proc/[0-9]*/stat')
	{
		my $stat = eval { slurp_file($file) } // next;
		push @found, $1 if $stat =~ /^(\d+) \(.*\) \S (\d+) /s && $2 == $pid;
	}
	return @found;
}

# kill_server(NODE): kills the server and all of its processes by SIGKILL, returns when they are gone.
sub kill_server
{
	my ($node) = @_;
	my $postmaster = (split /\n/, slurp_file($node->data_dir . '/postmaster.pid'))[0];

	# stopped, it cannot start a process that the list misses
	kill 'STOP', $postmaster;
	my @victims = ($postmaster, children($postmaster));
	kill 'KILL', @victims[ 1 .. $#victims ];
	$node->kill9;
	# a zombie too has a process id, which would look to the next server like a running one
	for (1 .. 1000)
	{
		last unless grep { kill 0, $_ } @victims;
		usleep(10_000);
	}
	return;
}

# log_is_clean(NODE, OPTION => VALUE, ...): a test that the server log has no line above ERROR and
# no trace of a crash or of a leaked buffer, snapshot or relation.
#   allow   a regular expression of lines that this test causes on purpose
#   from    length of the log to skip
#   name    of the test
sub log_is_clean
{
	my ($node, %opt) = @_;
	my $log = slurp_file($node->logfile, $opt{from} // 0);
	my @bad = grep {
		/\b(?:FATAL|PANIC): \s|TRAP: |\b(?:LOG|WARNING): .*(?:terminated by signal|\bcrash|\bleak|was\ not\ closed)/x
		  && !($opt{allow} && $_ =~ $opt{allow})
	} split /\n/, $log;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $clean = ok(!@bad, $opt{name} // $node->name . ': server log is clean');
	diag(join("\n", @bad[ 0 .. ($#bad < 19 ? $#bad : 19) ])) unless $clean;
	return $clean;
}

# is_consistent(NODE, DATABASE): a test that no execution in it breaks an invariant, whatever schema
# the extension is in; database postgres by default.
sub is_consistent
{
	my ($node, $db) = @_;
	$db //= 'postgres';
	my $schema = $node->safe_psql($db, <<'SQL');
SET search_path = pg_catalog;
SELECT quote_ident(n.nspname) FROM pg_extension x JOIN pg_namespace n ON n.oid = x.extnamespace
 WHERE x.extname = 'ffengine';
SQL
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my @violations = split /\n/,
	  $node->safe_psql($db, "SELECT * FROM $schema.ff_check_consistency(100000)");
	my $sound = ok(!@violations, $node->name . ": no invariant is broken in database $db");
	diag(join("\n", @violations[ 0 .. ($#violations < 19 ? $#violations : 19) ])) unless $sound;
	return $sound;
}

1;
