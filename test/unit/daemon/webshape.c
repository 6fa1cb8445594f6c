/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/webshape.h"

#include "base/error.h"
#include <string.h>

static const char *const colours[] = { "red", "green", NULL };
static const ShapeField part_fields[] = {
    { "size", SHAPE_INT, SHAPE_REQUIRED, .min = 1, .max = 9 },
    { NULL },
};
static const Shape part = { "Part", part_fields };
static const ShapeField thing_fields[] = {
    { "name", SHAPE_TEXT, SHAPE_REQUIRED, .min = 2, .max = 4 },
    { "colour", SHAPE_TEXT, 0, .words = colours },
    { "id", SHAPE_ID, SHAPE_NULL },
    { "at", SHAPE_TIME },
    { "on", SHAPE_BOOL },
    { "ratio", SHAPE_NUMBER },
    { "names", SHAPE_TEXTS, .max = 2 },
    { "part", SHAPE_OBJECT, .of = &part },
    { "parts", SHAPE_LIST, .of = &part },
    { "any", SHAPE_ANY },
    { NULL },
};
static const Shape thing = { "Thing", thing_fields };

static const Shape *const forms[] = { &part, &thing, NULL };
static const Shape either = { "Either", .forms = forms };

static void bodies_are_checked(void)
{
    static const struct {
        const char *text, *problem; // NULL: it is taken
    } cases[] = {
        { "{\"name\":\"ab\"}", NULL },
        { "{\"name\":\"ab\",\"colour\":\"red\",\"id\":null,\"at\":\"2026-11-21T03:00:00Z\",\"on\":"
          "false,"
          "\"ratio\":1,\"names\":[\"a\"],\"part\":{\"size\":9},\"parts\":[{\"size\":1}],\"any\":[[{"
          "}]]}",
          NULL },
        { "", "no JSON" },
        { "{", "no JSON" },
        { "nul", "no JSON" },
        { "[]", "must be an object" },
        { "{\"name\":\"ab\"} x", "no JSON" },
        { "{\"name\":\"ab\",\"name\":\"cd\"}", "comes twice" },
        { "{\"name\":\"\\ud800\"}", "no JSON" },
        { "{\"name\":\"a\\u0000b\"}", "no JSON" },
        { "{\"name\":\"\xff\xff\"}", "no JSON" },
        { "{}", "'name' is missing" },
        { "{\"name\":\"a\"}", "/name: is shorter" },
        { "{\"name\":\"abcde\"}", "/name: is longer" },
        { "{\"name\":7}", "/name: is not: text" },
        { "{\"name\":null}", "/name: is not: text" },
        { "{\"name\":\"ab\",\"nam\":1}", "/nam: is not known" },
        { "{\"name\":\"ab\",\"a/b~\":1}", "/a~1b~0: is not known" },
        { "{\"name\":\"ab\",\"colour\":\"blue\"}", "/colour: is none of red, green" },
        { "{\"name\":\"ab\",\"id\":\"0123456789ABCDEF0123456789abcdef\"}", "/id: is no id" },
        { "{\"name\":\"ab\",\"at\":\"yesterday\"}", "/at: is no time" },
        { "{\"name\":\"ab\",\"on\":1}", "/on: is not: true" },
        { "{\"name\":\"ab\",\"names\":[\"a\",\"b\",\"c\"]}", "/names: has more than 2" },
        { "{\"name\":\"ab\",\"names\":[1]}", "/names/0: is no text" },
        { "{\"name\":\"ab\",\"part\":{\"size\":10}}", "/part/size: is not from 1 to 9" },
        { "{\"name\":\"ab\",\"part\":{\"size\":1e99}}", "/part/size: is not: number" },
        { "{\"name\":\"ab\",\"part\":{\"size\":99999999999999999999}}", "no JSON" },
        { "{\"name\":\"ab\",\"part\":{}}", "/part: 'size' is missing" },
        { "{\"name\":\"ab\",\"parts\":[{\"size\":1},{\"x\":1}]}", "/parts/1/x: is not known" },
        { "{\"name\":\"ab\",\"any\":[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]}", NULL },
        { "{\"name\":\"ab\",\"any\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}", "more than 16 deep" },
        { "{\"name\":\"[{[{\",\"any\":\"\\\"[[[[[[[[[[[[[[[[[[\"}", NULL },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        json_t *object = NULL;
        g_autofree char *shown = g_utf8_make_valid(cases[i].text, -1);
        bool taken = shape_parse(&thing, cases[i].text, strlen(cases[i].text), &object, &error);

        g_test_message("%s: %s", shown, error ? error->message : "taken");
        json_decref(object);
        g_assert_cmpint(taken, ==, cases[i].problem == NULL);
        if (!taken) {
            g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
            g_assert_nonnull(strstr(error->message, cases[i].problem));
        }
    }
}

static void a_body_has_one_of_the_forms(void)
{
    static const struct {
        const char *text, *problem; // NULL: it is taken
    } cases[] = {
        { "{\"size\":1}", NULL },
        { "{\"name\":\"ab\"}", NULL },
        { "{\"size\":0}", "/size: is not from 1 to 9" },
        { "{\"size\":1,\"name\":\"ab\"}", "/name: is not known" },
        { "{\"name\":\"a\"}", "/name: is shorter" },
        { "{}", "'name' is missing" },
        { "[]", "must be an object" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        json_t *object = NULL;

        g_test_message("%s", cases[i].text);
        g_assert_cmpint(shape_parse(&either, cases[i].text, strlen(cases[i].text), &object, &error),
                        ==, cases[i].problem == NULL);
        json_decref(object);
        if (cases[i].problem)
            g_assert_nonnull(strstr(error->message, cases[i].problem));
    }
}

/* A million brackets are refused without a frame of the stack for each. */
static void depth_costs_nothing(void)
{
    g_autofree char *text = g_strnfill(1000000, '[');
    json_t *object;

    g_assert_false(shape_parse(&thing, text, strlen(text), &object, NULL));
}

static void schemas_say_what_is_checked(void)
{
    json_t *schemas = json_object();
    json_t *reference = shape_schema(&thing, schemas);
    json_t *schema = json_object_get(schemas, "Thing");

    g_assert_cmpstr(shape_text(reference, "$ref"), ==, "#/components/schemas/Thing");
    g_assert_true(json_is_false(json_object_get(schema, "additionalProperties")));
    g_assert_cmpuint(json_array_size(json_object_get(schema, "required")), ==, 1);
    g_assert_cmpuint(json_object_size(json_object_get(schema, "properties")), ==, 10);
    g_assert_nonnull(json_object_get(schemas, "Part"));
    json_decref(reference);
    json_decref(shape_schema(&either, schemas));
    reference = json_array_get(json_object_get(json_object_get(schemas, "Either"), "oneOf"), 1);
    g_assert_cmpstr(shape_text(reference, "$ref"), ==, "#/components/schemas/Thing");
    json_decref(schemas);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/daemon/webshape/bodies-are-checked", bodies_are_checked);
    g_test_add_func("/daemon/webshape/a-body-has-one-of-the-forms", a_body_has_one_of_the_forms);
    g_test_add_func("/daemon/webshape/depth-costs-nothing", depth_costs_nothing);
    g_test_add_func("/daemon/webshape/schemas-say-what-is-checked", schemas_say_what_is_checked);
    return g_test_run();
}
