// SPDX-License-Identifier: BSL-1.0
// Threads that leave the fd table of the others. The first argument is a file to work on.
#include "report.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum ways { by_unshare, by_close_range };

static char big[1 << 20];

static long size_of(const char* path) {
    struct stat status;
    return stat(path, &status) == 0 ? (long)status.st_size : -1;
}

static void* fill(void* file) {
    const int fd = *(int*)file;
    REPORT(write(fd, big, 1000));
    REPORT(fsync(fd));
    REPORT(posix_fallocate(fd, 0, 500000));
    return NULL;
}

static void leave(const char* path, const char* other, enum ways way) {
    pthread_t thread;
    int first = open(path, O_CREAT | O_TRUNC | O_RDWR, 0600);
    CHECK(first >= 0);
    REPORT(write(first, big, 100));
    REPORT(fsync(first));
    REPORT(unshare(-1));
    REPORT(close_range(3, 2, CLOSE_RANGE_UNSHARE));
    if (way == by_unshare) {
        REPORT(unshare(CLONE_FILES));
        REPORT(close(first));
    } else {
        REPORT(close_range(3, ~0U, CLOSE_RANGE_UNSHARE));
    }
    REPORT(fsync(first));
    int second = open(other, O_CREAT | O_TRUNC | O_RDWR, 0600);
    printf("same number: %d\n", second == first);
    fill(&second);
    REPORT(write(second, big, sizeof big));
    REPORT(pwrite(second, big, 10, 3 << 20));
    printf("sizes %ld %ld\n", size_of(path), size_of(other));
    // One that was made by it has its table.
    CHECK(ftruncate(second, 0) == 0 && lseek(second, 0, SEEK_SET) == 0);
    CHECK(pthread_create(&thread, NULL, fill, &second) == 0 && pthread_join(thread, NULL) == 0);
    printf("sizes %ld %ld\n", size_of(path), size_of(other));
    fflush(stdout);
}

int main(int argc, char** argv) {
    char other[4096];
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    CHECK(argc == 2);
    snprintf(other, sizeof other, "%s.other", argv[1]);
    const pid_t pid = fork();
    if (pid == 0) {
        begin_idle_thread();
        leave(argv[1], other, by_unshare);
        _exit(0);
    }
    int status = 0;
    CHECK(waitpid(pid, &status, 0) == pid);
    printf("status %d\n", status);
    begin_idle_thread();
    leave(argv[1], other, by_close_range);
    unlink(argv[1]);
    unlink(other);
    return 0;
}
