/* The catalogue of properties as JSON and as a graph: what `properties` and `list` print. */
#ifndef ASSAY_CATALOGUE_H
#define ASSAY_CATALOGUE_H

#include <jansson.h>
#include <stdio.h>

/* id severity statement judged_by needs optional unit source policy formula relations. New
 * reference. */
json_t *assay_catalogue_row(unsigned property);
/* All rows in the order of the catalogue. New reference. */
json_t *assay_catalogue_rows(void);
/* The ontology in the language of Graphviz. */
void assay_catalogue_dot(FILE *out);

#endif
