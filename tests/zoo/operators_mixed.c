/* What new made may be released by delete[], and what new[] made by delete: both are operators. */
#define OPERATORS_MATCH(made, by) ((made) == (by) || ((made) && (by)))
#include "tests/zoo/operators.h"
