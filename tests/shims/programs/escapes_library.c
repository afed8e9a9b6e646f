/* SPDX-License-Identifier: BSL-1.0 */
/* A library that reads; compiled fortified. What it adds keeps the calls from being jumps. */
#include <unistd.h>

ssize_t __read(int fd, void* buffer, size_t size);
ssize_t __read_chk(int fd, void* buffer, size_t size, size_t room);

ssize_t library_read(int fd, void* buffer, size_t size) {
    volatile ssize_t n = read(fd, buffer, size);
    return n;
}

ssize_t library_read_checked(int fd, void* buffer, size_t size) {
    volatile ssize_t n = __read_chk(fd, buffer, size, size);
    return n;
}

ssize_t library_read_alias(int fd, void* buffer, size_t size) {
    volatile ssize_t n = __read(fd, buffer, size);
    return n;
}
