/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plain text as mdoc on standard output (mandoc's mdoc(7), "Language overview"): what would be
 * markup is escaped, lines are filled. One thread.
 */
#pragma once
#include <stddef.h>

/* len bytes of one paragraph; line breaks in it are blanks. */
void roff_paragraph(const char *text, size_t len);
/* Paragraphs are parted by empty lines; lines that begin with a blank are shown as they are. */
void roff_text(const char *text);
/* "small first letter" as a sentence: with a capital and a full stop. */
void roff_sentence(const char *text);
