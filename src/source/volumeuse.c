/* SPDX-License-Identifier: Apache-2.0 */
#include "source/volumeuse.h"

#include "base/error.h"
#include "base/fs.h"
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#define LIST_MAX (16u << 20)

typedef struct {
    const struct stat *st;
    GArray *devices; /* of dev_t: it, and what is made of it */
    VolumeUse *use;
} Search;

/* ---- devices made of it ---- */

static bool knows(const Search *search, dev_t device)
{
    for (guint i = 0; i < search->devices->len; i++)
        if (g_array_index(search->devices, dev_t, i) == device)
            return true;
    return false;
}

static bool read_device(const char *directory, const char *name, dev_t *ret_device)
{
    g_autofree char *path = g_build_filename(directory, name, "dev", NULL), *text = NULL;
    unsigned major_number, minor_number;

    if (!g_file_get_contents(path, &text, NULL, NULL) ||
        sscanf(text, "%u:%u", &major_number, &minor_number) != 2)
        return false;
    *ret_device = makedev(major_number, minor_number);
    return true;
}

static void add_device(Search *search, dev_t device);

/* Partitions are directories with a file "partition", holders are links (sysfs-block of the
 * kernel's ABI documentation). */
static void add_children(Search *search, const char *directory, bool holders)
{
    g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *partition = g_build_filename(directory, name, "partition", NULL);
        dev_t device;

        if ((!holders && !g_file_test(partition, G_FILE_TEST_EXISTS)) ||
            !read_device(directory, name, &device) || knows(search, device))
            continue;
        if (holders)
            g_ptr_array_add(search->use->others, g_strconcat("device ", name, NULL));
        add_device(search, device);
    }
}

static void add_device(Search *search, dev_t device)
{
    g_autofree char *directory =
        g_strdup_printf("/sys/dev/block/%u:%u", major(device), minor(device));
    g_autofree char *holders = g_build_filename(directory, "holders", NULL);

    g_array_append_val(search->devices, device);
    add_children(search, directory, false);
    add_children(search, holders, true);
}

/* ---- loop devices ---- */

/* The kernel writes a device number as huge_encode_dev() does. */
static dev_t kernel_device(uint64_t number)
{
    return makedev((unsigned)((number & 0xfff00) >> 8),
                   (unsigned)((number & 0xff) | ((number >> 12) & 0xfff00)));
}

static bool is_of_us(const Search *search, const struct stat *st)
{
    if (S_ISBLK(st->st_mode))
        return S_ISBLK(search->st->st_mode) && knows(search, st->st_rdev);
    return S_ISREG(search->st->st_mode) && st->st_dev == search->st->st_dev &&
           st->st_ino == search->st->st_ino;
}

/* By what the kernel has open, for the name may have gone to another file. */
static bool backs(const Search *search, const char *name)
{
    g_autofree char *node = g_build_filename("/dev", name, NULL);
    g_autofree char *file = g_build_filename("/sys/block", name, "loop/backing_file", NULL);
    g_autofree char *path = NULL;
    fs_autoclose int fd = -1;
    struct loop_info64 info;
    struct stat st;

    if (!g_file_get_contents(file, &path, NULL, NULL))
        return false; // nothing is attached
    fd = open(node, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 && ioctl(fd, LOOP_GET_STATUS64, &info) == 0) {
        if (S_ISBLK(search->st->st_mode))
            return info.lo_rdevice != 0 && knows(search, kernel_device(info.lo_rdevice));
        return info.lo_inode == search->st->st_ino &&
               kernel_device(info.lo_device) == search->st->st_dev;
    }
    return stat(g_strchomp(path), &st) == 0 && is_of_us(search, &st);
}

static void add_loops(Search *search)
{
    g_autoptr(GDir) dir = g_dir_open("/sys/block", 0, NULL);
    const char *name;
    dev_t device;

    while (dir && (name = g_dir_read_name(dir)))
        if (g_str_has_prefix(name, "loop") && backs(search, name) &&
            read_device("/sys/block", name, &device)) {
            search->use->attached = true;
            g_ptr_array_add(search->use->others, g_strconcat("loop device /dev/", name, NULL));
            add_device(search, device);
        }
}

/* ---- mounts and swap ---- */

static void mount_free(void *item)
{
    VolumeMount *mount = item;

    g_free(mount->where);
    g_free(mount->type);
    g_free(mount->device);
    g_free(mount);
}

static bool same_file_system(const VolumeUse *use, const char *device)
{
    for (guint i = 0; i < use->mounts->len; i++)
        if (strcmp(((const VolumeMount *)use->mounts->pdata[i])->device, device) == 0)
            return true;
    return false;
}

static bool has_option(const char *options, const char *word)
{
    g_auto(GStrv) list = g_strsplit(options, ",", -1);

    return g_strv_contains((const char *const *)list, word);
}

/* "42 27 7:0 / /srv rw,relatime shared:1 - ext4 /dev/loop0 rw": proc(5), mountinfo. The number of
 * btrfs is of no device, so its source counts, too. */
static void look_at_mount(Search *search, const char *line)
{
    g_auto(GStrv) words = g_strsplit(line, " ", -1);
    guint n = g_strv_length(words), rest = 6;
    unsigned major_number, minor_number;
    g_autofree char *device = NULL;
    VolumeMount *mount;
    struct stat st;

    while (rest < n && strcmp(words[rest], "-") != 0)
        rest++;
    if (rest + 3 >= n || sscanf(words[2], "%u:%u", &major_number, &minor_number) != 2)
        return;
    device = g_strcompress(words[rest + 2]);
    if (!knows(search, makedev(major_number, minor_number)) &&
        (*device != '/' || stat(device, &st) != 0 || !S_ISBLK(st.st_mode) ||
         !knows(search, st.st_rdev)))
        return;
    if (same_file_system(search->use, device))
        return;
    mount = g_new0(VolumeMount, 1);
    mount->where = g_strcompress(words[4]);
    mount->type = g_strdup(words[rest + 1]);
    mount->device = g_steal_pointer(&device);
    mount->writable = !has_option(words[rest + 3], "ro");
    g_ptr_array_add(search->use->mounts, mount);
}

static void look_at_swap(Search *search, const char *line)
{
    g_autofree char *word = g_strndup(line, strcspn(line, " \t"));
    g_autofree char *path = g_strcompress(word);
    struct stat st;

    if (*path == '/' && stat(path, &st) == 0 && is_of_us(search, &st))
        g_ptr_array_add(search->use->others, g_strconcat("swap on ", path, NULL));
}

static bool each_line(const char *path, Search *search, void (*look)(Search *, const char *),
                      GError **error)
{
    g_autoptr(GBytes) bytes = NULL;
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;

    if (!fs_read_file(path, LIST_MAX, &bytes, error))
        return false;
    text = g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
    lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++)
        look(search, *line);
    return true;
}

bool volume_use_find(const struct stat *st, VolumeUse **ret_use, GError **error)
{
    g_autoptr(VolumeUse) use = g_new0(VolumeUse, 1);
    g_autoptr(GArray) devices = g_array_new(FALSE, FALSE, sizeof(dev_t));
    Search search = { st, devices, use };

    use->mounts = g_ptr_array_new_with_free_func(mount_free);
    use->others = g_ptr_array_new_with_free_func(g_free);
    if (S_ISBLK(st->st_mode))
        add_device(&search, st->st_rdev);
    add_loops(&search);
    if (!each_line("/proc/self/mountinfo", &search, look_at_mount, error) ||
        !each_line("/proc/swaps", &search, look_at_swap, error))
        return false;
    *ret_use = g_steal_pointer(&use);
    return true;
}

void volume_use_free(VolumeUse *use)
{
    if (!use)
        return;
    if (use->mounts)
        g_ptr_array_unref(use->mounts);
    if (use->others)
        g_ptr_array_unref(use->others);
    g_free(use);
}

bool volume_use_writable(const VolumeUse *use)
{
    for (guint i = 0; i < use->mounts->len; i++)
        if (((const VolumeMount *)use->mounts->pdata[i])->writable)
            return true;
    return false;
}

GStrv volume_use_writable_mounts(const VolumeUse *use)
{
    g_autoptr(GStrvBuilder) mounts = g_strv_builder_new();

    for (guint i = 0; i < use->mounts->len; i++) {
        const VolumeMount *mount = use->mounts->pdata[i];

        if (mount->writable)
            g_strv_builder_add(mounts, mount->where);
    }
    return g_strv_builder_end(mounts);
}

char *volume_use_text(const VolumeUse *use)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (guint i = 0; i < use->mounts->len; i++) {
        const VolumeMount *mount = use->mounts->pdata[i];

        g_string_append_printf(text, "%smounted%s at %s (%s)", text->len ? ", " : "",
                               mount->writable ? "" : " read-only", mount->where, mount->type);
    }
    for (guint i = 0; i < use->others->len; i++)
        g_string_append_printf(text, "%s%s", text->len ? ", " : "",
                               (const char *)use->others->pdata[i]);
    return text->len ? g_string_free(g_steal_pointer(&text), FALSE) : NULL;
}
