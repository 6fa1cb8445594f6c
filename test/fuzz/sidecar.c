/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the manifest beside a small script of pg_dump: whatever it records, the script comes
 * out whole or is refused. */
#include "importbytes.h"
#include "op/importsidecar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const char script[] = "--\n-- PostgreSQL database dump\n--\n\n"
                             "-- Dumped from database version 15.3\n\n"
                             "CREATE TABLE public.t (\n    a integer\n);\n\n"
                             "COPY public.t (a) FROM stdin;\n1\n2\n\\.\n\n"
                             "--\n-- PostgreSQL database dump complete\n--\n\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    g_autoptr(GBytes) text = g_bytes_new(data, len);
    g_autoptr(GError) error = NULL;
    json_t *sidecar = NULL;

    if (import_sidecar_parse("x.manifest.json", text, &sidecar, &error))
        import_bytes((const uint8_t *)script, sizeof script - 1, "x.sql", IMPORT_SQL, IMPORT_DETECT,
                     sidecar);
    else
        g_assert_nonnull(error);
    json_decref(sidecar);
    return 0;
}
