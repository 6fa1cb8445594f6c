/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/roff.h"

#include <glib.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define LINE_MAX_LEN 76

/* One word of text; what would be markup is escaped. */
static void print_word(const char *word, size_t len, bool first)
{
    if (first && (*word == '.' || *word == '\''))
        printf("\\&");
    for (size_t i = 0; i < len; i++) {
        if (word[i] == '\\')
            printf("\\e");
        else if (word[i] == '-' && len > 1)
            printf("\\-");
        else
            putchar(word[i]);
    }
}

static bool ends_sentence(const char *word, size_t len)
{
    return word[len - 1] == '.' || word[len - 1] == ':' ||
           (len > 1 && word[len - 1] == ')' && word[len - 2] == '.');
}

/* A new line begins with every sentence: that is how roff knows where they end. */
void roff_paragraph(const char *text, size_t len)
{
    size_t column = 0;
    bool ended = false;

    while (len > 0) {
        size_t word = strcspn(text, " \n");

        word = MIN(word, len);
        if (word > 0) {
            if (column > 0 && (ended || column + word > LINE_MAX_LEN)) {
                putchar('\n');
                column = 0;
            }
            if (column > 0)
                putchar(' ');
            print_word(text, word, column == 0);
            column += word + 1;
            ended = ends_sentence(text, word);
        }
        word = MIN(word + 1, len);
        text += word;
        len -= word;
    }
    if (column > 0)
        putchar('\n');
}

static void print_literal(const char *text, size_t len)
{
    print_word(text, len, true);
    putchar('\n');
}

void roff_text(const char *text)
{
    bool literal = false;

    while (*text) {
        size_t line = strcspn(text, "\n"), len = line;

        if (*text == ' ') {
            if (!literal)
                printf(".Bd -literal\n");
            literal = true;
            print_literal(text, line);
        } else if (line == 0) {
            printf(".Pp\n");
        } else {
            if (literal)
                printf(".Ed\n.Pp\n");
            literal = false;
            // a paragraph: all lines up to an empty or an indented one
            while (text[len] == '\n' && !strchr("\n ", text[len + 1]) && text[len + 1])
                len += 1 + strcspn(text + len + 1, "\n");
            roff_paragraph(text, len);
        }
        text += MAX(len, line);
        text += *text == '\n';
    }
    if (literal)
        printf(".Ed\n");
}

void roff_sentence(const char *text)
{
    g_autofree char *sentence = g_strdup_printf("%c%s.", g_ascii_toupper(text[0]), text + 1);

    roff_paragraph(sentence, strlen(sentence));
}
