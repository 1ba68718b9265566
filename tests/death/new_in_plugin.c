/* expect exit 0: nothing */
#include <dlfcn.h>

#include "death.h"

/* The C++ library comes with a plug-in, for the plug-in alone. */
int main(void)
{
    void *plugin = dlopen("$ORIGIN/plugin.so", RTLD_NOW | RTLD_LOCAL);
    if (plugin == NULL)
        return puts(dlerror()), 1;
    int (*run)(size_t) = (int (*)(size_t))dlsym(plugin, "plugin_run");
    return run(SIZE_MAX / 4) == 3 ? 0 : 2;
}
