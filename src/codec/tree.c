/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/tree.h"
#include "codec/json.h"
#include "codec/quote.h"
#include "codec/rfc3339.h"
#include <string.h>
#include <sys/stat.h>

/* The bits of Go's os.FileMode (repository format, "Trees", Mode). */
enum {
    GO_SYMLINK = 1 << 27,
    GO_DEVICE = 1 << 26,
    GO_FIFO = 1 << 25,
    GO_SOCKET = 1 << 24,
    GO_SETUID = 1 << 23,
    GO_SETGID = 1 << 22,
    GO_CHARDEV = 1 << 21,
    GO_STICKY = 1 << 20,
    GO_IRREGULAR = 1 << 19,
};
#define GO_DIR (UINT32_C(1) << 31)

static const struct {
    const char *name;
    mode_t type;
    uint32_t go;
} types[] = {
    { "file", S_IFREG, 0 },
    { "dir", S_IFDIR, GO_DIR },
    { "symlink", S_IFLNK, GO_SYMLINK },
    { "dev", S_IFBLK, GO_DEVICE },
    { "chardev", S_IFCHR, GO_DEVICE | GO_CHARDEV },
    { "fifo", S_IFIFO, GO_FIFO },
    { "socket", S_IFSOCK, GO_SOCKET },
};

static const struct {
    mode_t mode;
    uint32_t go;
} special_bits[] = {
    { S_ISUID, GO_SETUID },
    { S_ISGID, GO_SETGID },
    { S_ISVTX, GO_STICKY },
};

uint32_t node_go_mode(const Node *node)
{
    uint32_t go = node->mode & 0777;

    for (size_t i = 0; i < G_N_ELEMENTS(special_bits); i++)
        if (node->mode & special_bits[i].mode)
            go |= special_bits[i].go;
    if (node->irregular)
        return go | GO_IRREGULAR;
    for (size_t i = 0; i < G_N_ELEMENTS(types); i++)
        if ((node->mode & S_IFMT) == types[i].type)
            go |= types[i].go;
    return go;
}

void node_set_mode(Node *node, const char *type, uint32_t go_mode)
{
    node->mode = go_mode & 0777;
    for (size_t i = 0; i < G_N_ELEMENTS(special_bits); i++)
        if (go_mode & special_bits[i].go)
            node->mode |= special_bits[i].mode;
    for (size_t i = 0; i < G_N_ELEMENTS(types); i++) {
        if (strcmp(type, types[i].name) == 0) {
            node->mode |= types[i].type;
            node->irregular = false;
            return;
        }
    }
    node->irregular = true;
}

const char *node_type_name(const Node *node)
{
    if (!node->irregular)
        for (size_t i = 0; i < G_N_ELEMENTS(types); i++)
            if ((node->mode & S_IFMT) == types[i].type)
                return types[i].name;
    return "irregular";
}

Node *node_new(void)
{
    return g_new0(Node, 1);
}

static void xattr_clear(gpointer data)
{
    NodeXattr *xattr = data;

    g_free(xattr->name);
    g_clear_pointer(&xattr->value, g_bytes_unref);
}

GArray *node_xattrs_new(void)
{
    GArray *xattrs = g_array_new(FALSE, TRUE, sizeof(NodeXattr));

    g_array_set_clear_func(xattrs, xattr_clear);
    return xattrs;
}

void node_free(Node *node)
{
    if (!node)
        return;
    g_free(node->name);
    g_free(node->user);
    g_free(node->group);
    g_free(node->linktarget);
    g_clear_pointer(&node->xattrs, g_array_unref);
    g_clear_pointer(&node->content, g_array_unref);
    g_free(node);
}

Node *node_copy(const Node *node)
{
    Node *copy = node_new();

    *copy = *node;
    copy->name = g_strdup(node->name);
    copy->user = g_strdup(node->user);
    copy->group = g_strdup(node->group);
    copy->linktarget = g_strdup(node->linktarget);
    copy->content = node->content ? g_array_copy(node->content) : NULL;
    copy->xattrs = node->xattrs ? node_xattrs_new() : NULL;
    for (guint i = 0; node->xattrs && i < node->xattrs->len; i++) {
        const NodeXattr *from = &g_array_index(node->xattrs, NodeXattr, i);
        NodeXattr to = { g_strdup(from->name), g_bytes_ref(from->value) };

        g_array_append_val(copy->xattrs, to);
    }
    return copy;
}

static bool same_time(Timestamp a, Timestamp b)
{
    return a.sec == b.sec && a.nsec == b.nsec;
}

static bool same_stat(const Node *a, const Node *b)
{
    return a->mode == b->mode && a->irregular == b->irregular && same_time(a->mtime, b->mtime) &&
           same_time(a->atime, b->atime) && same_time(a->ctime, b->ctime) && a->uid == b->uid &&
           a->gid == b->gid && a->inode == b->inode && a->device_id == b->device_id &&
           a->links == b->links && a->size == b->size && a->device == b->device;
}

static bool same_content(const GArray *a, const GArray *b)
{
    if (!a || !b || a == b)
        return a == b;
    return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len * sizeof(Id)) == 0);
}

static bool same_xattrs(const GArray *a, const GArray *b)
{
    guint n = a ? a->len : 0;

    if (n != (b ? b->len : 0))
        return false;
    for (guint i = 0; i < n; i++) {
        const NodeXattr *left = &g_array_index(a, NodeXattr, i);
        const NodeXattr *right = &g_array_index(b, NodeXattr, i);

        if (strcmp(left->name, right->name) != 0 || !g_bytes_equal(left->value, right->value))
            return false;
    }
    return true;
}

bool node_equal(const Node *a, const Node *b)
{
    return strcmp(a->name, b->name) == 0 && same_stat(a, b) && g_strcmp0(a->user, b->user) == 0 &&
           g_strcmp0(a->group, b->group) == 0 && g_strcmp0(a->linktarget, b->linktarget) == 0 &&
           same_content(a->content, b->content) && same_xattrs(a->xattrs, b->xattrs) &&
           (!S_ISDIR(a->mode) || id_equal(&a->subtree, &b->subtree));
}

Tree *tree_new(void)
{
    Tree *tree = g_new0(Tree, 1);

    tree->nodes = g_ptr_array_new_with_free_func((GDestroyNotify)node_free);
    return tree;
}

void tree_free(Tree *tree)
{
    if (!tree)
        return;
    g_clear_pointer(&tree->nodes, g_ptr_array_unref);
    g_free(tree);
}

const Node *tree_find(const Tree *tree, const char *name)
{
    size_t low = 0, high = tree->nodes->len;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const Node *node = tree->nodes->pdata[middle];
        int order = strcmp(name, node->name);

        if (order == 0)
            return node;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* ---- canonical text: fields in the order of the format's table, absent when empty ---- */

static void append_string_field(GString *out, const char *field, const char *text)
{
    if (!text || *text == '\0')
        return;
    g_string_append(out, field);
    json_append_string(out, text, strlen(text));
}

static void append_uint_field(GString *out, const char *field, uint64_t value)
{
    if (value == 0)
        return;
    g_string_append(out, field);
    json_append_uint(out, value);
}

static void append_time_field(GString *out, const char *field, Timestamp time)
{
    char text[RFC3339_MAX];
    size_t len = rfc3339_format(time, text);

    g_string_append(out, field);
    g_string_append_len(out, text, (gssize)len);
    g_string_append_c(out, '"');
}

static void append_linktarget(GString *out, const char *target)
{
    size_t len = target ? strlen(target) : 0;

    append_string_field(out, ",\"linktarget\":", target);
    if (len > 0 && !utf8_valid(target, len)) {
        g_string_append(out, ",\"linktarget_raw\":");
        json_append_base64(out, target, len);
    }
}

static void append_xattrs(GString *out, const GArray *xattrs)
{
    if (!xattrs || xattrs->len == 0)
        return;
    g_string_append(out, ",\"extended_attributes\":");
    for (guint i = 0; i < xattrs->len; i++) {
        const NodeXattr *xattr = &g_array_index(xattrs, NodeXattr, i);
        size_t len = 0;
        const void *value = g_bytes_get_data(xattr->value, &len);

        g_string_append(out, i == 0 ? "[{\"name\":" : ",{\"name\":");
        json_append_string(out, xattr->name, strlen(xattr->name));
        g_string_append(out, ",\"value\":");
        json_append_base64(out, value, len);
        g_string_append_c(out, '}');
    }
    g_string_append_c(out, ']');
}

static void append_content(GString *out, const Node *node)
{
    if (node->irregular || !S_ISREG(node->mode)) {
        g_string_append(out, ",\"content\":null");
        return;
    }
    g_assert(node->content);
    g_string_append(out, ",\"content\":[");
    for (guint i = 0; i < node->content->len; i++) {
        IdText id = id_hex(&g_array_index(node->content, Id, i));

        g_string_append(out, i == 0 ? "\"" : ",\"");
        g_string_append_len(out, id.text, ID_HEX_LEN);
        g_string_append_c(out, '"');
    }
    g_string_append_c(out, ']');
}

/* st_nlink tells nothing of a directory, and restic leaves it out for fifos and sockets too. */
static bool counts_links(const Node *node)
{
    return S_ISREG(node->mode) || S_ISLNK(node->mode) || S_ISBLK(node->mode) || S_ISCHR(node->mode);
}

static void append_node(GString *out, const Node *node, GString *quoted)
{
    bool device = S_ISBLK(node->mode) || S_ISCHR(node->mode);

    g_string_truncate(quoted, 0);
    quote_append(quoted, node->name, strlen(node->name));
    g_string_append(out, "{\"name\":");
    json_append_string(out, quoted->str, quoted->len);
    append_string_field(out, ",\"type\":", node_type_name(node));
    append_uint_field(out, ",\"mode\":", node_go_mode(node));
    append_time_field(out, ",\"mtime\":\"", node->mtime);
    append_time_field(out, ",\"atime\":\"", node->atime);
    append_time_field(out, ",\"ctime\":\"", node->ctime);
    g_string_append(out, ",\"uid\":");
    json_append_uint(out, node->uid);
    g_string_append(out, ",\"gid\":");
    json_append_uint(out, node->gid);
    append_string_field(out, ",\"user\":", node->user);
    append_string_field(out, ",\"group\":", node->group);
    append_uint_field(out, ",\"inode\":", node->inode);
    append_uint_field(out, ",\"device_id\":", node->device_id);
    append_uint_field(out, ",\"size\":", S_ISREG(node->mode) ? node->size : 0);
    append_uint_field(out, ",\"links\":", counts_links(node) ? node->links : 0);
    if (S_ISLNK(node->mode))
        append_linktarget(out, node->linktarget);
    append_xattrs(out, node->xattrs);
    append_uint_field(out, ",\"device\":", device ? node->device : 0);
    append_content(out, node);
    if (S_ISDIR(node->mode))
        append_string_field(out, ",\"subtree\":", id_hex(&node->subtree).text);
    g_string_append_c(out, '}');
}

void tree_encode(Node *const *nodes, size_t n, GString *out)
{
    g_autoptr(GString) quoted = g_string_new(NULL);

    g_string_append(out, "{\"nodes\":[");
    for (size_t i = 0; i < n; i++) {
        g_assert(i == 0 || strcmp(nodes[i - 1]->name, nodes[i]->name) < 0);
        if (i > 0)
            g_string_append_c(out, ',');
        append_node(out, nodes[i], quoted);
    }
    g_string_append(out, "]}\n");
}
