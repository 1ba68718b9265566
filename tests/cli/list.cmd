assay list
assay list --json
assay list commands | sed 1q
assay list nonsense
assay list commands properties
assay list properties --json | head -1
