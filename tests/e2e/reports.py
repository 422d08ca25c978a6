# SPDX-License-Identifier: ISC
"""A notice as two parsers read it that we did not write: Python's email, and
Perl's MIME-tools with Mail::DeliveryStatus::BounceParser (a bounce processor
of mailing lists, in Debian)."""
import email
import email.policy
import json
import subprocess

from until import DEADLINE_S

PERL = r"""
use strict; use warnings;
use MIME::Parser; use Mail::Header; use JSON::PP;
use Mail::DeliveryStatus::BounceParser;
local $/; my $raw = <STDIN>;
my $parser = MIME::Parser->new;
$parser->output_to_core(1); $parser->tmp_to_core(1);
$parser->extract_nested_messages(0);
my $mail = $parser->parse_data($raw);
my @parts = map { { type => $_->effective_type,
                    text => $_->bodyhandle->as_string } } $mail->parts;
my ($status) = grep { $_->{type} =~ /delivery-status$/ } @parts;
my @groups;
for my $g (split /\n\n+/, $status->{text} =~ s/\r//gr) {
    my $h = Mail::Header->new([map { "$_\n" } split /\n/, $g]);
    my %f = map { my $v = $h->get($_); $v =~ s/\n\s*/ /g;
                  $v =~ s/\s+$//; (lc $_ => $v) } $h->tags;
    push @groups, \%f;
}
(my $stored = $raw) =~ s/\r\n/\n/g;  # as a mailbox has it
my $b = eval { Mail::DeliveryStatus::BounceParser->new($stored,
               {report_non_bounces => 1}) };
my @reports = map { { email => $_->get("email"),
                      reason => $_->get("std_reason") } }
              ($b ? $b->reports : ());
s/\s+$// for map { values %$_ } @reports;
print JSON::PP->new->utf8->encode({
    type => $mail->effective_type, parts => \@parts, groups => \@groups,
    encoding => $mail->head->mime_encoding,
    bounce => ($b && $b->is_bounce) ? 1 : 0, reports => \@reports,
    boundaries => scalar(@parts) });
"""


class Fields(dict):
    """Their names without case."""

    def __getitem__(self, name):
        return super().__getitem__(name.lower())

    def __contains__(self, name):
        return super().__contains__(name.lower())


class Report:
    """The fields that both parsers agree on; else the test has failed."""

    def __init__(self, raw):
        self.mail = email.message_from_bytes(raw,
                                             policy=email.policy.default)
        assert not self.mail.defects, self.mail.defects
        assert self.mail.get_content_type() == "multipart/report"
        assert self.mail.get_param("report-type") == "delivery-status"
        self.text, self.status, self.original = self.mail.iter_parts()
        for part in (self.text, self.status, self.original):
            assert not part.defects, part.defects
        self.perl = self.read_with_perl(raw)
        self.fields, *self.rcpts = map(Fields, self.perl["groups"])
        self.compare()

    @staticmethod
    def read_with_perl(raw):
        done = subprocess.run(["perl", "-e", PERL], input=raw,
                              capture_output=True, timeout=DEADLINE_S)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def compare(self):
        assert self.perl["type"] == "multipart/report"
        assert [p["type"] for p in self.perl["parts"]] == \
            [p.get_content_type() for p in self.mail.iter_parts()]
        if self.status.get_content_type() != "message/delivery-status":
            return      # Python knows no other
        groups = [{k.lower(): v for k, v in g.items()}
                  for g in self.status.get_payload()]
        assert groups == self.perl["groups"]

    @property
    def only(self):
        assert len(self.rcpts) == 1, self.rcpts
        return self.rcpts[0]

    @property
    def words(self):
        """The first part on one line."""
        return " ".join(self.text.get_content().split())

    @property
    def returned(self):
        """The third part as it stands."""
        return self.perl["parts"][2]["text"]
