# A psql that stays open: for tests in which one session waits while another works.
package FfSession;

use strict;
use warnings FATAL => 'all';

use IPC::Run ();

# new(NODE, DATABASE): a session; database postgres by default. What it prints has no decoration.
sub new
{
	my ($class, $node, $db) = @_;
	my $self = bless { in => '', out => '', err => '', asked => 0 }, $class;

	$self->{psql} = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr($db // 'postgres') ],
		'<', \$self->{in}, '>', \$self->{out}, '2>', \$self->{err}, IPC::Run::timeout(120));
	return $self;
}

# tell(SQL): sends it, does not wait for the answer.
sub tell
{
	my ($self, $sql) = @_;

	$self->{asked}++;
	$self->{in} .= "$sql\n;\\echo <answer $self->{asked}>\n";
	$self->{psql}->pump_nb while length $self->{in};
	return;
}

# answer(): what psql printed for all that was told since the last answer.
sub answer
{
	my ($self) = @_;
	my $end = "<answer $self->{asked}>";

	$self->{psql}->pump until $self->{out} =~ /\Q$end\E/;
	(my $answer = $self->{out}) =~ s/<answer \d+>\n//g;
	$self->{out} = '';
	$answer =~ s/\n\z//;
	return $answer;
}

sub ask
{
	my ($self, $sql) = @_;

	$self->tell($sql);
	return $self->answer;
}

# errors(): what psql printed of errors and warnings so far, once.
sub errors
{
	my ($self) = @_;
	my $errors = $self->{err};

	$self->{err} = '';
	return $errors;
}

# Ends the session, whatever became of its server.
sub end
{
	my ($self) = @_;

	$self->{in} .= "\\q\n";
	eval { $self->{psql}->finish };
	return;
}

1;
