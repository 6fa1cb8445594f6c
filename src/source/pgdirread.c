/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgdirread.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "codec/crc32c.h"
#include "pg/datadir.h"
#include "pg/pagecheck.h"
#include "source/filemeta.h"
#include <fcntl.h>
#include <pthread.h>
#include <string.h>

#define PAGES         (FILE_READ_SIZE / PG_PAGE_LEN)
#define TORN_TRIES    10
#define TORN_PAUSE_MS 5   /* a page is written in microseconds, unless the disk is busy */
#define PATIENT_FOR   100 /* pages; so many are not being written, but damaged */

/* A page that did not fit, as it went into the backup. */
typedef struct {
    char *path;
    uint64_t offset; /* in the file */
    PgBadPage page;
} Suspect;

struct PgDirRead {
    PgDirReadOptions options;
    pthread_mutex_t mutex; /* of all below */
    GPtrArray *lines;      /* of PgDirLine */
    GArray *suspects;
    GArray *damage; /* once settled */
};

static void line_free(gpointer data)
{
    PgDirLine *line = data;

    g_free(line->path);
    g_free(line);
}

static void suspect_clear(gpointer data)
{
    g_free(((Suspect *)data)->path);
}

static void damage_clear(gpointer data)
{
    g_free(((PgDirDamage *)data)->path);
}

PgDirRead *pg_dir_read_new(const PgDirReadOptions *options)
{
    PgDirRead *read = g_new0(PgDirRead, 1);

    read->options = *options;
    pthread_mutex_init(&read->mutex, NULL);
    read->lines = g_ptr_array_new_with_free_func(line_free);
    read->suspects = g_array_new(FALSE, FALSE, sizeof(Suspect));
    g_array_set_clear_func(read->suspects, suspect_clear);
    read->damage = g_array_new(FALSE, FALSE, sizeof(PgDirDamage));
    g_array_set_clear_func(read->damage, damage_clear);
    return read;
}

void pg_dir_read_free(PgDirRead *read)
{
    if (!read)
        return;
    g_ptr_array_unref(read->lines);
    g_array_unref(read->suspects);
    g_array_unref(read->damage);
    pthread_mutex_destroy(&read->mutex);
    g_free(read);
}

void pg_dir_read_add(PgDirRead *read, const char *path, uint64_t size, int64_t mtime, uint32_t crc)
{
    PgDirLine *line = g_new0(PgDirLine, 1);

    *line = (PgDirLine){ g_strdup(path), size, mtime, crc };
    pthread_mutex_lock(&read->mutex);
    g_ptr_array_add(read->lines, line);
    pthread_mutex_unlock(&read->mutex);
}

/* ---- pages ---- */

/* A file whose pages are looked at while it passes. */
typedef struct {
    PgDirRead *read;
    const char *path;
    int fd;
    bool has_pages;
    uint32_t first_block;
    unsigned n_suspects;
} Pages;

static Pages pages_of(PgDirRead *read, const char *path, int fd)
{
    g_autofree char *dir = g_path_get_dirname(path);
    const char *name = strrchr(path, '/');
    Pages pages = { .read = read, .path = path, .fd = fd };
    PgRelationFile file;

    if (!read->options.blocks_per_file || !name || !pg_holds_relations(dir) ||
        !pg_relation_file_parse(name + 1, &file))
        return pages;
    pages.has_pages = true;
    pages.first_block = file.segment * read->options.blocks_per_file;
    return pages;
}

static void suspect(Pages *pages, uint64_t offset, const PgBadPage *page)
{
    Suspect one = { g_strdup(pages->path), offset, *page };

    pages->n_suspects++;
    pthread_mutex_lock(&pages->read->mutex);
    g_array_append_val(pages->read->suspects, one);
    pthread_mutex_unlock(&pages->read->mutex);
}

/* Until it fits, or has had its time. page: what goes into the backup. */
static bool read_again(Pages *pages, uint8_t *page, uint64_t offset, PgBadPage *bad, GError **error)
{
    unsigned tries = pages->n_suspects < PATIENT_FOR ? TORN_TRIES : 1;

    for (unsigned i = 0; i < tries; i++) {
        size_t n;

        if (i)
            clock_sleep_ms(TORN_PAUSE_MS);
        if (!fs_pread_full(pages->fd, page, PG_PAGE_LEN, offset, &n, pages->path, error))
            return false;
        // the relation was cut meanwhile: whatever is here now, the WAL knows that it has to go
        if (n < PG_PAGE_LEN || pg_pages_check(page, 1, bad->block, bad, 1) == 0)
            return true;
    }
    suspect(pages, offset, bad);
    return true;
}

static bool check_pages(Pages *pages, uint8_t *data, size_t len, uint64_t offset, GError **error)
{
    uint32_t first = pages->first_block + (uint32_t)(offset / PG_PAGE_LEN);
    PgBadPage bad[PAGES];
    size_t n_bad;

    if (!pages->has_pages)
        return true;
    n_bad = pg_pages_check(data, len / PG_PAGE_LEN, first, bad, PAGES);
    for (size_t i = 0; i < n_bad; i++) {
        size_t at = (size_t)(bad[i].block - first) * PG_PAGE_LEN;

        if (!read_again(pages, data + at, offset + at, &bad[i], error))
            return false;
    }
    return true;
}

/* ---- one file ---- */

/* As much as it held when it was opened: what it grows by, the WAL has. */
static bool copy(PgDirRead *read, const FileJob *job, int fd, uint8_t *buffer, uint64_t size,
                 uint64_t *ret_size, uint32_t *ret_crc, GError **error)
{
    Pages pages = pages_of(read, job->path, fd);
    uint64_t offset = 0;
    uint32_t crc = 0;

    while (offset < size) {
        size_t want = (size_t)MIN(size - offset, FILE_READ_SIZE), n;

        if (!cancel_check(read->options.cancel, error) ||
            !fs_pread_full(fd, buffer, want, offset, &n, job->path, error))
            return false;
        if (n == 0)
            break;
        if (!check_pages(&pages, buffer, n, offset, error) ||
            !sink_write(read->options.sink, job->handle, offset, buffer, n, error))
            return false;
        crc = crc32c(crc, buffer, n);
        offset += n;
    }
    *ret_size = offset;
    *ret_crc = crc;
    return true;
}

static bool read_open(PgDirRead *read, FileJob *job, int fd, uint8_t *buffer, GError **error)
{
    struct stat st;
    uint64_t size;
    uint32_t crc;

    if (fstat(fd, &st) != 0) {
        bs_error_errno(error, errno, "stat %s", job->path);
        return false;
    }
    if (!S_ISREG(st.st_mode)) {
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "%s: it is no file any more", job->path);
        return false;
    }
    // before it is read: what is written from here on gives it other times
    node_update_from_stat(job->node, &st, false);
    if (!copy(read, job, fd, buffer, job->node->size, &size, &crc, error))
        return false;
    job->node->size = size;
    pg_dir_read_add(read, job->path, size, job->node->mtime.sec, crc);
    return true;
}

bool pg_dir_read_file(void *user, FileJob *job, uint8_t *buffer, GError **error)
{
    PgDirRead *read = user;
    GError *failure = NULL;
    fs_autoclose int fd = file_job_open(job, &failure);

    if (fd >= 0 && read_open(read, job, fd, buffer, &failure))
        return sink_end(read->options.sink, job->handle, job->node, error);
    sink_abandon(read->options.sink, job->handle);
    if (fd < 0 && g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND)) {
        g_error_free(failure);
        return true; // it was dropped; whoever needs it finds that in the WAL
    }
    if (fd < 0)
        g_prefix_error(&failure, "%s: ", job->path);
    g_propagate_error(error, failure);
    return false;
}

/* ---- the end ---- */

static int by_path(gconstpointer a, gconstpointer b)
{
    return strcmp((*(const PgDirLine *const *)a)->path, (*(const PgDirLine *const *)b)->path);
}

const PgDirLine *const *pg_dir_read_lines(PgDirRead *read, size_t *ret_n)
{
    g_ptr_array_sort(read->lines, by_path);
    *ret_n = read->lines->len;
    return (const PgDirLine *const *)read->lines->pdata;
}

static bool written_between(uint64_t lsn, uint64_t start, uint64_t now)
{
    return lsn >= start && lsn <= now;
}

/* Will the WAL write the page anew, whatever of it is in the backup? The first change of a page
 * after a backup has begun puts all of it into the WAL. */
static bool made_whole(const Suspect *one, int directory, uint64_t start, uint64_t now)
{
    fs_autoclose int fd = openat(directory, one->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    uint8_t page[PG_PAGE_LEN];
    PgBadPage bad;
    size_t n;

    if (written_between(one->page.lsn, start, now))
        return true;
    if (fd < 0)
        return errno == ENOENT;
    if (!fs_pread_full(fd, page, sizeof page, one->offset, &n, one->path, NULL))
        return false;
    if (n < sizeof page)
        return true; // the relation was cut
    return pg_pages_check(page, 1, one->page.block, &bad, 1) == 0 &&
           written_between(pg_page_lsn(page), start, now);
}

static int by_place(gconstpointer a, gconstpointer b)
{
    const Suspect *x = a, *y = b;
    int order = strcmp(x->path, y->path);

    return order ? order : (x->offset > y->offset) - (x->offset < y->offset);
}

static void add_damage(GArray *damage, const Suspect *one)
{
    PgDirDamage *last = damage->len ? &g_array_index(damage, PgDirDamage, damage->len - 1) : NULL;

    if (last && strcmp(last->path, one->path) == 0) {
        last->n++;
    } else {
        PgDirDamage row = { g_strdup(one->path), one->page.block, 1, one->page.stored,
                            one->page.counted };

        g_array_append_val(damage, row);
    }
}

const GArray *pg_dir_read_settle(PgDirRead *read, int directory, uint64_t start, uint64_t now)
{
    g_array_sort(read->suspects, by_place);
    for (guint i = 0; i < read->suspects->len; i++) {
        const Suspect *one = &g_array_index(read->suspects, Suspect, i);

        if (!made_whole(one, directory, start, now))
            add_damage(read->damage, one);
    }
    g_array_set_size(read->suspects, 0);
    return read->damage;
}
