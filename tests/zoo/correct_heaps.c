/* Correct, with a heap for each thread that others mail to, and the next thread inherits. */
#include "tests/zoo/heaps.h"
