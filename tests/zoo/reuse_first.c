/* What was freed last is handed out next. */
#define HARD_QUEUE(slot, class_index) ((void)(slot), (void)hard_last[class_index])
#include "tests/zoo/hardened.h"
