/* expect ABRT: bulwark: size mismatch: address ADDRESS, size 300000, state live, freed with size
 * 299999 */
#include "death.h"

int main(void)
{
    char *p = HIDE(malloc(300000));
    SHOW(p);
    free_sized(p, 299999);
    return 0;
}
