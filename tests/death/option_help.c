/* expect debug exit 0: bulwark: BULWARK_OPTIONS=name=number:name=number. *help: .*. *seed: .* */
#include "death.h"

int main(void)
{
    with_options("help=1");
    free(HIDE(malloc(24)));
    return 0;
}
