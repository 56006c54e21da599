# Garbage for every decoder: 100,000 generated inputs each. The answer is a value or one of the
# engine's errors that the specification names for it; never an internal error, never a crash, and
# memory that a call took is given back.
#
# The inputs are made here, of a fixed seed, and read by the server from files; the calls are made
# by DO blocks, each in a subtransaction of its own. FF_FUZZ_SEED and FF_FUZZ_COUNT change both.
use strict;
use warnings FATAL => 'all';

use FfTest;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $seed  = $ENV{FF_FUZZ_SEED}  // 4711;
my $count = $ENV{FF_FUZZ_COUNT} // 100_000;

my $begun = time;
my $node = node_with_extension('fuzz', schema => 'ff', conf => ['log_min_messages = fatal', 'autovacuum = off']);
$node->safe_psql('postgres', q(SELECT ff.ff_seed_waitpoint_hmac_secret('k1', repeat('5a', 32))));

# --- Making garbage. Every generator takes no arguments and returns one input.

sub pick  { return $_[ int rand @_ ] }
sub range { my ($from, $to) = @_; return $from + int rand($to - $from + 1) }
sub hex_digits { return join '', map { sprintf '%x', int rand 16 } 1 .. $_[0] }

sub uuid
{
	return join '-', map { hex_digits($_) } 8, 4, 4, 4, 12;
}

# Characters that decoders trip over: separators, signs, digits, control, of two to four bytes.
my @odd = (split(//, '{}[]():;,.-+_ \'"\\/%$0123456789abcdefABCDEFxXgZ'),
	"\t", "\n", "\r", "\x01", "\x7f", "\x{e9}", "\x{0660}", "\x{4e1c}", "\x{feff}", "\x{1f600}", 'fp', '{fp:', '}:');

# mutate(TEXT): some characters replaced, put in, left out, or a piece doubled
sub mutate
{
	my ($text) = @_;
	for (1 .. pick(1, 1, 1, 2, 3, 8))
	{
		my $at = int rand(length($text) + 1);
		my $kind = rand;
		if    ($kind < 0.3) { substr($text, $at, $at < length $text ? 1 : 0) = pick(@odd) }
		elsif ($kind < 0.5) { substr($text, $at, 0) = pick(@odd) }
		elsif ($kind < 0.7) { substr($text, $at, range(1, 4)) = '' if $at < length $text }
		elsif ($kind < 0.8) { $text = substr($text, 0, $at) }
		elsif ($kind < 0.9) { $text .= substr($text, $at) }
		else                { $text = substr($text, $at) }
	}
	return $text;
}

sub garbage { return join '', map { pick(@odd) } 1 .. pick(0, 1, 2, 3, range(0, 70)) }

# somewhat(VALID): mostly a mutation of something valid, sometimes that itself, sometimes garbage
sub somewhat
{
	my ($valid) = @_;
	my $kind = rand;
	return $kind < 0.1 ? $valid : $kind < 0.8 ? mutate($valid) : garbage();
}

my @numbers = (-1, 0, 1, 2, 3, 7, 100, 256, 2147483647, 2147483648, -2147483648, '9223372036854775807',
	'9223372036854775808', '1e2', '1e308', '1e400', '-1e400', '0.5', '1.0', '-0', '1e-7', '123456789012345678901234567890');
my @words = ('', 'a', 'approval', 'approved', 'Wildcard', 'OperatorOnly', 'TimeoutOnly', 'AllOf', 'Count',
	'DistinctWaitpoints', 'DistinctSignals', 'DistinctSources', '__timeout__', 'x' x 256, 'x' x 257, "\x{4e1c}" x 86,
	"tab\\there", "caf\x{e9}", '00000000-0000-0000-0000-000000000001', 'Runnable', 'fixed', 'exponential', 'fail', 'a b',
	'2026-01-01', '{}', 'null', 'gpu', "a,b");

sub json_string
{
	my ($text) = @_;
	$text =~ s/(["\\])/\\$1/g;
	$text =~ s/([\x01-\x1f\x7f])/sprintf '\\u%04x', ord $1/ge;
	return qq("$text");
}

# any JSON value, of limited depth, of the words that the shapes know
sub json
{
	my ($depth, $keys) = @_;
	my $kind = rand;
	return pick(@numbers)                                    if $kind < 0.2;
	return pick('true', 'false', 'null')                     if $kind < 0.35;
	return json_string(rand() < 0.8 ? pick(@words) : garbage()) if $kind < 0.6 || $depth <= 0;
	return '[' . join(',', map { json($depth - 1, $keys) } 1 .. range(0, 4)) . ']' if $kind < 0.75;
	return '{' . join(',', map { json_string(rand() < 0.9 ? pick(@$keys) : garbage()) . ':' . json($depth - 1, $keys) }
		  1 .. range(0, 4)) . '}';
}

# object(KEYS, KEY, VALUE, ...): an object of these keys, in which now and then one is missing,
# doubled, misspelt, or has another value
sub object
{
	my ($keys, @members) = @_;
	my @out;
	while (my ($key, $value) = splice @members, 0, 2)
	{
		my $kind = rand;
		next if $kind < 0.04;
		$value = json(2, $keys) if $kind > 0.92;
		$key = rand() < 0.5 ? mutate($key) : pick(@$keys) if $kind > 0.97;
		push @out, json_string($key) . ":$value";
		push @out, json_string(pick(@$keys)) . ':' . json(1, $keys) if $kind > 0.99;
	}
	return '{' . join(',', @out) . '}';
}

my @condition_keys = qw(Single Composite waitpoint_key matcher ByName kind n count_kind members waitpoints);

sub matcher
{
	my $kind = rand;
	return '"Wildcard"' if $kind < 0.4;
	return object(\@condition_keys, 'ByName', json_string(pick('approved', 'done', '', 'x' x 300)));
}

sub condition
{
	my ($depth) = @_;
	my $kind = rand;
	return pick('"OperatorOnly"', '"TimeoutOnly"') if $kind < 0.08;
	return object(\@condition_keys, 'Single',
		object(\@condition_keys, 'waitpoint_key', json_string(pick('a', 'b', 'approval', '', 'k' x 257)), 'matcher', matcher()))
	  if $kind < 0.5 || $depth <= 0;
	return object(\@condition_keys, 'Composite',
		object(\@condition_keys, 'kind', '"AllOf"', 'members',
			'[' . join(',', map { condition($depth - 1) } 1 .. range(0, 3)) . ']'))
	  if $kind < 0.75;
	return object(\@condition_keys, 'Composite',
		object(\@condition_keys, 'kind', '"Count"', 'n', pick(0, 1, 1, 2, 3, @numbers),
			'count_kind', json_string(pick('DistinctWaitpoints', 'DistinctSignals', 'DistinctSources', 'Distinct')),
			'matcher', rand() < 0.3 ? 'null' : matcher(),
			'waitpoints', '[' . join(',', map { json_string(pick('a', 'b', 'c', 'd', '')) } 1 .. range(0, 4)) . ']'));
}

sub binding
{
	return object([qw(Fresh UsePending waitpoint_key waitpoint_id)], 'Fresh',
		object([qw(waitpoint_key waitpoint_id)], 'waitpoint_key', json_string(pick('a', 'b', 'c', '', 'k' x 257)),
			(rand() < 0.5 ? ('waitpoint_id', json_string(rand() < 0.8 ? uuid() : mutate(uuid()))) : ())))
	  if rand() < 0.6;
	return object([qw(Fresh UsePending waitpoint_key waitpoint_id)], 'UsePending',
		object([qw(waitpoint_key waitpoint_id)], 'waitpoint_id', json_string(rand() < 0.8 ? uuid() : mutate(uuid()))));
}

my @policy_keys = qw(priority delay_until retry_policy max_retries backoff type delay_ms initial_delay_ms max_delay_ms
  multiplier jitter retryable_categories timeout_policy attempt_timeout_ms execution_deadline_ms max_reclaim_count
  reclaim_hold_ms suspension_policy default_timeout_ms timeout_behavior fallback_policy tiers provider model
  max_replay_count budget_ids quota_policy_id routing_requirements required_capabilities preferred_locality
  isolation_level dedup_window_ms stream_policy durability_mode retention_maxlen retention_ttl_ms
  max_signals_per_execution);

# some(NAME, VALUE, ...): each pair with a chance of a third
sub some
{
	my @members = @_;
	my @out;
	while (my ($key, $value) = splice @members, 0, 2)
	{
		push @out, $key, ref $value ? $value->() : $value if rand() < 0.3;
	}
	return @out;
}

sub number { return rand() < 0.7 ? range(0, 100_000) : pick(@numbers) }
sub strings { return '[' . join(',', map { json_string(rand() < 0.8 ? pick('gpu', 'eu', 'network') : pick(@words)) } 1 .. range(0, 4)) . ']' }

sub backoff
{
	return object(\@policy_keys, 'type', '"fixed"', 'delay_ms', number()) if rand() < 0.5;
	return object(\@policy_keys, 'type', '"exponential"',
		some('initial_delay_ms', \&number, 'max_delay_ms', \&number, 'multiplier', \&number, 'jitter', 'true'));
}

sub policy
{
	return json(3, \@policy_keys) if rand() < 0.1;
	return object(\@policy_keys, some(
			'priority', \&number,
			'delay_until', \&number,
			'retry_policy', sub { object(\@policy_keys, some('max_retries', \&number, 'backoff', \&backoff, 'retryable_categories', \&strings)) },
			'timeout_policy', sub { object(\@policy_keys, some('attempt_timeout_ms', \&number, 'execution_deadline_ms', \&number, 'max_reclaim_count', \&number)) },
			'max_reclaim_count', \&number,
			'reclaim_hold_ms', \&number,
			'suspension_policy', sub { object(\@policy_keys, some('default_timeout_ms', \&number, 'timeout_behavior', json_string(pick('fail', 'expire', 'escalate', 'explode')))) },
			'fallback_policy', sub { object(\@policy_keys, 'tiers', '[' . object(\@policy_keys, 'provider', '"p"', 'model', '"m"', 'timeout_ms', number()) . ']') },
			'max_replay_count', \&number,
			'budget_ids', sub { '[' . join(',', map { json_string(rand() < 0.9 ? uuid() : mutate(uuid())) } 1 .. range(0, 18)) . ']' },
			'quota_policy_id', sub { json_string(rand() < 0.9 ? uuid() : mutate(uuid())) },
			'routing_requirements', sub { object(\@policy_keys, some('required_capabilities', \&strings, 'preferred_locality', '"eu"', 'isolation_level', '"vm"')) },
			'dedup_window_ms', \&number,
			'stream_policy', sub { object(\@policy_keys, some('durability_mode', '"durable"', 'retention_maxlen', \&number, 'retention_ttl_ms', \&number)) },
			'max_signals_per_execution', \&number));
}

sub tags
{
	return json(2, ['shop.order', 'a.b', 'A.b', 'a']) if rand() < 0.2;
	return object(['shop.order', 'a.b', 'A.b', 'a'],
		map { (rand() < 0.7 ? 'area.name' . int rand 70 : garbage()) => json_string(rand() < 0.95 ? pick(@words) : 'v' x 4097) }
		  1 .. pick(0, 1, 2, 3, rand() < 0.02 ? 66 : 1));
}

# an array as PostgreSQL writes one
sub capabilities
{
	my $n = rand() < 0.005 ? range(250, 260) : pick(0, 1, 2, 3, 5);
	my @tokens = map {
		my $kind = rand;
		$kind < 0.6 ? pick('gpu', 'eu', 'GPU', "\x{6771}\x{4eac}-gpu") . int rand 1000
		  : $kind < 0.65 ? undef
		  : $kind < 0.7 ? 'x' x range(1, rand() < 0.1 ? 5000 : 50)
		  : garbage()
	} 1 .. $n;
	my $list = join ',', map { defined $_ ? '"' . s/(["\\])/\\$1/gr . '"' : 'NULL' } @tokens;
	return "{$list}" if !$n || rand() < 0.95;
	return "{{$list},{$list}}" if rand() < 0.5;
	my $first = range(-3, 3);
	return sprintf '[%d:%d]={%s}', $first, $first + $n - 1, $list;
}

my @handles = (
	'0201022c0000007b66703a34327d3a35353065383430302d653239622d343164342d613731362d343436363535343430303030000000002400000031313131313131312d313131312d343131312d383131312d3131313131313131313131312400000032323232323232322d323232322d343232322d383232322d32323232323232323232323201000000000000003075000000000000070000006465666175'
	  . '6c74020000007731',
	'0201022b0000007b66703a307d3a30303030303030302d303030302d303030302d303030302d303030303030303030303030ffffff7f2400000031313131313131312d313131312d343131312d383131312d3131313131313131313131312400000032323232323232322d323232322d343232322d383232322d323232323232323232323232ffffffffffffff7f000000000000000000000000000000'
	  . '0003');

# the bytes of a handle in hex: changed, cut, lengthened, or none of its own
sub handle
{
	my $hex = pick(@handles);
	my $kind = rand;
	return hex_digits(2 * range(0, 300)) if $kind < 0.2;
	return substr $hex, 0, 2 * range(0, length($hex) / 2) if $kind < 0.35;
	return $hex . hex_digits(2 * range(1, 4)) if $kind < 0.45;
	return $hex if $kind < 0.47;
	# a length prefix or a number out of its bounds
	if ($kind < 0.7)
	{
		substr($hex, 2 * pick(3, 51, 55, 95, 135, 143, 151, range(0, length($hex) / 2 - 4)), 8) =
		  pick('ffffffff', 'ffffff7f', '00000080', '00000000', '01000000', '24000000', hex_digits(8));
		return $hex;
	}
	substr($hex, 2 * int rand(length($hex) / 2), 2) = hex_digits(2) for 1 .. pick(1, 1, 2, 5);
	return $hex;
}

sub signals
{
	return json(2, [qw(waitpoint_key signal_name signal_id source_type source_identity)]) if rand() < 0.2;
	return '[' . join(',', map {
		object([qw(waitpoint_key signal_name signal_id source_type source_identity)],
			some('waitpoint_key', json_string(pick('a', 'b', @words)), 'signal_name', json_string(pick('approved', @words)),
				'signal_id', json_string(uuid()), 'source_type', json_string(pick(@words)), 'source_identity', json_string(pick(@words))))
	} 1 .. range(0, 4)) . ']';
}

my $e = '{fp:42}:550e8400-e29b-41d4-a716-446655440000';

# --- The decoders. `type` is that of the column, `call` an expression over input v and its number n;
# `kinds` what it may raise. Arguments are checked before anything is looked up, so the calls that
# would change something are given a target that is not there.

my %suspended = (handle => "'\\x$handles[1]'::bytea");
my @text = qw(signal_name signal_category source_type source_identity correlation_id idempotency_key
  payload_encoding target_scope);
my @decoders = (
	{ name => 'execution ids', type => 'text',
		make => sub { somewhat('{fp:' . pick(0, 7, 42, 255, 256, '007', '+7') . '}:' . pick(uuid(), uc uuid())) },
		call => 'ff_execution_partition(v) + length(ff_execution_uuid(v)::text)', kinds => ['invalid_input'],
		# the three functions must agree
		also => 'ff_is_execution_id(v)' },
	{ name => 'handles', type => 'bytea', make => sub { '\\x' . handle() },
		call => '(ff_handle_decode(v)).lease_epoch', kinds => ['corruption'] },
	{ name => 'handles of an operation', type => 'bytea', make => sub { '\\x' . handle() },
		call => '(ff_renew(v)).lease_epoch',
		# the lease it asks for is as long as the handle says
		kinds => [qw(corruption handle_from_other_backend not_found lease_conflict invalid_input)] },
	{ name => 'tokens', type => 'text',
		make => sub { somewhat(pick('k1', 'kid-v1', '') . ':' . pick(hex_digits(64), uc hex_digits(64))) },
		call => "(ff_deliver_signal('$e', '00000000-0000-0000-0000-000000000001', v, 'approved')).outcome",
		kinds => ['invalid_token'] },
	{ name => 'raw tokens, kids and secrets', type => 'text',
		make => sub { somewhat(pick('k', 'kid-v1') . ':' . hex_digits(64)) },
		call => "ff_hmac_verify('s', 'k', 'msg', v) || ff_hmac_sign('s', v, 'msg')"
		  . " || (ff_seed_waitpoint_hmac_secret(CASE WHEN n % 2 = 0 THEN 'k1' ELSE v END, CASE WHEN n % 3 = 0 THEN v END)).outcome",
		kinds => [qw(invalid_kid invalid_secret_hex invalid_input)] },
	{ name => 'conditions', type => 'jsonb',
		make => sub { rand() < 0.15 ? json(4, \@condition_keys) : condition(pick(0, 1, 2, 3, 5)) },
		call => 'ff_validate_resume_condition(v)', kinds => [qw(invalid_input invalid_waitpoint_key)] },
	{ name => 'signals of a condition', type => 'jsonb', make => \&signals,
		call => 'ff_evaluate_resume_condition(ff_count_of(1, \'{a,b}\', \'sources\'), v)', kinds => ['invalid_input'] },
	{ name => 'bindings', type => 'jsonb',
		make => sub { rand() < 0.1 ? json(3, [qw(Fresh UsePending waitpoint_key waitpoint_id)])
			: '[' . join(',', map { binding() } 1 .. pick(0, 1, 1, 2, 3, rand() < 0.01 ? 260 : 1)) . ']' },
		call => "(ff_suspend($suspended{handle}, ff_when('a'), waitpoints => v)).outcome",
		kinds => [qw(invalid_input invalid_waitpoint_key already_suspended)] },
	{ name => 'resume policies', type => 'jsonb',
		make => sub { my @k = qw(resume_delay_ms consume_matched_signals retain_signal_buffer_until_closed close_waitpoint_on_resume resume_target);
			rand() < 0.1 ? json(2, \@k) : object(\@k, some('resume_delay_ms', \&number, 'consume_matched_signals', 'true',
				'retain_signal_buffer_until_closed', 'false', 'close_waitpoint_on_resume', 'true', 'resume_target', '"Runnable"')) },
		call => "(ff_suspend($suspended{handle}, ff_when('a'), resume_policy => v)).outcome",
		kinds => [qw(invalid_input already_suspended)] },
	{ name => 'execution policies', type => 'jsonb', make => \&policy,
		call => "(ff_create_execution('l', policy => v, flow_id => '00000000-0000-0000-0000-000000000001')).outcome",
		kinds => [qw(invalid_policy_json invalid_capabilities not_found)] },
	{ name => 'tags', type => 'jsonb', make => \&tags,
		call => "(ff_create_execution('l', tags => v, flow_id => '00000000-0000-0000-0000-000000000001')).outcome",
		kinds => [qw(invalid_input invalid_tag_key not_found)] },
	{ name => 'capabilities', type => 'text[]', make => \&capabilities,
		call => "ff_caps_hash(v) + (SELECT count(*) FROM ff_claim('nothing', 'w', 'w', capabilities => v))"
		  . " + (SELECT count(*) FROM ff_create_execution('l', required_capabilities => v, flow_id => '00000000-0000-0000-0000-000000000001'))",
		kinds => [qw(invalid_capabilities not_found)] },
	{ name => 'names of a signal and its source', type => 'text', make => sub { rand() < 0.3 ? pick(@words) : somewhat(pick(@words)) },
		# one of them at a time
		call => "(ff_deliver_signal('$e', '00000000-0000-0000-0000-000000000001', 'k1:00', "
		  . join(', ', map { "$text[$_] => CASE WHEN n % @{[ scalar @text ]} = $_ THEN v ELSE 'waitpoint' END" } 0 .. $#text)
		  . ')).outcome',
		kinds => [qw(invalid_input invalid_token)] },
	{ name => 'lanes and workers', type => 'text', make => sub { rand() < 0.3 ? pick(@words) : somewhat('default') },
		call => "ff_lane_partition(v) + ff_worker_partition(v) + (SELECT count(*) FROM ff_claim(v, 'w' || v, v))",
		kinds => ['invalid_input'] });

# make_inputs(DECODER, NUMBER): a file in COPY's text format. A generator of its own seed each, so
# that one decoder's inputs don't change with another's.
sub make_inputs
{
	my ($decoder, $number) = @_;
	my $path = $PostgreSQL::Test::Utils::tmp_check . "/fuzz.$number";
	srand($seed + $number);
	open my $file, '>:encoding(UTF-8)', $path or die "$path: $!";
	for (1 .. $count)
	{
		my $input = $decoder->{make}->();
		$input =~ s/\\/\\\\/g;
		$input =~ s/\n/\\n/g;
		$input =~ s/\r/\\r/g;
		$input =~ s/\t/\\t/g;
		print $file "$input\n";
	}
	close $file or die "$path: $!";
	return $path;
}

# The calls, in two halves: what the first leaves in the backend's memory is its caches, what the
# second adds would be a leak.
sub psql_input
{
	my ($decoder, $path) = @_;
	my $also = $decoder->{also} ? "IF NOT $decoder->{also} THEN RAISE EXCEPTION 'accepted, but not $decoder->{also}'; END IF;" : '';
	my $else = $decoder->{also} ? "IF $decoder->{also} THEN RAISE EXCEPTION 'refused, but $decoder->{also}'; END IF;" : '';
	my $codes = join ', ', map { "'$_'" } @{ $decoder->{kinds} };
	my $body = <<"SQL";
DECLARE
  v $decoder->{type};
  n integer;
  answer text;
  answers integer := 0;
  allowed text[] := ARRAY(SELECT sqlstate FROM ff.ff_error_code WHERE kind IN ($codes));
  raised jsonb := '{}';
BEGIN
  FOR v, n IN SELECT i.v, i.n FROM input i WHERE i.n % 2 = HALF LOOP
    BEGIN
      answer := $decoder->{call};
      $also
      answers := answers + 1;
    EXCEPTION WHEN OTHERS THEN
      $else
      IF SQLSTATE <> ALL (allowed) THEN
        INSERT INTO strange VALUES (SQLSTATE, SQLERRM, left(v::text, 400));
      END IF;
      raised := jsonb_set(raised, ARRAY[SQLSTATE], to_jsonb(coalesce((raised ->> SQLSTATE)::integer, 0) + 1));
    END;
  END LOOP;
  INSERT INTO tally VALUES (answers, raised);
END
SQL
	(my $first = $body) =~ s/HALF/0/;
	(my $second = $body) =~ s/HALF/1/;
	return <<"SQL";
SET search_path = ff, pg_temp;
SET synchronous_commit = off;
SET client_min_messages = error;
CREATE TEMP TABLE input (n integer GENERATED ALWAYS AS IDENTITY, v $decoder->{type});
CREATE TEMP TABLE strange (code text, message text, input text);
CREATE TEMP TABLE tally (answers integer, raised jsonb);
COPY input (v) FROM '$path';
DO \$do\$ $first \$do\$;
SELECT sum(total_bytes) AS before FROM pg_backend_memory_contexts \\gset
DO \$do\$ $second \$do\$;
SELECT 'inputs', count(*) FROM input;
SELECT 'answers', sum(answers) FROM tally;
SELECT 'raised', code, sum(number::integer) FROM tally, jsonb_each_text(raised) r (code, number) GROUP BY code ORDER BY code;
SELECT 'strange', code, message, input FROM strange ORDER BY length(input) LIMIT 5;
SELECT 'grown', (sum(total_bytes) - :before)::bigint FROM pg_backend_memory_contexts;
SELECT 'peak', (regexp_match(pg_read_file('/proc/self/status'), 'VmHWM:\\s+(\\d+) kB'))[1];
SQL
}

# Two at a time: a child makes the inputs and runs psql on them.
sub run_decoder
{
	my ($number) = @_;
	my $decoder = $decoders[$number];
	my $path = make_inputs($decoder, $number);
	my ($out, $err) = ('', '');
	IPC::Run::run(
		[ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres') ],
		'<', \psql_input($decoder, $path), '>', \$out, '2>', \$err, IPC::Run::timeout(300))
	  or $err .= "\npsql failed";
	unlink $path;
	open my $file, '>', "$path.result" or die "$path.result: $!";
	print $file $out, $err eq '' ? '' : "error|$err\n";
	close $file or die "$path.result: $!";
	return;
}

my %running;
for my $number (0 .. $#decoders)
{
	delete $running{ waitpid -1, 0 } if keys %running >= 2;
	my $pid = fork // die "fork: $!";
	if ($pid == 0)
	{
		eval { run_decoder($number); 1 } or warn $@;
		# none of the parent's END blocks
		require POSIX;
		POSIX::_exit(0);
	}
	$running{$pid} = 1;
}
waitpid $_, 0 for keys %running;

for my $number (0 .. $#decoders)
{
	my $decoder = $decoders[$number];
	my $name = $decoder->{name};
	my $result = eval { slurp_file($PostgreSQL::Test::Utils::tmp_check . "/fuzz.$number.result") } // 'error|no result';
	my %one = map { /^(\w+)\|(.*)$/s ? ($1 => $2) : () } split /\n/, $result;
	my ($raised) = join ' ', map { /^raised\|(\w+)\|(\d+)/ ? "$1:$2" : () } split /\n/, $result;

	is($one{inputs} // $result, $count, "$name: all inputs were tried");
	my @strange = grep { /^(?:strange|error)\|/ } split /\n/, $result;
	is("@strange", '', "$name: a value or an error of the catalogue");
	note("$name: " . ($one{answers} // '?') . " values, $raised, grown " . ($one{grown} // '?') . ', peak ' . ($one{peak} // '?') . ' kB');
	cmp_ok($one{grown} // 1e9, '<', 2_000_000, "$name: memory is given back");
	cmp_ok($one{peak} // 0, '<', 400_000, "$name: and was little");
	like($raised, qr/Z/, "$name: some are refused");
}

# --- What no generator would find: a document whose text is thousands of times its size.

my ($rc, $out, $err) = $node->psql('postgres', <<'SQL', on_error_stop => 0);
SET search_path = ff, public;
\set VERBOSITY sqlstate
CREATE TEMP TABLE bomb AS
  SELECT ('{"x":[' || string_agg('1e100000', ',') || ']}')::jsonb AS v FROM generate_series(1, 20000);
SELECT ff_create_execution('l', policy => v) FROM bomb;
SELECT ff_create_execution('l', tags => v) FROM bomb;
SELECT ff_validate_resume_condition(v) FROM bomb;
SELECT ff_evaluate_resume_condition('"OperatorOnly"', v -> 'x') FROM bomb;
SELECT (regexp_match(pg_read_file('/proc/self/status'), 'VmHWM:\s+(\d+) kB'))[1]::integer < 200000;
SQL
is($err =~ s/^psql:<stdin>:\d+: //mgr, join("\n", ('ERROR:  ZV001') x 4), 'numbers whose text is long: refused');
is($out, 't', 'and not printed to find out');

is($node->safe_psql('postgres', 'SELECT count(*) FROM ff.ff_exec_core'), '0', 'nothing was created');
is_consistent($node);
log_is_clean($node);
my $took = time - $begun;
cmp_ok($took, '<', $ENV{FF_FUZZ_COUNT} ? 1e9 : 60, 'within a minute');
note(sprintf '%.1f s', $took);
$node->stop;

done_testing();
