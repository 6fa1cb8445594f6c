/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/webanswer.h"

#include <stdlib.h>
#include <string.h>

WebAnswer *web_answer_new(void)
{
    WebAnswer *answer = g_new0(WebAnswer, 1);

    answer->status = 500;
    answer->headers = g_ptr_array_new_with_free_func(g_free);
    answer->len = -1;
    return answer;
}

void web_answer_free(WebAnswer *answer)
{
    if (!answer)
        return;
    g_ptr_array_unref(answer->headers);
    g_clear_pointer(&answer->body, g_bytes_unref);
    web_pipe_unref(answer->pipe);
    web_answer_end_intake(answer);
    g_free(answer);
}

void web_answer_end_intake(WebAnswer *answer)
{
    if (answer->intake)
        answer->intake_free(answer->intake);
    answer->intake = NULL;
}

void web_answer_header(WebAnswer *answer, const char *name, const char *value)
{
    for (const char *at = value; *at; at++)
        g_return_if_fail((unsigned char)*at >= 0x20 && *at != 0x7f);
    g_ptr_array_add(answer->headers, g_strdup(name));
    g_ptr_array_add(answer->headers, g_strdup(value));
}

const char *web_answer_find(const WebAnswer *answer, const char *name)
{
    for (guint i = 0; i + 1 < answer->headers->len; i += 2)
        if (strcmp(answer->headers->pdata[i], name) == 0)
            return answer->headers->pdata[i + 1];
    return NULL;
}

void web_answer_json(WebAnswer *answer, unsigned status, json_t *value)
{
    // only cycles and text that is not UTF-8 can fail, and the library makes neither
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

    g_assert_nonnull(text);
    json_decref(value);
    answer->status = status;
    g_clear_pointer(&answer->body, g_bytes_unref);
    answer->body = g_bytes_new_with_free_func(text, strlen(text), free, text);
    web_answer_header(answer, "Content-Type", "application/json");
}

void web_answer_text(WebAnswer *answer, unsigned status, const char *type, const char *text)
{
    answer->status = status;
    g_clear_pointer(&answer->body, g_bytes_unref);
    answer->body = g_bytes_new(text, strlen(text));
    web_answer_header(answer, "Content-Type", type);
}

void web_answer_empty(WebAnswer *answer, unsigned status)
{
    answer->status = status;
    g_clear_pointer(&answer->body, g_bytes_unref);
}
