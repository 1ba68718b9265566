#include "tools/emit.h"

#include <stdlib.h>

#include "traces/core/error.h"

void assay_emit_object(struct assay_emit *emit, const char *schema, json_t *object)
{
    if (emit->json) {
        json_t *line = json_pack("{s:s}", "schema", schema);
        ASSAY_CHECK(line && json_object_update(line, object) == 0);
        char *text = json_dumps(line, JSON_COMPACT | JSON_PRESERVE_ORDER);
        ASSAY_CHECK(text);
        puts(text);
        fflush(stdout);
        free(text);
        json_decref(line);
    }
    json_decref(object);
}

FILE *assay_emit_text(struct assay_emit *emit)
{
    return emit->json ? stderr : stdout;
}
