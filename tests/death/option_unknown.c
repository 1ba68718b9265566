/* expect exit 0: bulwark: BULWARK_OPTIONS: 'swep=0' is no option: see help=1.bulwark:
 * BULWARK_OPTIONS: 'sweep=9' is no option: see help=1.bulwark: BULWARK_OPTIONS: 'trap=1x' is no
 * option: see help=1.bulwark: BULWARK_OPTIONS: 'seed' is no option: see help=1 */
#include "death.h"

int main(void)
{
    with_options("swep=0:sweep=9::trap=1x:seed");
    free(HIDE(malloc(24)));
    return 0;
}
