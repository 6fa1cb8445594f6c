/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/nodetext.h"

#include "cmd/output.h"
#include "codec/json.h"
#include "codec/rfc3339.h"
#include "plan/amount.h"
#include <string.h>

void node_permissions(const Node *node, char out[16])
{
    // the order of Go's FileMode.String()
    static const struct {
        mode_t mask, value;
        char letter;
    } letters[] = {
        { S_IFMT, S_IFDIR, 'd' },  { S_IFMT, S_IFLNK, 'L' },  { S_IFMT, S_IFBLK, 'D' },
        { S_IFMT, S_IFCHR, 'D' },  { S_IFMT, S_IFIFO, 'p' },  { S_IFMT, S_IFSOCK, 'S' },
        { S_ISUID, S_ISUID, 'u' }, { S_ISGID, S_ISGID, 'g' }, { S_IFMT, S_IFCHR, 'c' },
        { S_ISVTX, S_ISVTX, 't' },
    };
    static const char rights[] = "rwxrwxrwx";
    size_t n = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(letters); i++)
        if ((node->mode & letters[i].mask) == letters[i].value)
            out[n++] = letters[i].letter;
    if (node->irregular)
        out[n++] = '?';
    if (n == 0)
        out[n++] = '-';
    for (unsigned bit = 0; bit < 9; bit++)
        out[n++] = node->mode & (0400u >> bit) ? rights[bit] : '-';
    out[n] = '\0';
}

/* ---- for people ---- */

void node_append_name(GString *line, const char *name, bool for_terminal)
{
    if (!for_terminal) {
        g_string_append(line, name);
        return;
    }
    for (size_t len = strlen(name), n; len > 0; name += n, len -= n) {
        gunichar c;

        n = utf8_char(name, len, &c);
        if (n == 0 || g_unichar_iscntrl(c))
            g_string_append_c(line, '?');
        else
            g_string_append_len(line, name, (gssize)n);
        n = MAX(n, 1);
    }
}

static void append_metadata(GString *line, const Node *node, bool human)
{
    uint64_t size = S_ISREG(node->mode) ? node->size : 0;
    g_autofree char *time = output_time(node->mtime), *amount = size_format(size);
    char permissions[16];

    node_permissions(node, permissions);
    g_string_append_printf(line, "%s %5u %5u ", permissions, node->uid, node->gid);
    if (human)
        g_string_append(line, amount);
    else
        g_string_append_printf(line, "%6" G_GUINT64_FORMAT, size);
    g_string_append_printf(line, " %s ", time);
}

void node_line(GString *line, const char *path, const Node *node, bool is_long, bool human,
               bool for_terminal)
{
    g_string_truncate(line, 0);
    if (is_long)
        append_metadata(line, node, human);
    node_append_name(line, path, for_terminal);
    if (is_long && S_ISLNK(node->mode) && node->linktarget) {
        g_string_append(line, " -> ");
        node_append_name(line, node->linktarget, for_terminal);
    }
}

/* ---- JSON ---- */

static void add_text(GString *json, const char *field, const char *text)
{
    g_string_append_printf(json, "%s\"%s\":", json->len > 1 ? "," : "", field);
    json_append_string(json, text, strlen(text));
}

static void add_number(GString *json, const char *field, uint64_t value)
{
    g_string_append_printf(json, "%s\"%s\":", json->len > 1 ? "," : "", field);
    json_append_uint(json, value);
}

static void add_unless_zero(GString *json, const char *field, uint64_t value)
{
    if (value)
        add_number(json, field, value);
}

static void add_time(GString *json, const char *field, Timestamp time)
{
    char text[RFC3339_MAX];

    rfc3339_format(time, text);
    add_text(json, field, text);
}

static void add_times(GString *json, const Node *node)
{
    add_time(json, "mtime", node->mtime);
    add_time(json, "atime", node->atime);
    add_time(json, "ctime", node->ctime);
}

void node_json(GString *json, const char *path, const Node *node)
{
    char permissions[16];

    node_permissions(node, permissions);
    g_string_assign(json, "{");
    add_text(json, "name", node->name);
    add_text(json, "type", node_type_name(node));
    add_text(json, "path", path);
    add_number(json, "uid", node->uid);
    add_number(json, "gid", node->gid);
    if (S_ISREG(node->mode))
        add_number(json, "size", node->size);
    add_unless_zero(json, "mode", node_go_mode(node));
    add_text(json, "permissions", permissions);
    add_times(json, node);
    add_unless_zero(json, "inode", node->inode);
    add_text(json, "message_type", "node");
    add_text(json, "struct_type", "node");
    g_string_append_c(json, '}');
}

void node_match_json(GString *json, const char *path, const Node *node)
{
    char permissions[16];

    node_permissions(node, permissions);
    g_string_assign(json, "{");
    add_text(json, "path", path);
    add_text(json, "permissions", permissions);
    add_text(json, "type", node_type_name(node));
    add_unless_zero(json, "mode", node_go_mode(node));
    add_times(json, node);
    add_number(json, "uid", node->uid);
    add_number(json, "gid", node->gid);
    if (node->user)
        add_text(json, "user", node->user);
    if (node->group)
        add_text(json, "group", node->group);
    add_unless_zero(json, "inode", node->inode);
    add_unless_zero(json, "device_id", node->device_id);
    add_unless_zero(json, "size", node->size);
    add_unless_zero(json, "links", node->links);
    if (node->linktarget)
        add_text(json, "linktarget", node->linktarget);
    g_string_append_c(json, '}');
}
