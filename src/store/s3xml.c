/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3xml.h"

#include "base/error.h"

#include <string.h>

#define DEPTH_MAX 16

typedef struct {
    S3XmlEach each;
    void *user;
    GString *path, *text;
    unsigned depth;
    GError *failure; /* of each */
} Reading;

/* "s3:Key" is Key. */
static const char *local_name(const char *name)
{
    const char *colon = strchr(name, ':');

    return colon ? colon + 1 : name;
}

static void start_element(G_GNUC_UNUSED GMarkupParseContext *context, const gchar *name,
                          G_GNUC_UNUSED const gchar **names, G_GNUC_UNUSED const gchar **values,
                          gpointer user, GError **error)
{
    Reading *reading = user;

    if (++reading->depth > DEPTH_MAX) {
        g_set_error_literal(error, G_MARKUP_ERROR, G_MARKUP_ERROR_INVALID_CONTENT, "too deep");
        return;
    }
    if (reading->path->len > 0)
        g_string_append_c(reading->path, '/');
    g_string_append(reading->path, local_name(name));
    g_string_truncate(reading->text, 0);
}

static void end_element(G_GNUC_UNUSED GMarkupParseContext *context, G_GNUC_UNUSED const gchar *name,
                        gpointer user, GError **error)
{
    Reading *reading = user;
    const char *slash;

    if (!reading->each(reading->path->str, reading->text->str, reading->user, &reading->failure)) {
        g_set_error_literal(error, G_MARKUP_ERROR, G_MARKUP_ERROR_INVALID_CONTENT, "ended");
        return;
    }
    slash = strrchr(reading->path->str, '/');
    g_string_truncate(reading->path, slash ? (gsize)(slash - reading->path->str) : 0);
    g_string_truncate(reading->text, 0);
    reading->depth--;
}

static void text_between(G_GNUC_UNUSED GMarkupParseContext *context, const gchar *text, gsize len,
                         gpointer user, G_GNUC_UNUSED GError **error)
{
    Reading *reading = user;

    g_string_append_len(reading->text, text, (gssize)len);
}

static bool parse(const char *xml, size_t len, Reading *reading, GError **error)
{
    static const GMarkupParser parser = { .start_element = start_element,
                                          .end_element = end_element,
                                          .text = text_between };
    g_autoptr(GMarkupParseContext) context =
        g_markup_parse_context_new(&parser, G_MARKUP_TREAT_CDATA_AS_TEXT, reading, NULL);

    return g_markup_parse_context_parse(context, xml, (gssize)len, error) &&
           g_markup_parse_context_end_parse(context, error);
}

/* A byte order mark is no part of the text. */
static void skip_mark(const char **xml, size_t *len)
{
    if (*len >= 3 && memcmp(*xml, "\xef\xbb\xbf", 3) == 0) {
        *xml += 3;
        *len -= 3;
    }
}

bool s3_xml_read(const char *xml, size_t len, S3XmlEach each, void *user, GError **error)
{
    g_autoptr(GString) path = g_string_new(NULL);
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GError) failure = NULL;
    Reading reading = { .each = each, .user = user, .path = path, .text = text };

    skip_mark(&xml, &len);
    // an answer without a body has no address
    if (len > 0 && parse(xml, len, &reading, &failure))
        return true;
    if (reading.failure)
        g_propagate_error(error, reading.failure);
    else
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "not the XML of an S3 server: %s",
                    failure ? failure->message : "empty");
    return false;
}

bool s3_xml_is(const char *xml, size_t len, const char *root)
{
    size_t root_len = strlen(root);
    const char *end;

    if (len == 0) // and then perhaps no address
        return false;
    end = xml + len;
    skip_mark(&xml, &len);
    for (;;) {
        while (xml < end && g_ascii_isspace(*xml))
            xml++;
        if (end - xml < 2 || *xml != '<')
            return false;
        if (xml[1] != '?')
            break;
        xml = memchr(xml, '>', (size_t)(end - xml));
        if (!xml)
            return false;
        xml++;
    }
    return (size_t)(end - xml) > root_len + 1 && memcmp(xml + 1, root, root_len) == 0 &&
           !g_ascii_isalnum(xml[1 + root_len]);
}

void s3_xml_add(GString *xml, const char *name, const char *text)
{
    g_autofree char *escaped = g_markup_escape_text(text, -1);

    g_string_append_printf(xml, "<%s>%s</%s>", name, escaped, name);
}
