/* A wall clock that is set while a program runs: loaded before libc, it adds the milliseconds that the file named by
   CLOCK_OFFSET holds to CLOCK_REALTIME. Clocks that count from the start of the machine go on as they are. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t clock, struct timespec *time) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int code = real(clock, time);
    const char *path = getenv("CLOCK_OFFSET");
    long long offset_ms = 0;
    if (code != 0 || clock != CLOCK_REALTIME || !path) return code;
    FILE *file = fopen(path, "r");
    if (!file) return code;
    if (fscanf(file, "%lld", &offset_ms) != 1) offset_ms = 0;
    fclose(file);
    long long ns = time->tv_nsec + (offset_ms % 1000) * 1000000;
    time->tv_sec += offset_ms / 1000 + (ns < 0 ? -1 : ns / 1000000000);
    time->tv_nsec = ns < 0 ? ns + 1000000000 : ns % 1000000000;
    return code;
}
