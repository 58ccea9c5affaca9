/* The Nth write, fsync or rename below a folder fails; loaded before the C library (LD_PRELOAD),
   so that calls of Python, Rust and C alike pass through here. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { NOTHING, WRITE, FSYNC, RENAME };

static int armed = NOTHING, nth = 0, failure = 0;
static char below[PATH_MAX] = "";
static size_t below_length = 0;
static atomic_int calls[4];

/* kind: 1 write, 2 fsync, 3 rename, 0 none; which: from 1; how: an errno, or 0 for SIGKILL */
void arm(int kind, int which, int how, const char *folder) {
    armed = kind, nth = which, failure = how;
    strncpy(below, folder, sizeof below - 1);
    below_length = strlen(below);
}

int counted(int kind) { return calls[kind]; }

static int inside_path(const char *path) {
    return below_length && (path[0] != '/' || !strncmp(path, below, below_length));
}

static int inside(int fd) {
    char link[64], path[PATH_MAX];
    struct stat status;
    if (!below_length) return 0;
    if (fstat(fd, &status) || !(S_ISREG(status.st_mode) || S_ISDIR(status.st_mode))) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return inside_path(path);
}

/* Whether this is the call that fails. */
static int fails(int kind) {
    return atomic_fetch_add(&calls[kind], 1) + 1 == nth && armed == kind;
}

static int failed(void) {
    if (!failure) kill(getpid(), SIGKILL);
    errno = failure;
    return -1;
}

#define REAL(name) static __typeof__(&name) real; if (!real) real = dlsym(RTLD_NEXT, #name)

/* Half of what was to be written is, as a full disk leaves it. */
ssize_t write(int fd, const void *data, size_t size) {
    REAL(write);
    if (inside(fd) && fails(WRITE)) { real(fd, data, size / 2); return failed(); }
    return real(fd, data, size);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t place) {
    REAL(pwrite64);
    if (inside(fd) && fails(WRITE)) {
        real(fd, data, size / 2, place);
        return failed();
    }
    return real(fd, data, size, place);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t place) {
    return pwrite64(fd, data, size, place);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(writev);
    if (inside(fd) && fails(WRITE)) { real(fd, parts, count / 2); return failed(); }
    return real(fd, parts, count);
}

ssize_t sendfile64(int out, int in, off64_t *place, size_t size) {
    REAL(sendfile64);
    if (inside(out) && fails(WRITE)) return failed();
    return real(out, in, place, size);
}

ssize_t sendfile(int out, int in, off_t *place, size_t size) {
    return sendfile64(out, in, place, size);
}

ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t size, unsigned flags) {
    REAL(copy_file_range);
    if (inside(out) && fails(WRITE)) return failed();
    return real(in, from, out, to, size, flags);
}

int fsync(int fd) {
    REAL(fsync);
    return inside(fd) && fails(FSYNC) ? failed() : real(fd);
}

int fdatasync(int fd) {
    REAL(fdatasync);
    return inside(fd) && fails(FSYNC) ? failed() : real(fd);
}

int rename(const char *from, const char *to) {
    REAL(rename);
    return inside_path(to) && fails(RENAME) ? failed() : real(from, to);
}

int renameat(int one, const char *from, int other, const char *to) {
    REAL(renameat);
    return inside_path(to) && fails(RENAME) ? failed() : real(one, from, other, to);
}
