// SPDX-License-Identifier: BSL-1.0
#pragma once

// Written by shims/ledger.py from shims/symbols.def; a test compares.

#include <tendril/export.hpp>

#include <aio.h>
#include <grp.h>
#include <locale.h>
#include <mqueue.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <resolv.h>
#include <shadow.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <termios.h>
#include <threads.h>
#include <time.h>
#include <wchar.h>

struct epoll_event;

namespace tendril {
inline namespace v1 {

/// libc's functions behind those of the shim, under the same names: they do what their man pages
/// say, and so block the thread with all its fibers. For code that must not wait in the hub. Any
/// thread may call them, with and without a hub; they are no points of cancellation for fibers.
///
/// Without a shim in the process they are what calls of the plain names reach. Each looks its
/// function up at its first call, which therefore is not for signal handlers. One that this libc
/// lacks fails with ENOSYS.
///
/// @warning What the hub keeps of fds, handlers and children is not told of what is done here:
/// `real::close` of an fd that a fiber waits for leaves it waiting. What plain popen() or
/// flockfile() began, plain pclose() or funlockfile() must end.
namespace real {

// clang-format off

// Bytes, messages and connections, on sockets, pipes and terminals alike; queues between processes.
TENDRIL_EXPORT ssize_t read(int fd, void* buffer, size_t size); ///< libc's
TENDRIL_EXPORT ssize_t write(int fd, const void* buffer, size_t size); ///< libc's
TENDRIL_EXPORT ssize_t readv(int fd, const struct iovec* parts, int count); ///< libc's
TENDRIL_EXPORT ssize_t writev(int fd, const struct iovec* parts, int count); ///< libc's
TENDRIL_EXPORT ssize_t pread(int fd, void* buffer, size_t size, off_t offset); ///< libc's
TENDRIL_EXPORT ssize_t pwrite(int fd, const void* buffer, size_t size, off_t offset); ///< libc's
TENDRIL_EXPORT ssize_t preadv(int fd, const struct iovec* parts, int count, off_t offset); ///< libc's
TENDRIL_EXPORT ssize_t pwritev(int fd, const struct iovec* parts, int count, off_t offset); ///< libc's
TENDRIL_EXPORT ssize_t preadv2(int fd, const struct iovec* parts, int count, off_t offset, int flags); ///< libc's
TENDRIL_EXPORT ssize_t pwritev2(int fd, const struct iovec* parts, int count, off_t offset, int flags); ///< libc's
TENDRIL_EXPORT int eventfd_read(int fd, uint64_t* value); ///< libc's
TENDRIL_EXPORT int eventfd_write(int fd, uint64_t value); ///< libc's
TENDRIL_EXPORT ssize_t recv(int fd, void* buffer, size_t size, int flags); ///< libc's
TENDRIL_EXPORT ssize_t send(int fd, const void* buffer, size_t size, int flags); ///< libc's
TENDRIL_EXPORT ssize_t recvfrom(int fd, void* buffer, size_t size, int flags, struct sockaddr* from, socklen_t* from_size); ///< libc's
TENDRIL_EXPORT ssize_t sendto(int fd, const void* buffer, size_t size, int flags, const struct sockaddr* to, socklen_t to_size); ///< libc's
TENDRIL_EXPORT ssize_t recvmsg(int fd, struct msghdr* message, int flags); ///< libc's
TENDRIL_EXPORT ssize_t sendmsg(int fd, const struct msghdr* message, int flags); ///< libc's
TENDRIL_EXPORT int recvmmsg(int fd, struct mmsghdr* messages, unsigned int count, int flags, struct timespec* timeout); ///< libc's
TENDRIL_EXPORT int sendmmsg(int fd, struct mmsghdr* messages, unsigned int count, int flags); ///< libc's
TENDRIL_EXPORT int accept(int fd, struct sockaddr* peer, socklen_t* peer_size); ///< libc's
TENDRIL_EXPORT int accept4(int fd, struct sockaddr* peer, socklen_t* peer_size, int flags); ///< libc's
TENDRIL_EXPORT int connect(int fd, const struct sockaddr* to, socklen_t to_size); ///< libc's
TENDRIL_EXPORT int shutdown(int fd, int how); ///< libc's
TENDRIL_EXPORT int setsockopt(int fd, int level, int name, const void* value, socklen_t size); ///< libc's
TENDRIL_EXPORT ssize_t sendfile(int out, int in, off_t* offset, size_t count); ///< libc's
TENDRIL_EXPORT ssize_t splice(int in, off64_t* in_offset, int out, off64_t* out_offset, size_t count, unsigned int flags); ///< libc's
TENDRIL_EXPORT ssize_t tee(int in, int out, size_t count, unsigned int flags); ///< libc's
TENDRIL_EXPORT ssize_t vmsplice(int fd, const struct iovec* parts, size_t count, unsigned int flags); ///< libc's
TENDRIL_EXPORT ssize_t mq_receive(mqd_t queue, char* message, size_t room, unsigned int* priority); ///< libc's
TENDRIL_EXPORT ssize_t mq_timedreceive(mqd_t queue, char* message, size_t room, unsigned int* priority, const struct timespec* until); ///< libc's
TENDRIL_EXPORT int mq_send(mqd_t queue, const char* message, size_t size, unsigned int priority); ///< libc's
TENDRIL_EXPORT int mq_timedsend(mqd_t queue, const char* message, size_t size, unsigned int priority, const struct timespec* until); ///< libc's
TENDRIL_EXPORT int msgsnd(int queue, const void* message, size_t size, int flags); ///< libc's
TENDRIL_EXPORT ssize_t msgrcv(int queue, void* message, size_t room, long type, int flags); ///< libc's
TENDRIL_EXPORT int semop(int set, struct sembuf* operations, size_t count); ///< libc's
TENDRIL_EXPORT int semtimedop(int set, struct sembuf* operations, size_t count, const struct timespec* timeout); ///< libc's

// Sleeping and yielding.
TENDRIL_EXPORT unsigned int sleep(unsigned int seconds); ///< libc's
TENDRIL_EXPORT int usleep(useconds_t microseconds); ///< libc's
TENDRIL_EXPORT int nanosleep(const struct timespec* duration, struct timespec* left); ///< libc's
TENDRIL_EXPORT int clock_nanosleep(clockid_t clock, int flags, const struct timespec* duration, struct timespec* left); ///< libc's
TENDRIL_EXPORT int thrd_sleep(const struct timespec* duration, struct timespec* left); ///< libc's
TENDRIL_EXPORT int sched_yield(void); ///< libc's

// Waiting for readiness.
TENDRIL_EXPORT int poll(struct pollfd* fds, nfds_t count, int timeout); ///< libc's
TENDRIL_EXPORT int ppoll(struct pollfd* fds, nfds_t count, const struct timespec* timeout, const sigset_t* mask); ///< libc's
TENDRIL_EXPORT int select(int count, fd_set* in, fd_set* out, fd_set* pri, struct timeval* timeout); ///< libc's
TENDRIL_EXPORT int pselect(int count, fd_set* in, fd_set* out, fd_set* pri, const struct timespec* timeout, const sigset_t* mask); ///< libc's
TENDRIL_EXPORT int epoll_wait(int epfd, struct epoll_event* events, int room, int timeout); ///< libc's
TENDRIL_EXPORT int epoll_pwait(int epfd, struct epoll_event* events, int room, int timeout, const sigset_t* mask); ///< libc's
TENDRIL_EXPORT int epoll_pwait2(int epfd, struct epoll_event* events, int room, const struct timespec* timeout, const sigset_t* mask); ///< libc's

// Names and addresses; users, groups and services.
TENDRIL_EXPORT int getaddrinfo(const char* node, const char* service, const struct addrinfo* hints, struct addrinfo** result); ///< libc's
TENDRIL_EXPORT int getnameinfo(const struct sockaddr* address, socklen_t size, char* host, socklen_t host_room, char* service, socklen_t service_room, int flags); ///< libc's
TENDRIL_EXPORT int getaddrinfo_a(int mode, struct gaicb** list, int count, struct sigevent* event); ///< libc's
TENDRIL_EXPORT int gai_suspend(const struct gaicb* const* list, int count, const struct timespec* timeout); ///< libc's
TENDRIL_EXPORT struct hostent* gethostbyname(const char* name); ///< libc's
TENDRIL_EXPORT struct hostent* gethostbyname2(const char* name, int family); ///< libc's
TENDRIL_EXPORT struct hostent* gethostbyaddr(const void* address, socklen_t size, int family); ///< libc's
TENDRIL_EXPORT int gethostbyname_r(const char* name, struct hostent* host, char* buffer, size_t room, struct hostent** result, int* error); ///< libc's
TENDRIL_EXPORT int gethostbyname2_r(const char* name, int family, struct hostent* host, char* buffer, size_t room, struct hostent** result, int* error); ///< libc's
TENDRIL_EXPORT int gethostbyaddr_r(const void* address, socklen_t size, int family, struct hostent* host, char* buffer, size_t room, struct hostent** result, int* error); ///< libc's
TENDRIL_EXPORT int res_query(const char* name, int kind, int type, unsigned char* answer, int room); ///< libc's
TENDRIL_EXPORT int res_search(const char* name, int kind, int type, unsigned char* answer, int room); ///< libc's
TENDRIL_EXPORT int res_querydomain(const char* name, const char* domain, int kind, int type, unsigned char* answer, int room); ///< libc's
TENDRIL_EXPORT int res_send(const unsigned char* message, int size, unsigned char* answer, int room); ///< libc's
TENDRIL_EXPORT int res_nquery(res_state state, const char* name, int kind, int type, unsigned char* answer, int room); ///< libc's
TENDRIL_EXPORT int res_nsearch(res_state state, const char* name, int kind, int type, unsigned char* answer, int room); ///< libc's
TENDRIL_EXPORT int res_nquerydomain(res_state state, const char* name, const char* domain, int kind, int type, unsigned char* answer, int room); ///< libc's
TENDRIL_EXPORT int res_nsend(res_state state, const unsigned char* message, int size, unsigned char* answer, int room); ///< libc's
TENDRIL_EXPORT struct passwd* getpwnam(const char* name); ///< libc's
TENDRIL_EXPORT struct passwd* getpwuid(uid_t id); ///< libc's
TENDRIL_EXPORT struct group* getgrnam(const char* name); ///< libc's
TENDRIL_EXPORT struct group* getgrgid(gid_t id); ///< libc's
TENDRIL_EXPORT struct spwd* getspnam(const char* name); ///< libc's
TENDRIL_EXPORT int getpwnam_r(const char* name, struct passwd* entry, char* buffer, size_t room, struct passwd** result); ///< libc's
TENDRIL_EXPORT int getpwuid_r(uid_t id, struct passwd* entry, char* buffer, size_t room, struct passwd** result); ///< libc's
TENDRIL_EXPORT int getgrnam_r(const char* name, struct group* entry, char* buffer, size_t room, struct group** result); ///< libc's
TENDRIL_EXPORT int getgrgid_r(gid_t id, struct group* entry, char* buffer, size_t room, struct group** result); ///< libc's
TENDRIL_EXPORT int getspnam_r(const char* name, struct spwd* entry, char* buffer, size_t room, struct spwd** result); ///< libc's
TENDRIL_EXPORT int getgrouplist(const char* user, gid_t first, gid_t* groups, int* count); ///< libc's
TENDRIL_EXPORT int initgroups(const char* user, gid_t first); ///< libc's
TENDRIL_EXPORT int innetgr(const char* group, const char* host, const char* user, const char* domain); ///< libc's
TENDRIL_EXPORT struct servent* getservbyname(const char* name, const char* protocol); ///< libc's
TENDRIL_EXPORT struct servent* getservbyport(int port, const char* protocol); ///< libc's
TENDRIL_EXPORT struct protoent* getprotobyname(const char* name); ///< libc's
TENDRIL_EXPORT struct protoent* getprotobynumber(int number); ///< libc's
TENDRIL_EXPORT struct netent* getnetbyname(const char* name); ///< libc's
TENDRIL_EXPORT struct netent* getnetbyaddr(uint32_t network, int type); ///< libc's
TENDRIL_EXPORT int getservbyname_r(const char* name, const char* protocol, struct servent* entry, char* buffer, size_t room, struct servent** result); ///< libc's
TENDRIL_EXPORT int getservbyport_r(int port, const char* protocol, struct servent* entry, char* buffer, size_t room, struct servent** result); ///< libc's
TENDRIL_EXPORT int getprotobyname_r(const char* name, struct protoent* entry, char* buffer, size_t room, struct protoent** result); ///< libc's
TENDRIL_EXPORT int getprotobynumber_r(int number, struct protoent* entry, char* buffer, size_t room, struct protoent** result); ///< libc's
TENDRIL_EXPORT int getnetbyname_r(const char* name, struct netent* entry, char* buffer, size_t room, struct netent** result, int* error); ///< libc's
TENDRIL_EXPORT int getnetbyaddr_r(uint32_t network, int type, struct netent* entry, char* buffer, size_t room, struct netent** result, int* error); ///< libc's

// Files, locks on them, serial lines, the log.
TENDRIL_EXPORT ssize_t copy_file_range(int in, off64_t* in_offset, int out, off64_t* out_offset, size_t count, unsigned int flags); ///< libc's
TENDRIL_EXPORT void vsyslog(int priority, const char* format, va_list list); ///< libc's
TENDRIL_EXPORT int open(const char* path, int flags, ...); ///< libc's
TENDRIL_EXPORT int openat(int folder, const char* path, int flags, ...); ///< libc's
TENDRIL_EXPORT int creat(const char* path, mode_t mode); ///< libc's
TENDRIL_EXPORT int fsync(int fd); ///< libc's
TENDRIL_EXPORT int fdatasync(int fd); ///< libc's
TENDRIL_EXPORT int syncfs(int fd); ///< libc's
TENDRIL_EXPORT void sync(void); ///< libc's
TENDRIL_EXPORT int fallocate(int fd, int mode, off_t offset, off_t size); ///< libc's
TENDRIL_EXPORT int posix_fallocate(int fd, off_t offset, off_t size); ///< libc's
TENDRIL_EXPORT int sync_file_range(int fd, off64_t offset, off64_t size, unsigned int flags); ///< libc's
TENDRIL_EXPORT int msync(void* memory, size_t size, int flags); ///< libc's
TENDRIL_EXPORT ssize_t getrandom(void* buffer, size_t size, unsigned int flags); ///< libc's
TENDRIL_EXPORT int aio_suspend(const struct aiocb* const* list, int count, const struct timespec* timeout); ///< libc's
TENDRIL_EXPORT int lio_listio(int mode, struct aiocb* const* list, int count, struct sigevent* event); ///< libc's
TENDRIL_EXPORT int tcdrain(int fd); ///< libc's
TENDRIL_EXPORT int tcsetattr(int fd, int when, const struct termios* settings); ///< libc's
TENDRIL_EXPORT int tcsendbreak(int fd, int duration); ///< libc's
TENDRIL_EXPORT int flock(int fd, int operation); ///< libc's
TENDRIL_EXPORT int lockf(int fd, int command, off_t size); ///< libc's

// Children: their ends and their commands.
TENDRIL_EXPORT pid_t waitpid(pid_t pid, int* status, int flags); ///< libc's
TENDRIL_EXPORT pid_t wait(int* status); ///< libc's
TENDRIL_EXPORT pid_t wait3(int* status, int flags, struct rusage* usage); ///< libc's
TENDRIL_EXPORT pid_t wait4(pid_t pid, int* status, int flags, struct rusage* usage); ///< libc's
TENDRIL_EXPORT int waitid(idtype_t type, id_t id, siginfo_t* info, int flags); ///< libc's
TENDRIL_EXPORT int system(const char* command); ///< libc's
TENDRIL_EXPORT FILE* popen(const char* command, const char* mode); ///< libc's
TENDRIL_EXPORT int pclose(FILE* file); ///< libc's

// Streams over sockets, pipes, terminals and other fds that may let a call wait; those of files go to libc.
TENDRIL_EXPORT int getc(FILE* file); ///< libc's
TENDRIL_EXPORT int getc_unlocked(FILE* file); ///< libc's
TENDRIL_EXPORT char* fgets(char* to, int room, FILE* file); ///< libc's
TENDRIL_EXPORT char* fgets_unlocked(char* to, int room, FILE* file); ///< libc's
TENDRIL_EXPORT ssize_t getdelim(char** to, size_t* room, int end, FILE* file); ///< libc's
TENDRIL_EXPORT size_t fread(void* to, size_t size, size_t count, FILE* file); ///< libc's
TENDRIL_EXPORT size_t fread_unlocked(void* to, size_t size, size_t count, FILE* file); ///< libc's
TENDRIL_EXPORT int getw(FILE* file); ///< libc's
TENDRIL_EXPORT int vfscanf(FILE* file, const char* format, va_list list); ///< libc's
TENDRIL_EXPORT int ungetc(int c, FILE* file); ///< libc's
TENDRIL_EXPORT int putc(int c, FILE* file); ///< libc's
TENDRIL_EXPORT int putc_unlocked(int c, FILE* file); ///< libc's
TENDRIL_EXPORT int fputs(const char* text, FILE* file); ///< libc's
TENDRIL_EXPORT int fputs_unlocked(const char* text, FILE* file); ///< libc's
TENDRIL_EXPORT int puts(const char* text); ///< libc's
TENDRIL_EXPORT size_t fwrite(const void* from, size_t size, size_t count, FILE* file); ///< libc's
TENDRIL_EXPORT size_t fwrite_unlocked(const void* from, size_t size, size_t count, FILE* file); ///< libc's
TENDRIL_EXPORT int putw(int word, FILE* file); ///< libc's
TENDRIL_EXPORT int vfprintf(FILE* file, const char* format, va_list list); ///< libc's
TENDRIL_EXPORT int vdprintf(int fd, const char* format, va_list list); ///< libc's
TENDRIL_EXPORT wint_t getwc(FILE* file); ///< libc's
TENDRIL_EXPORT wint_t getwc_unlocked(FILE* file); ///< libc's
TENDRIL_EXPORT wchar_t* fgetws(wchar_t* to, int room, FILE* file); ///< libc's
TENDRIL_EXPORT wchar_t* fgetws_unlocked(wchar_t* to, int room, FILE* file); ///< libc's
TENDRIL_EXPORT wint_t ungetwc(wint_t c, FILE* file); ///< libc's
TENDRIL_EXPORT wint_t putwc(wchar_t c, FILE* file); ///< libc's
TENDRIL_EXPORT wint_t putwc_unlocked(wchar_t c, FILE* file); ///< libc's
TENDRIL_EXPORT int fputws(const wchar_t* text, FILE* file); ///< libc's
TENDRIL_EXPORT int fputws_unlocked(const wchar_t* text, FILE* file); ///< libc's
TENDRIL_EXPORT int vfwprintf(FILE* file, const wchar_t* format, va_list list); ///< libc's
TENDRIL_EXPORT int fflush(FILE* file); ///< libc's
TENDRIL_EXPORT int fflush_unlocked(FILE* file); ///< libc's
TENDRIL_EXPORT int fseek(FILE* file, long offset, int whence); ///< libc's
TENDRIL_EXPORT void rewind(FILE* file); ///< libc's
TENDRIL_EXPORT long ftell(FILE* file); ///< libc's
TENDRIL_EXPORT int setvbuf(FILE* file, char* buffer, int mode, size_t size); ///< libc's
TENDRIL_EXPORT FILE* fopen(const char* path, const char* mode); ///< libc's
TENDRIL_EXPORT FILE* freopen(const char* path, const char* mode, FILE* file); ///< libc's
TENDRIL_EXPORT int feof(FILE* file); ///< libc's
TENDRIL_EXPORT int ferror(FILE* file); ///< libc's
TENDRIL_EXPORT void clearerr(FILE* file); ///< libc's
TENDRIL_EXPORT void flockfile(FILE* file); ///< libc's
TENDRIL_EXPORT int ftrylockfile(FILE* file); ///< libc's
TENDRIL_EXPORT void funlockfile(FILE* file); ///< libc's

// Handlers, and waiting for signals.
TENDRIL_EXPORT int sigaction(int number, const struct sigaction* wanted, struct sigaction* before); ///< libc's
TENDRIL_EXPORT sighandler_t signal(int number, sighandler_t handler); ///< libc's
TENDRIL_EXPORT sighandler_t sysv_signal(int number, sighandler_t handler); ///< libc's
TENDRIL_EXPORT sighandler_t sigset(int number, sighandler_t handler); ///< libc's
TENDRIL_EXPORT int siginterrupt(int number, int interrupt); ///< libc's
TENDRIL_EXPORT int pause(void); ///< libc's
TENDRIL_EXPORT int sigsuspend(const sigset_t* mask); ///< libc's
TENDRIL_EXPORT int sigpause(int bits); ///< libc's
TENDRIL_EXPORT int sigwait(const sigset_t* set, int* number); ///< libc's
TENDRIL_EXPORT int sigwaitinfo(const sigset_t* set, siginfo_t* info); ///< libc's
TENDRIL_EXPORT int sigtimedwait(const sigset_t* set, siginfo_t* info, const struct timespec* timeout); ///< libc's

// Bookkeeping that the families rest on, and what libc keeps per thread; never switched off.
TENDRIL_EXPORT int close(int fd); ///< libc's
TENDRIL_EXPORT int dup2(int from, int to); ///< libc's
TENDRIL_EXPORT int dup3(int from, int to, int flags); ///< libc's
TENDRIL_EXPORT int close_range(unsigned int first, unsigned int last, int flags); ///< libc's
TENDRIL_EXPORT void closefrom(int first); ///< libc's
TENDRIL_EXPORT int unshare(int flags); ///< libc's
TENDRIL_EXPORT int dup(int fd); ///< libc's
TENDRIL_EXPORT int fstat(int fd, struct stat* status); ///< libc's
TENDRIL_EXPORT int socket(int domain, int type, int protocol); ///< libc's
TENDRIL_EXPORT int socketpair(int domain, int type, int protocol, int* ends); ///< libc's
TENDRIL_EXPORT int pipe(int* ends); ///< libc's
TENDRIL_EXPORT int pipe2(int* ends, int flags); ///< libc's
TENDRIL_EXPORT int fcntl(int fd, int command, ...); ///< libc's
TENDRIL_EXPORT int ioctl(int fd, unsigned long request, ...); ///< libc's
TENDRIL_EXPORT locale_t uselocale(locale_t locale); ///< libc's
TENDRIL_EXPORT char* strerror(int number); ///< libc's
TENDRIL_EXPORT char* strerror_l(int number, locale_t locale); ///< libc's
TENDRIL_EXPORT char* strsignal(int number); ///< libc's
TENDRIL_EXPORT char* inet_ntoa(struct in_addr address); ///< libc's
TENDRIL_EXPORT int fclose(FILE* file); ///< libc's
TENDRIL_EXPORT int posix_spawn(pid_t* pid, const char* path, const posix_spawn_file_actions_t* actions, const posix_spawnattr_t* attributes, char* const* argv, char* const* envp); ///< libc's
TENDRIL_EXPORT int posix_spawnp(pid_t* pid, const char* file, const posix_spawn_file_actions_t* actions, const posix_spawnattr_t* attributes, char* const* argv, char* const* envp); ///< libc's
TENDRIL_EXPORT int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*), void* argument); ///< libc's
TENDRIL_EXPORT int thrd_create(thrd_t* thread, thrd_start_t start, void* argument); ///< libc's

// clang-format on

} // namespace real
} // namespace v1
} // namespace tendril
