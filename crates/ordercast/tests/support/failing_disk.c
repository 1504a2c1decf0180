/* A disk that fails when it is told to: loaded before libc, it fails the calls of the store on the files of
   one folder. FAULT_DIR is the folder; once the file named by FAULT_SYNC exists every sync fails with EIO,
   once the one named by FAULT_FULL exists every write fails with ENOSPC. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int applies(const char *fault, int fd) {
    const char *flag = getenv(fault), *dir = getenv("FAULT_DIR");
    char link[64], path[4096];
    ssize_t length;
    if (!flag || !dir || access(flag, F_OK) != 0) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strncmp(path, dir, strlen(dir)) == 0;
}

#define SYNC(name)                                              \
    int name(int fd) {                                          \
        static int (*real)(int);                                \
        if (applies("FAULT_SYNC", fd)) { errno = EIO; return -1; } \
        if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, #name); \
        return real(fd);                                        \
    }
SYNC(fsync)
SYNC(fdatasync)

#define PWRITE(name)                                                                   \
    ssize_t name(int fd, const void *data, size_t count, off_t at) {                   \
        static ssize_t (*real)(int, const void *, size_t, off_t);                      \
        if (applies("FAULT_FULL", fd)) { errno = ENOSPC; return -1; }                  \
        if (!real) real = (ssize_t (*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, #name); \
        return real(fd, data, count, at);                                              \
    }
PWRITE(pwrite)
PWRITE(pwrite64)
