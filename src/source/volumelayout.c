/* SPDX-License-Identifier: Apache-2.0 */
#include "source/volumelayout.h"

#include <string.h>

#define SEGMENT  (UINT64_C(1) << 30)
#define FLAT_MAX 4u
/* About 64 Ki pieces a folder: 4 MiB of tree, of which 2 are stored when one of them changed. */
#define FOLDER_PIECES 65536u
#define DIGITS        6

VolumeLayout volume_layout_of(uint64_t size, uint64_t segment)
{
    // an empty volume has no segment
    return (VolumeLayout){
        .size = size,
        .segment = segment,
        .n_segments = size / segment + (size % segment != 0),
    };
}

VolumeLayout volume_layout(uint64_t size, size_t cut)
{
    VolumeLayout layout = volume_layout_of(size, SEGMENT);

    if (layout.n_segments > FLAT_MAX)
        layout.folder = MAX(FOLDER_PIECES / MAX(SEGMENT / cut, 1), 1);
    return layout;
}

uint64_t volume_layout_len(const VolumeLayout *layout, uint64_t n)
{
    return MIN(layout->size - n * layout->segment, layout->segment);
}

bool volume_layout_begins_folder(const VolumeLayout *layout, uint64_t n)
{
    return layout->folder != 0 && n % layout->folder == 0;
}

bool volume_layout_ends_folder(const VolumeLayout *layout, uint64_t n)
{
    return layout->folder != 0 && (n + 1 == layout->n_segments || (n + 1) % layout->folder == 0);
}

char *volume_layout_folder(const VolumeLayout *layout, uint64_t n)
{
    return g_strdup_printf("%05" G_GUINT64_FORMAT, n / layout->folder);
}

char *volume_layout_path(const VolumeLayout *layout, uint64_t n)
{
    g_autofree char *folder = layout->folder ? volume_layout_folder(layout, n) : NULL;

    return g_strdup_printf("%s%s%06" G_GUINT64_FORMAT, folder ? folder : "", folder ? "/" : "", n);
}

bool volume_layout_number(const char *name, uint64_t *ret_n)
{
    size_t len = strlen(name);

    if (len < DIGITS || len > 15 || strspn(name, "0123456789") != len)
        return false;
    *ret_n = g_ascii_strtoull(name, NULL, 10);
    return true;
}
