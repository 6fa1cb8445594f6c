/* SPDX-License-Identifier: Apache-2.0 */
#include "config/yaml.h"

#include <string.h>

typedef struct {
    GHashTable *marks;
    Problems *problems;
    json_t *root;
} Reading;

static bool read_text(Reading *reading, const char *text)
{
    *reading = (Reading){ .marks = marks_new(), .problems = problems_new() };
    return yaml_parse(text, strlen(text), &reading->root, reading->marks, reading->problems);
}

static void reading_done(Reading *reading)
{
    g_hash_table_unref(reading->marks);
    g_ptr_array_unref(reading->problems);
    json_decref(reading->root);
}

static void files_become_json(void)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "", "{}" },
        { "# nothing\n", "{}" },
        { "---\n...\n", "null" },
        { "a: 1\nb: -20\nc: text\n", "{'a':1,'b':-20,'c':'text'}" },
        { "a: ~\nb:\nc: null\n", "{'a':null,'b':null,'c':null}" },
        { "a: true\nb: False\nc: yes\nd: off\n", "{'a':true,'b':false,'c':'yes','d':'off'}" },
        { "a: '1'\nb: \"true\"\nc: 'null'\n", "{'a':'1','b':'true','c':'null'}" },
        { "a: 007\nb: 0x10\nc: 1.5\nd: 12:30\ne: +1\nf: 0\n",
          "{'a':'007','b':'0x10','c':'1.5','d':'12:30','e':'+1','f':0}" },
        { "a: 99999999999999999999\n", "{'a':'99999999999999999999'}" },
        { "a: [1, [2, {b: c}], '']\n", "{'a':[1,[2,{'b':'c'}],'']}" },
        { "a: |\n  two\n  lines\n", "{'a':'two\\nlines\\n'}" },
        { "a: 2026-11-21T04:00:00Z\n", "{'a':'2026-11-21T04:00:00Z'}" },
        { "a: &x {b: 1}\nc: *x\n", "{'a':{'b':1},'c':{'b':1}}" },
        { "a: &x [1]\nb: &x [2]\nc: *x\n", "{'a':[1],'b':[2],'c':[2]}" },
        { "<<: {a: 1}\n", "{'<<':{'a':1}}" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *json = g_strdelimit(g_strdup(cases[i].want), "'", '"');
        json_auto_t *want = json_loads(json, JSON_DECODE_ANY, NULL);
        Reading reading;

        g_test_message("%s", cases[i].text);
        g_assert_nonnull(want);
        g_assert_true(read_text(&reading, cases[i].text));
        g_assert_true(json_equal(reading.root, want));
        g_assert_cmpuint(reading.problems->len, ==, 0);
        reading_done(&reading);
    }
}

static void values_know_where_they_stand(void)
{
    static const struct {
        const char *pointer;
        unsigned line, column, key_line, key_column;
    } cases[] = {
        { "/a", 2, 4, 2, 1 },    { "/b", 4, 3, 3, 1 },     { "/b/c", 4, 6, 4, 3 },
        { "/b/d", 6, 5, 5, 3 },  { "/b/d/0", 6, 7, 6, 7 }, { "/b/d/1", 7, 7, 7, 7 },
        { "/e~1f", 8, 6, 8, 1 }, { "/g", 9, 4, 9, 1 },     { "/g/c", 4, 6, 4, 3 },
        { "/u", 10, 8, 10, 1 },
    };
    Reading reading;

    g_assert_true(read_text(&reading, "# comment\n"
                                      "a: 1\n"
                                      "b: &b\n"
                                      "  c: x\n"
                                      "  d:\n"
                                      "    - one\n"
                                      "    - two\n"
                                      "e/f: y\n"
                                      "g: *b\n"
                                      "u:     \"\u00e4\"\n"));
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        const Mark *mark = marks_find(reading.marks, cases[i].pointer);

        g_assert_nonnull(mark);
        g_test_message("%s: %u:%u key %u:%u", cases[i].pointer, mark->line, mark->column,
                       mark->key_line, mark->key_column);
        g_assert_cmpuint(mark->line, ==, cases[i].line);
        g_assert_cmpuint(mark->column, ==, cases[i].column);
        g_assert_cmpuint(mark->key_line, ==, cases[i].key_line);
        g_assert_cmpuint(mark->key_column, ==, cases[i].key_column);
    }
    reading_done(&reading);
}

static void what_is_no_configuration_is_refused(void)
{
    static const struct {
        const char *label, *text;
        unsigned line, column; /* 0: any */
        const char *part;
    } cases[] = {
        { "key twice", "a: 1\nb: 2\na: 3\n", 3, 1, "\"a\" stands here twice" },
        { "key twice, deeper", "x:\n  a: 1\n  a: 1\n", 3, 3, "\"a\" stands here twice" },
        { "key twice in flow", "{a: 1, a: 2}", 1, 8, "stands here twice" },
        { "unclosed list", "a: [1, 2\nb: 3\n", 0, 0, "no YAML" },
        { "tab", "a:\n\tb: 1\n", 0, 0, "no YAML" },
        { "tag", "a: !!str 1\n", 1, 0, "tags have no meaning" },
        { "key that is a list", "? [a]\n: 1\n", 1, 0, "keys are plain text" },
        { "second document", "a: 1\n---\nb: 2\n", 2, 1, "second document" },
        { "alias of nothing", "a: *x\n", 1, 0, "no anchor of this name" },
        { "alias of itself", "a: &x [*x]\n", 1, 0, "no anchor of this name" },
        { "not UTF-8", "a: 1\nb: \xff\n", 2, 4, "UTF-8" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        const Problem *problem;
        Reading reading;

        g_test_message("%s", cases[i].label);
        g_assert_false(read_text(&reading, cases[i].text));
        g_assert_cmpuint(reading.problems->len, ==, 1);
        problem = g_ptr_array_index(reading.problems, 0);
        g_test_message("%u:%u: %s", problem->line, problem->column, problem->text);
        g_assert_nonnull(strstr(problem->text, cases[i].part));
        g_assert_cmpuint(problem->line, >, 0);
        if (cases[i].line)
            g_assert_cmpuint(problem->line, ==, cases[i].line);
        if (cases[i].column)
            g_assert_cmpuint(problem->column, ==, cases[i].column);
        reading_done(&reading);
    }
}

static void assert_too_much(const char *text, const char *part)
{
    Reading reading;

    g_assert_false(read_text(&reading, text));
    g_assert_cmpuint(reading.problems->len, ==, 1);
    g_assert_nonnull(strstr(((Problem *)g_ptr_array_index(reading.problems, 0))->text, part));
    reading_done(&reading);
}

static void growth_is_bounded(void)
{
    g_autoptr(GString) laughs = g_string_new("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    g_autoptr(GString) deep = g_string_new("a: ");
    g_autofree char *large = g_strnfill(YAML_BYTES_MAX + 1, '#');

    for (int i = 1; i < 12; i++)
        g_string_append_printf(laughs, "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i,
                               i, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
    assert_too_much(laughs->str, "too many values");
    for (int i = 0; i < 50; i++)
        g_string_append_c(deep, '[');
    for (int i = 0; i < 50; i++)
        g_string_append_c(deep, ']');
    assert_too_much(deep->str, "nested too deeply");
    assert_too_much(large, "larger than");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/yaml/files_become_json", files_become_json);
    g_test_add_func("/yaml/values_know_where_they_stand", values_know_where_they_stand);
    g_test_add_func("/yaml/what_is_no_configuration_is_refused",
                    what_is_no_configuration_is_refused);
    g_test_add_func("/yaml/growth_is_bounded", growth_is_bounded);
    return g_test_run();
}
