assay properties T03
assay properties C37 --json
assay properties --json | wc -l | tr -d " "
assay properties --json | grep -c '"judged_by":"oracle"'
assay properties --dot | sed -n '1p;$p'
assay properties --dot | grep -c -- '->'
assay properties X99
assay properties C01 C02
assay properties --dot --json
assay properties c05 | sed -n 1p
assay properties T04
assay list properties | grep -E '^(C01|S09|P01)' | sed -E 's/ +/ /g'
assay list properties | grep -c ' none$'
assay list properties | grep -c ' $'
