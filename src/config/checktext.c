/* SPDX-License-Identifier: Apache-2.0 */
#include "config/checking.h"

#include "base/error.h"
#include "base/secret.h"
#include "config/reference.h"
#include <string.h>

#define NAME_MAX_BYTES 64
#define TEXT_MAX_BYTES 16384

bool check_name(const char *name, GError **error)
{
    size_t len = strlen(name);

    if (len > 0 && len <= NAME_MAX_BYTES && g_ascii_isalnum(*name) &&
        strspn(name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "._-") == len)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CONFIG,
                "is no name; write letters, digits, \".\", \"_\" and \"-\", at most %d, beginning "
                "with a letter or digit",
                NAME_MAX_BYTES);
    return false;
}

/* ---- references ---- */

/* Not of command://: what would be run to read a configuration? */
static bool is_looked_up(const char *text)
{
    return reference_is(text) && !g_str_has_prefix(text, "command://");
}

bool check_resolve(const Check *check, const char *text, const char *pointer, char **ret_text)
{
    g_autoptr(Secret) value = NULL;
    g_autoptr(GError) problem = NULL;

    *ret_text = NULL;
    if (!check->resolve || !is_looked_up(text))
        return true;
    if (!reference_resolve("this value", text, &value, &problem)) {
        problems_add(check->problems, pointer, "%s", problem->message);
        return false;
    }
    *ret_text = g_strdup(secret_data(value));
    return true;
}

static bool is_reference(const Field *field)
{
    return field->type && field->type->reference;
}

json_t *check_resolved(const Check *check, const Field *field, const json_t *value,
                       const char *pointer)
{
    g_autofree char *text = NULL;
    gint64 number;

    if (!json_is_string(value) || is_reference(field))
        return json_incref((json_t *)value);
    if (!check_resolve(check, json_string_value(value), pointer, &text))
        return NULL;
    if (!text)
        return json_incref((json_t *)value);
    if (field->kind == FIELD_FLAG && (strcmp(text, "true") == 0 || strcmp(text, "false") == 0))
        return json_boolean(*text == 't');
    if (field->kind == FIELD_NUMBER &&
        g_ascii_string_to_signed(text, 10, G_MININT, G_MAXINT, &number, NULL))
        return json_integer(number);
    return g_utf8_validate(text, -1, NULL) ? json_string(text) : json_string("");
}

/* ---- texts ---- */

static char *word_list(const char *const *words)
{
    g_autofree char *list = g_strjoinv(", ", (char **)words);

    return g_strdup_printf("one of %s", list);
}

static char *what_stands_there(const Field *field)
{
    if (field->words)
        return word_list(field->words);
    if (field->section)
        return g_strdup_printf("a name of %s", field->section);
    return g_strdup(field->type->what);
}

static bool fits_words(const Check *check, const Field *field, const char *text,
                       const char *pointer)
{
    g_autofree char *list = NULL;

    if (g_strv_contains(field->words, text))
        return true;
    list = word_list(field->words);
    problems_add(check->problems, pointer, "\"%s\" is not known; write %s", text, list);
    return false;
}

static bool names_something(const Check *check, const Field *field, const char *text,
                            const char *pointer)
{
    const json_t *section;
    g_autoptr(GString) known = NULL;
    const char *name;
    const json_t *value;

    if (!check->sections)
        return true;
    section = json_object_get(check->sections, field->section);
    if (json_object_get(section, text))
        return true;
    known = g_string_new(NULL);
    json_object_foreach((json_t *)section, name, value)
        g_string_append_printf(known, "%s%s", known->len > 0 ? ", " : "", name);
    problems_add(check->problems, pointer, "there is no \"%s\" in %s; there %s", text,
                 field->section, known->len > 0 ? "is: " : "is none");
    if (known->len > 0) {
        Problem *problem = g_ptr_array_index(check->problems, check->problems->len - 1);
        char *whole = g_strconcat(problem->text, known->str, NULL);

        g_free(problem->text);
        problem->text = whole;
    }
    return false;
}

static bool fits_type(const Check *check, const FieldType *type, const char *text,
                      const char *pointer)
{
    g_autoptr(GError) problem = NULL;

    if (type->parse(text, NULL, &problem))
        return true;
    // what was found is told with the error or not at all: it may be a secret
    problems_add(check->problems, pointer, "%s", problem->message);
    return false;
}

static bool fits_text(const Check *check, const Field *field, const char *text, const char *pointer)
{
    if (strlen(text) > TEXT_MAX_BYTES) {
        problems_add(check->problems, pointer, "longer than %d bytes", TEXT_MAX_BYTES);
        return false;
    }
    if (field->words)
        return fits_words(check, field, text, pointer);
    if (field->section)
        return names_something(check, field, text, pointer);
    return fits_type(check, field->type, text, pointer);
}

json_t *check_wrong_kind(const Check *check, const json_t *value, const char *pointer,
                         const char *wanted)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "a list",    [JSON_STRING] = "a text",
        [JSON_INTEGER] = "a number", [JSON_REAL] = "a fraction", [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",      [JSON_NULL] = "nothing",
    };

    problems_add(check->problems, pointer, "%s stands here; write %s", names[json_typeof(value)],
                 wanted);
    return NULL;
}

json_t *check_text(const Check *check, const Field *field, const json_t *value, const char *pointer)
{
    g_autofree char *text = NULL, *normal = NULL, *wanted = what_stands_there(field);

    if (json_is_integer(value) && field->type && field->type->number)
        text = g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_string(value))
        text = g_strdup(json_string_value(value));
    else if (json_is_null(value) || !field->type || !field->type->reference)
        return check_wrong_kind(check, value, pointer, wanted);
    else
        text = g_strdup("");
    if (!fits_text(check, field, text, pointer))
        return NULL;
    if (field->type && field->type->normal)
        normal = field->type->normal(text);
    return json_string(normal ? normal : text);
}
