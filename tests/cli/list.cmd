assay list
assay list --json
assay list commands | sed 1q | tr -s " "
assay list nonsense
assay list commands properties
assay list relations
assay list properties --json | sed -n 1p | cut -c1-60
