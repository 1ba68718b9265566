#!/usr/bin/env bash
# shellcheck source=tests/carry/carry.sh
. "$(dirname "$0")/carry.sh"
need perl
cat >work.pl <<'PL'
use strict; use warnings;
srand(7);
my (%h, @a);
for my $i (1 .. 200000) { my $k = "k" . int(rand(20000)); $h{$k} .= "x" x ($i % 13); push @a, $k if $i % 3 == 0; }
my $total = 0; $total += length($h{$_}) for sort keys %h;
my $text = join(" ", @a); my $count = () = $text =~ /k(\d)(\d)\d*\2/g;
my @sorted = sort { length($a) <=> length($b) || $a cmp $b } @a;
my $copy = [ map { { name => $_, list => [ 1 .. length($_) ] } } @sorted[0 .. 5000] ];
my $pid = fork(); if (!$pid) { my @z = map { "y" x $_ } 1 .. 2000; exit(@z == 2000 ? 0 : 1); }
waitpid($pid, 0);
print "$total $count $sorted[0] $sorted[-1] ", scalar(@$copy), " $?\n";
PL
same perl "$work/work.pl"
