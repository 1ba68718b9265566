# What a run of fuzz says beside its findings. Figures are not shown.
# directed programs for which there was no time are named, in JSON as in the text
assay fuzz --subject glibc --programs directed --max-time 60ms --out d --json 2>err >out; python3 -c 'import json; d = json.loads(open("out").readlines()[-1])["directed"]; print(d["run"] + len(d["not_run"]) + len(d["not_reached"]) == d["of"], len(d["not_reached"]) > 0, "not reached before the end: %s and %d more, named in stats.json\n" % (" ".join(d["not_reached"][:12]), len(d["not_reached"]) - 12) in open("err").read())'
# and so does the last line, with the properties that were not judged for it
assay fuzz --subject glibc --runs 40 --seed 1 --out v --quiet 2>/dev/null | tail -n 1 | sed -E 's/[0-9]+ of [0-9]+/N of M/; s/--runs [0-9]+/--runs N/'
# earlier findings stay, and are told; those of another subject or build apart
for subject in "$BUILD/lib/zoo/libfree_errno.so" "$BUILD/lib/zoo/libfree_errno.so" glibc; do assay fuzz --subject "$subject" --programs random --runs 20 --seed 1 --out mixed --quiet 2>&1 | grep '^note: ' | sed -E "s,$PWD,HERE,; s/holds [0-9]+ findings?/holds N findings/; s/, [0-9]+ of/, N of/"; done
sed -i 's/"build_id": "/&0/' mixed/findings/*/finding.json; assay fuzz --subject "$BUILD/lib/zoo/libfree_errno.so" --programs random --runs 20 --seed 1 --out mixed --quiet 2>&1 | grep '^note: ' | sed -E "s,$PWD,HERE,; s/holds [0-9]+ findings?/holds N findings/; s/, [0-9]+ of/, N of/"
# what is no folder, and what is no profile
touch file; assay fuzz --subject glibc --out file --runs 1; mkdir folder; assay fuzz --subject glibc --profile folder --runs 1
# what the profile accepts and what a file suppresses are counted apart
printf '[profile]\nname = x\n[accepted]\nC19 = it is known\n' >x.ini; printf 'C19 * * = it is known\n' >known.txt
for how in "--profile x.ini" "--suppressions known.txt"; do assay fuzz --subject "$BUILD/lib/zoo/libfree_errno.so" --programs random --runs 40 --seed 1 --out s $how --json 2>/dev/null | tail -n 1 | python3 -c 'import json,sys; s = json.loads(sys.stdin.read()); print(s["findings"], s["accepted"], s["suppressed"])'; done
# a row that is not judged says why: what the subject has not, what was not asked for
assay fuzz --subject glibc --programs random --runs 300 --seed 1 --out j --junit j.xml --sarif j.sarif >/dev/null 2>&1; sed -nE 's/.*name="(C17|C24|C25|C31|S01|T03) .*/\1/p; s/.*skipped message="(not judged: [^"]*)".*/\1/p' j.xml | grep -A1 '^[CST]'
grep -oE '"C25 was not judged: [^"]*"' j.sarif
