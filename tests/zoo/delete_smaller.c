/* A sized delete may say less than the object has. */
#define OPERATORS_SIZE_FITS(bytes, said) ((said) <= (bytes))
#include "tests/zoo/operators.h"
