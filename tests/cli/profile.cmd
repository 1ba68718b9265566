# Profiles: usage, a part of one that never differs, one against the other.
assay profile
assay profile glibc jemalloc
assay profile glibc --keys colour
assay profile glibc --keys ''
assay profile glibc --keys ,
assay profile glibc --keys min_alignment -o x.ini
assay profile glibc --check x.ini -o y.ini
assay profile nothing
assay profile glibc --check /nonexistent.ini
assay profile glibc --keys malloc_zero_null,realloc_zero,detects_sized_mismatch,cheri_mantissa -q --json 2>/dev/null | sed 's/"build_id":"[^"]*"/"build_id":"B"/;s/"seconds":[0-9.]*/"seconds":S/;s/"missing":[^]]*/"missing":[/'
assay profile bulwark --keys malloc_zero_null,realloc_zero,zero_size_faults -q 2>/dev/null | sed 1,/^.profile./d
printf '[profile]\nname = x\nmalloc_zero_null = yes\nrealloc_zero = frees\n' >x.ini; assay profile glibc --check x.ini --keys malloc_zero_null,realloc_zero,delays_reuse -q --trials 8 | sed '$d'; rm x.ini
