/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/runprogress.h"

#include "base/fs.h"
#include "daemon/eventsfile.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define PART (64u * 1024)

static json_t *status_of(const char *line, size_t len)
{
    json_t *event = json_loadb(line, len, 0, NULL);
    const char *type = json_string_value(json_object_get(event, "message_type"));

    if (type && strcmp(type, "status") == 0) {
        (void)json_object_del(event, "message_type");
        return event;
    }
    json_decref(event);
    return NULL;
}

json_t *run_progress(const char *runs, const char *id)
{
    g_autofree char *path = g_build_filename(runs, id, EVENTS_NAME, NULL);
    fs_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    g_autofree char *data = NULL;
    json_t *found = NULL;
    struct stat st;
    size_t len;

    if (fd < 0 || fstat(fd, &st) != 0)
        return NULL;
    data = g_malloc(PART);
    if (!fs_pread_full(fd, data, PART, (uint64_t)MAX(0, st.st_size - (off_t)PART), &len, path,
                       NULL))
        return NULL;
    // from the end; a line that is not whole is no JSON
    while (len > 0 && !found) {
        const char *end = memrchr(data, '\n', len);
        const char *before = end ? memrchr(data, '\n', (size_t)(end - data)) : NULL;
        const char *begin = before ? before + 1 : data;

        if (!end)
            break;
        found = status_of(begin, (size_t)(end - begin));
        len = before ? (size_t)(before - data) + 1 : 0;
    }
    return found;
}
