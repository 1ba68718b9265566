/* What is said behind a word that is not known: "; did you mean 'null'?", or where to look. Host
 * only. */
#ifndef ASSAY_HINT_H
#define ASSAY_HINT_H

struct assay_hint {
    char text[96];
};

struct assay_hint assay_hint_relation(const char *word);
struct assay_hint assay_hint_op(const char *word);
/* Of profiles. */
struct assay_hint assay_hint_key(const char *word);

#endif
