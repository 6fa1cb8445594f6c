/* SPDX-License-Identifier: Apache-2.0 */
#include "op/identity.h"

#include "config/settings.h"

char *identity_host(const char *option)
{
    const char *set = option ? option : settings_env("HOST");

    return g_strdup(set ? set : g_get_host_name());
}

char *identity_user(void)
{
    return g_strdup(g_get_user_name());
}
