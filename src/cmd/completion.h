/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shell completion, printed from the command table. Each shell gets three things: which words are
 * commands, which options a command takes, and what may stand after an option or as an operand.
 */
#pragma once
#include "cmd/command.h"

typedef enum { COMPLETE_TEXT, COMPLETE_FILE, COMPLETE_DIR, COMPLETE_WORDS } CompletionKind;

typedef struct {
    CompletionKind kind;
    const char *words; /* with COMPLETE_WORDS, separated by blanks */
} CompletionValue;

CompletionValue completion_option_value(const GOptionEntry *option);
bool completion_takes_value(const GOptionEntry *option);
/* "list|add|remove ID": the words an operand begins with. NULL when it is none of a few words. */
char *completion_first_words(const char *operands);
bool completion_wants_files(const Command *command);
bool completion_wants_snapshot(const Command *command);

/* command: NULL for the options of every command. */
typedef void (*CompletionPrint)(const char *command, const GOptionEntry *option);
void completion_each_option(const char *command, const GOptionEntry *options,
                            CompletionPrint print);
void completion_each_global_option(CompletionPrint print);

/* rows: of const Command *, those that are shown. */
void completion_bash(const GPtrArray *rows);
void completion_zsh(const GPtrArray *rows);
void completion_fish(const GPtrArray *rows);
