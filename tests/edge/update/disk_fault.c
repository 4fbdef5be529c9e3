/* Lets the n-th thing that this process does to the disk fail, the way a full, a read-only or a dying card does.
 *
 * Loaded with LD_PRELOAD, it counts what is done to files and folders below one folder: open, mkdir, rmdir, unlink,
 * rename, link, symlink, chmod, truncate, write, fsync; and for EIO also what only reads: open for reading, read,
 * opendir, readlink. The n-th fails with the errno that was asked for and does nothing; where it is to last, so does
 * everything after it that this errno can hit. What is not counted: stat and its relatives, and memory maps. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static char root[PATH_MAX];
static long count, fatal;
static int code, lasting;

void arm_fault(const char *folder, long at, int error, int lasts)
{
    snprintf(root, sizeof root, "%s", folder);
    count = 0;
    fatal = at;
    code = error;
    lasting = lasts;
}

long faults_counted(void) { return count; }

static int below(const char *path)
{
    size_t length = strlen(root);
    return length && strncmp(path, root, length) == 0 && (path[length] == '/' || !path[length]);
}

static int below_descriptor(int descriptor)
{
    char link[64], path[PATH_MAX];
    if (!root[0])
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return below(path);
}

static int below_at(int folder, const char *path)
{
    return path[0] == '/' ? below(path) : root[0] && folder != AT_FDCWD && below_descriptor(folder);
}

/* Count one thing below the folder; say whether it fails. */
static int fails(int is_below, int only_reads)
{
    if (!root[0] || !is_below || (only_reads && code != EIO))
        return 0;
    count++;
    if (count != fatal && !(lasting && fatal && count > fatal))
        return 0;
    errno = code;
    return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define OPEN(name)                                                                       \
    int name(const char *path, int flags, ...)                                           \
    {                                                                                    \
        va_list rest;                                                                    \
        va_start(rest, flags);                                                           \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;          \
        va_end(rest);                                                                    \
        int reads = (flags & O_ACCMODE) == O_RDONLY && !(flags & (O_CREAT | O_TRUNC));   \
        return fails(below(path), reads) ? -1 : REAL(name)(path, flags, mode);           \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                     \
    int name(int folder, const char *path, int flags, ...)                               \
    {                                                                                    \
        va_list rest;                                                                    \
        va_start(rest, flags);                                                           \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;          \
        va_end(rest);                                                                    \
        int reads = (flags & O_ACCMODE) == O_RDONLY && !(flags & (O_CREAT | O_TRUNC));   \
        return fails(below_at(folder, path), reads) ? -1 : REAL(name)(folder, path, flags, mode); \
    }
OPENAT(openat)
OPENAT(openat64)

int mkdir(const char *path, mode_t mode) { return fails(below(path), 0) ? -1 : REAL(mkdir)(path, mode); }
int rmdir(const char *path) { return fails(below(path), 0) ? -1 : REAL(rmdir)(path); }
int unlink(const char *path) { return fails(below(path), 0) ? -1 : REAL(unlink)(path); }
int chmod(const char *path, mode_t mode) { return fails(below(path), 0) ? -1 : REAL(chmod)(path, mode); }
int fchmod(int file, mode_t mode) { return fails(below_descriptor(file), 0) ? -1 : REAL(fchmod)(file, mode); }
int link(const char *from, const char *to) { return fails(below(to), 0) ? -1 : REAL(link)(from, to); }
int symlink(const char *from, const char *to) { return fails(below(to), 0) ? -1 : REAL(symlink)(from, to); }
int rename(const char *from, const char *to) { return fails(below(to), 0) ? -1 : REAL(rename)(from, to); }
int fsync(int file) { return fails(below_descriptor(file), 0) ? -1 : 0; }
int fdatasync(int file) { return fsync(file); }

int unlinkat(int folder, const char *path, int flags)
{
    return fails(below_at(folder, path), 0) ? -1 : REAL(unlinkat)(folder, path, flags);
}

int fchmodat(int folder, const char *path, mode_t mode, int flags)
{
    return fails(below_at(folder, path), 0) ? -1 : REAL(fchmodat)(folder, path, mode, flags);
}

int ftruncate(int file, off_t size) { return fails(below_descriptor(file), 0) ? -1 : REAL(ftruncate)(file, size); }
int ftruncate64(int file, off64_t size) { return fails(below_descriptor(file), 0) ? -1 : REAL(ftruncate64)(file, size); }

ssize_t write(int file, const void *bytes, size_t length)
{
    return fails(below_descriptor(file), 0) ? -1 : REAL(write)(file, bytes, length);
}

ssize_t read(int file, void *bytes, size_t length)
{
    return fails(below_descriptor(file), 1) ? -1 : REAL(read)(file, bytes, length);
}

DIR *opendir(const char *path) { return fails(below(path), 1) ? NULL : REAL(opendir)(path); }

ssize_t readlink(const char *path, char *target, size_t size)
{
    return fails(below(path), 1) ? -1 : REAL(readlink)(path, target, size);
}
