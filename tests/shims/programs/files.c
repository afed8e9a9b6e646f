// SPDX-License-Identifier: BSL-1.0
// Files, FIFOs and locks; the first argument is a file to work on.
#include "asleep.h"
#include "report.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static char big[3 << 20], copy[3 << 20];

static void transfers(const char* path) {
    int fd = open(path, O_CREAT | O_TRUNC | O_RDWR, 0640);
    struct stat status;
    CHECK(fd >= 0 && fstat(fd, &status) == 0);
    umask(umask(0));
    printf("mode %o\n", status.st_mode & 0777);
    for (size_t i = 0; i < sizeof big; ++i) {
        big[i] = (char)(i * 31 >> 3);
    }
    REPORT(write(fd, big, sizeof big));
    REPORT(lseek(fd, 0, SEEK_CUR));
    REPORT(fsync(fd));
    REPORT(fdatasync(fd));
    REPORT(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
    REPORT(pread(fd, copy, unknown(sizeof copy), 0));
    printf("same: %d\n", memcmp(big, copy, sizeof big) == 0);
    REPORT(posix_fadvise(fd, 1 << 20, 0, POSIX_FADV_DONTNEED));
    memset(copy, 0, sizeof copy);
    REPORT(lseek(fd, 0, SEEK_SET));
    REPORT(read(fd, copy, unknown(sizeof copy)));
    printf("same: %d\n", memcmp(big, copy, sizeof big) == 0);
    REPORT(read(fd, copy, 10));
    REPORT(pread(fd, copy, 100, sizeof big - 10));
    REPORT(pread(fd, copy, 100, sizeof big + 10));
    REPORT(pread(fd, copy, 100, -1));
    REPORT(pwrite(fd, copy, 100, -2));
    struct iovec parts[] = {{copy, 3}, {copy + 10, 0}, {copy + 20, 5}};
    REPORT(preadv(fd, parts, 3, sizeof big - 6));
    REPORT(preadv2(fd, parts, 3, 5, 0));
    REPORT(preadv(fd, parts, -1, 0));
    REPORT(pwritev(fd, parts, 3, 1));
    REPORT(pwritev2(fd, parts, 3, 100, 0));
    REPORT(pwrite(fd, "hello", 5, 7));
    REPORT(lseek(fd, 0, SEEK_CUR));
    close(fd);
    fd = open(path, O_WRONLY | O_APPEND | O_TRUNC);
    REPORT(write(fd, "one", 3));
    REPORT(writev(fd, parts, 3));
    REPORT(pwrite(fd, "two", 3, 0));
    REPORT(read(fd, copy, 1));
    REPORT(fstat(fd, &status));
    printf("size %ld\n", (long)status.st_size);
    close(fd);
    REPORT(open("/nonesuch/file", O_RDONLY));
    REPORT(open(path, O_CREAT | O_EXCL | O_RDWR, 0600));
    REPORT(openat(AT_FDCWD, "/", O_WRONLY));
    fd = creat(path, 0600);
    REPORT(fd >= 0);
    REPORT(read(fd, copy, 1));
    close(fd);
    REPORT(fsync(-1));
    int ends[2];
    CHECK(pipe(ends) == 0);
    REPORT(fsync(ends[0]));
    REPORT(pread(ends[0], copy, 1, 0));
    close(ends[0]);
    close(ends[1]);
    sync();
}

static void fifo(const char* path) {
    char c = 0;
    unlink(path);
    CHECK(mkfifo(path, 0600) == 0);
    REPORT(open(path, O_WRONLY | O_NONBLOCK));
    int lonely = open(path, O_RDONLY | O_NONBLOCK);
    REPORT(read(lonely, &c, 1));
    close(lonely);
    pid_t pid = fork();
    if (pid == 0) {
        until_parent_asleep();
        int fd = open(path, O_WRONLY);
        _exit(fd >= 0 && write(fd, "f", 1) == 1 ? 0 : 1);
    }
    int fd = open(path, O_RDONLY);
    REPORT(fd >= 0);
    REPORT(read(fd, &c, 1));
    REPORT(read(fd, &c, 1));
    close(fd);
    CHECK(waitpid(pid, NULL, 0) == pid);
    // Its end is also where there was no writer yet.
    fd = open(path, O_RDONLY | O_NONBLOCK);
    REPORT(read(fd, &c, 1));
    REPORT(fcntl(fd, F_SETFL, 0));
    REPORT(read(fd, &c, 1));
    int writer = open(path, O_WRONLY);
    REPORT(fcntl(fd, F_SETFL, O_NONBLOCK));
    REPORT(read(fd, &c, 1));
    REPORT(write(writer, "i", 1));
    REPORT(read(fd, &c, 1));
    close(writer);
    REPORT(read(fd, &c, 1));
    close(fd);
    fd = open(path, O_RDWR | O_NONBLOCK);
    REPORT(read(fd, &c, 1));
    REPORT(read(fd, &c, 1));
    close(fd);
    unlink(path);
}

// A child holds the lock until its parent waits for it.
static void locks(const char* path) {
    for (int kind = 0; kind < 4; ++kind) {
        int ready[2];
        char c;
        CHECK(pipe(ready) == 0);
        pid_t pid = fork();
        int fd = open(path, O_CREAT | O_RDWR, 0600);
        struct flock whole = {.l_type = F_WRLCK};
        if (pid == 0) {
            CHECK(kind == 0   ? flock(fd, LOCK_EX) == 0
                  : kind == 3 ? fcntl(fd, F_OFD_SETLKW, &whole) == 0
                              : fcntl(fd, F_SETLKW, &whole) == 0);
            CHECK(write(ready[1], "x", 1) == 1);
            until_parent_asleep();
            _exit(0);
        }
        CHECK(read(ready[0], &c, 1) == 1);
        switch (kind) {
        case 0:
            REPORT(flock(fd, LOCK_EX | LOCK_NB));
            REPORT(flock(fd, LOCK_SH));
            REPORT(flock(fd, LOCK_UN));
            break;
        case 1:
            REPORT(fcntl(fd, F_SETLK, &whole));
            REPORT(fcntl(fd, F_SETLKW, &whole));
            break;
        case 2:
            REPORT(lockf(fd, F_TLOCK, 0));
            REPORT(lockf(fd, F_TEST, 0));
            REPORT(lockf(fd, F_LOCK, 0));
            REPORT(lockf(fd, F_ULOCK, 0));
            break;
        default:
            REPORT(fcntl(fd, F_OFD_SETLK, &whole));
            REPORT(fcntl(fd, F_OFD_SETLKW, &whole));
        }
        CHECK(waitpid(pid, NULL, 0) == pid);
        close(fd);
        close(ready[0]);
        close(ready[1]);
    }
    REPORT(flock(-1, LOCK_EX));
    REPORT(flock(0, 77));
    unlink(path);
}

int main(int argc, char** argv) {
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    CHECK(argc == 2);
    unlink(argv[1]);
    transfers(argv[1]);
    fifo(argv[1]);
    locks(argv[1]);
    return 0;
}
