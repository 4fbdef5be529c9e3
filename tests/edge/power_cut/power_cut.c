/* Kills this process at the n-th thing it does to a file, the way a power cut or kill -9 would.
 *
 * Loaded with LD_PRELOAD, it counts every write, flush, truncation, rename and deletion of regular files below one
 * folder, those of SQLite included. At the n-th it dies:
 *
 *   mode 1, killed:      what was written is there; the write it dies in is torn in half
 *   mode 2, power cut:   everything that was not flushed is undone, in reverse order: contents, renames, deletions
 *   mode 3, half a cut:  each unflushed piece of content is undone or not, by the toss of a coin; names are as they were
 *
 * Flushes are remembered, not passed on to the disk: the test would take minutes and learn nothing more. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum kind { CONTENT, RENAMED, REMOVED };

struct change {
    enum kind kind;
    ino_t inode;               /* of the file, or of the folder whose flush makes a name durable */
    char path[PATH_MAX];       /* the file, or its new name */
    char old_path[PATH_MAX];   /* its old name, or where a deleted or replaced file is kept */
    char kept[PATH_MAX];       /* the replaced file, empty if there was none */
    off_t offset, old_size;
    size_t length;
    char *old_bytes;
    struct change *earlier;
};

static char root[PATH_MAX];
static long count, fatal;
static int mode, busy, backups;
static struct change *newest;

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_fsync)(int), (*real_ftruncate)(int, off_t);
static int (*real_rename)(const char *, const char *), (*real_unlink)(const char *);

__attribute__((constructor)) static void find_real(void)
{
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate");
    real_rename = dlsym(RTLD_NEXT, "rename");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
}

void arm(const char *folder, long at, int how)
{
    snprintf(root, sizeof root, "%s/", folder);
    count = 0;
    fatal = at;
    mode = how;
    srandom((unsigned)at);
}

long counted(void) { return count; }

static int below_root(const char *path) { return root[0] && strncmp(path, root, strlen(root)) == 0; }

static int watched(int descriptor, char *path, struct stat *facts)
{
    char link[64];
    ssize_t length;
    if (!root[0] || busy || fstat(descriptor, facts) || !(S_ISREG(facts->st_mode) || S_ISDIR(facts->st_mode)))
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    length = readlink(link, path, PATH_MAX - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return below_root(path) || (S_ISDIR(facts->st_mode) && strncmp(path, root, strlen(root) - 1) == 0);
}

static ino_t folder_of(const char *path)
{
    char folder[PATH_MAX];
    struct stat facts;
    snprintf(folder, sizeof folder, "%s", path);
    *strrchr(folder, '/') = 0;
    return stat(folder, &facts) ? 0 : facts.st_ino;
}

static struct change *remember(enum kind kind, ino_t inode, const char *path)
{
    struct change *change = calloc(1, sizeof *change);
    change->kind = kind;
    change->inode = inode;
    snprintf(change->path, PATH_MAX, "%s", path);
    change->earlier = newest;
    newest = change;
    return change;
}

static void remember_content(int descriptor, const char *path, const struct stat *facts, off_t offset, size_t length)
{
    struct change *change = remember(CONTENT, facts->st_ino, path);
    ssize_t got;
    change->offset = offset;
    change->old_size = facts->st_size;
    change->old_bytes = malloc(length + 1);
    busy = 1;
    int reader = open(path, O_RDONLY | O_CLOEXEC);
    got = reader < 0 ? 0 : pread(reader, change->old_bytes, length, offset);
    if (reader >= 0)
        close(reader);
    busy = 0;
    change->length = got > 0 ? (size_t)got : 0;
    (void)descriptor;
}

/* Content belongs to a file, whatever its name is now. */
static void renamed(const char *from, const char *to)
{
    for (struct change *change = newest; change; change = change->earlier)
        if (change->kind == CONTENT && strcmp(change->path, from) == 0)
            snprintf(change->path, PATH_MAX, "%s", to);
}

static void forget(ino_t inode)
{
    for (struct change **place = &newest; *place;) {
        struct change *change = *place;
        if (change->inode != inode) {
            place = &change->earlier;
            continue;
        }
        *place = change->earlier;
        if (change->kind == REMOVED)
            real_unlink(change->old_path);
        if (change->kept[0])
            real_unlink(change->kept);
        free(change->old_bytes);
        free(change);
    }
}

static void undo(void)
{
    for (struct change *change = newest; change; change = change->earlier) {
        if (mode == 3 && (change->kind != CONTENT || random() % 2))
            continue;
        if (change->kind == CONTENT) {
            int descriptor = open(change->path, O_WRONLY | O_CLOEXEC);
            if (descriptor < 0)
                continue;
            real_pwrite(descriptor, change->old_bytes, change->length, change->offset);
            if (mode == 2)
                real_ftruncate(descriptor, change->old_size);
            close(descriptor);
        } else if (change->kind == RENAMED) {
            real_rename(change->path, change->old_path);
            renamed(change->path, change->old_path);
            if (change->kept[0])
                real_rename(change->kept, change->path);
        } else {
            real_rename(change->old_path, change->path);
        }
    }
}

static void die(void)
{
    busy = 1;
    if (mode > 1)
        undo();
    kill(getpid(), SIGKILL);
    pause();
}

static int last(void) { return ++count == fatal; }

static void backup(const char *path, char *place)
{
    snprintf(place, PATH_MAX, "%.*s.kept-%d", (int)strlen(root) - 1, root, backups++);
    if (link(path, place))
        place[0] = 0;
}

ssize_t write(int descriptor, const void *bytes, size_t length)
{
    char path[PATH_MAX];
    struct stat facts;
    if (!watched(descriptor, path, &facts))
        return real_write(descriptor, bytes, length);
    if (last()) {
        if (mode == 1)
            real_write(descriptor, bytes, length / 2);
        die();
    }
    remember_content(descriptor, path, &facts, lseek(descriptor, 0, SEEK_CUR), length);
    return real_write(descriptor, bytes, length);
}

ssize_t pwrite(int descriptor, const void *bytes, size_t length, off_t offset)
{
    char path[PATH_MAX];
    struct stat facts;
    if (!watched(descriptor, path, &facts))
        return real_pwrite(descriptor, bytes, length, offset);
    if (last()) {
        if (mode == 1)
            real_pwrite(descriptor, bytes, length / 2, offset);
        die();
    }
    remember_content(descriptor, path, &facts, offset, length);
    return real_pwrite(descriptor, bytes, length, offset);
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t length, off_t offset)
{
    return pwrite(descriptor, bytes, length, offset);
}

int ftruncate(int descriptor, off_t size)
{
    char path[PATH_MAX];
    struct stat facts;
    if (!watched(descriptor, path, &facts))
        return real_ftruncate(descriptor, size);
    if (last())
        die();
    if (size < facts.st_size)
        remember_content(descriptor, path, &facts, size, (size_t)(facts.st_size - size));
    return real_ftruncate(descriptor, size);
}

int ftruncate64(int descriptor, off_t size) { return ftruncate(descriptor, size); }

int fsync(int descriptor)
{
    char path[PATH_MAX];
    struct stat facts;
    if (!watched(descriptor, path, &facts))
        return real_fsync(descriptor);
    if (last())
        die();
    forget(facts.st_ino);
    return 0;
}

int fdatasync(int descriptor) { return fsync(descriptor); }

int rename(const char *from, const char *to)
{
    if (!below_root(to) || busy)
        return real_rename(from, to);
    if (last())
        die();
    struct change *change = remember(RENAMED, folder_of(to), to);
    snprintf(change->old_path, PATH_MAX, "%s", from);
    backup(to, change->kept);
    renamed(from, to);
    return real_rename(from, to);
}

int unlink(const char *path)
{
    if (!below_root(path) || busy)
        return real_unlink(path);
    if (last())
        die();
    struct change *change = remember(REMOVED, folder_of(path), path);
    backup(path, change->old_path);
    if (!change->old_path[0])
        newest = change->earlier;
    return real_unlink(path);
}
