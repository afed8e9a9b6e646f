// SPDX-License-Identifier: BSL-1.0
// Queues, semaphores, requests and pipes joined to each other; the first argument is a file to work
// on.
#include "asleep.h"
#include "report.h"

#include <aio.h>
#include <fcntl.h>
#include <mqueue.h>
#include <pty.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/random.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

// A child does something as soon as its parent waits.
#define LATER(what)                                                                                \
    pid_t child = fork();                                                                          \
    if (child == 0) {                                                                              \
        until_parent_asleep();                                                                     \
        what;                                                                                      \
        _exit(0);                                                                                  \
    }
#define JOIN() CHECK(waitpid(child, NULL, 0) == child)

static struct timespec in_milliseconds(long n) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_nsec += n * 1000000;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

static void posix_queues(void) {
    char name[64], text[16] = "";
    unsigned priority = 0;
    struct mq_attr shape = {.mq_maxmsg = 1, .mq_msgsize = sizeof text};
    snprintf(name, sizeof name, "/tendril-%d", (int)getpid());
    mqd_t q = mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, &shape);
    CHECK(q != (mqd_t)-1);
    REPORT(mq_unlink(name));
    struct timespec until = in_milliseconds(20), past = {0, 0}, bad = {0, -1};
    REPORT(mq_timedreceive(q, text, sizeof text, &priority, &until));
    REPORT(mq_timedreceive(q, text, sizeof text, &priority, &past));
    REPORT(mq_timedreceive(q, text, sizeof text, &priority, &bad));
    REPORT(mq_receive(q, text, 1, &priority));
    REPORT(mq_send(q, text, 17, 0));
    REPORT(mq_receive(-1, text, sizeof text, &priority));
    REPORT(mq_send(q, "hello", 6, 7));
    until = in_milliseconds(20);
    REPORT(mq_timedsend(q, "more", 5, 7, &until));
    REPORT(mq_timedsend(q, "more", 5, 7, &bad));
    REPORT(mq_receive(q, text, sizeof text, &priority));
    printf("%s %u\n", text, priority);
    {
        LATER(mq_send(q, "late", 5, 3));
        REPORT(mq_receive(q, text, sizeof text, &priority));
        printf("%s %u\n", text, priority);
        JOIN();
    }
    REPORT(mq_send(q, "full", 5, 1));
    {
        LATER(mq_receive(q, text, sizeof text, NULL));
        REPORT(mq_send(q, "room", 5, 2));
        JOIN();
    }
    REPORT(mq_receive(q, text, sizeof text, NULL));
    printf("%s\n", text);
    struct mq_attr nonblock = {.mq_flags = O_NONBLOCK};
    REPORT(mq_setattr(q, &nonblock, NULL));
    REPORT(mq_receive(q, text, sizeof text, NULL));
    until = in_milliseconds(20);
    REPORT(mq_timedreceive(q, text, sizeof text, NULL, &until));
    REPORT(mq_close(q));
}

static void system_v(void) {
    struct {
        long type;
        char text[8];
    } m = {3, "hello"};
    int q = msgget(IPC_PRIVATE, 0600);
    CHECK(q >= 0);
    REPORT(msgrcv(q, &m, sizeof m.text, 0, IPC_NOWAIT));
    REPORT(msgsnd(q, &m, 6, 0));
    REPORT(msgrcv(q, &m, 2, 0, 0));
    REPORT(msgrcv(q, &m, sizeof m.text, 3, 0));
    REPORT(msgsnd(-1, &m, 6, 0));
    REPORT(msgrcv(-1, &m, 6, 0, 0));
    REPORT(msgrcv(q, &m, 6, 0, MSG_COPY));
    {
        LATER(m.type = 9; msgsnd(q, &m, 4, 0));
        REPORT(msgrcv(q, &m, sizeof m.text, 9, 0));
        JOIN();
    }
    {
        LATER(msgctl(q, IPC_RMID, NULL));
        REPORT(msgrcv(q, &m, sizeof m.text, 0, 0));
        JOIN();
    }
    int s = semget(IPC_PRIVATE, 2, 0600);
    CHECK(s >= 0);
    struct sembuf up = {0, 1, 0}, down = {0, -1, 0}, try = {0, -1, IPC_NOWAIT};
    struct sembuf mixed[] = {{1, 0, 0}, {0, -1, IPC_NOWAIT}};
    struct timespec soon = {0, 20000000}, bad = {0, -1};
    REPORT(semop(s, &try, 1));
    REPORT(semtimedop(s, &down, 1, &soon));
    REPORT(semtimedop(s, &down, 1, &bad));
    REPORT(semop(s, mixed, 2));
    REPORT(semop(s, &up, 1));
    REPORT(semop(s, &down, 1));
    REPORT(semop(s, &down, 600));
    REPORT(semop(-1, &down, 1));
    {
        LATER(semop(s, &up, 1));
        REPORT(semop(s, &down, 1));
        JOIN();
    }
    {
        LATER(semctl(s, 0, IPC_RMID));
        REPORT(semtimedop(s, &down, 1, NULL));
        JOIN();
    }
}

static void joined_pipes(const char* path) {
    static char big[1 << 20], text[32];
    int a[2], b[2], pair[2];
    CHECK(pipe(a) == 0 && pipe(b) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    REPORT(splice(a[0], NULL, b[1], NULL, 10, SPLICE_F_NONBLOCK));
    REPORT(tee(a[0], b[1], 10, SPLICE_F_NONBLOCK));
    REPORT(splice(pair[0], NULL, pair[1], NULL, 10, 0));
    REPORT(splice(-1, NULL, b[1], NULL, 10, 0));
    REPORT(splice(a[0], NULL, b[1], NULL, 0, 0));
    {
        LATER(write(a[1], "hello", 5));
        REPORT(tee(a[0], b[1], 100, 0));
        REPORT(splice(a[0], NULL, pair[0], NULL, 100, 0));
        REPORT(read(b[0], text, sizeof text));
        REPORT(read(pair[1], text, sizeof text));
        JOIN();
    }
    {
        LATER(write(pair[1], "back", 4));
        REPORT(splice(pair[0], NULL, b[1], NULL, 100, 0));
        REPORT(read(b[0], text, sizeof text));
        JOIN();
    }
    struct iovec part = {"memory", 6};
    REPORT(vmsplice(b[1], &part, 1, 0));
    part = (struct iovec){text, 6};
    REPORT(vmsplice(b[0], &part, 1, 0));
    printf("%.6s\n", text);
    int fd = open(path, O_CREAT | O_TRUNC | O_RDWR, 0600), other = memfd_create("other", 0);
    CHECK(fd >= 0 && other >= 0 && write(fd, big, sizeof big) == sizeof big);
    off64_t at = 100;
    REPORT(splice(fd, &at, b[1], NULL, 50, 0));
    REPORT(at);
    REPORT(splice(b[0], NULL, fd, NULL, 50, 0));
    at = 3;
    REPORT(copy_file_range(fd, &at, other, NULL, sizeof big, 0));
    REPORT(copy_file_range(fd, &at, other, NULL, 10, 99));
    REPORT(lseek(other, 0, SEEK_CUR));
    close(a[1]);
    REPORT(splice(a[0], NULL, b[1], NULL, 10, 0));
    close(pair[1]);
    signal(SIGPIPE, SIG_IGN);
    REPORT(write(b[1], "x", 1));
    REPORT(splice(b[0], NULL, pair[0], NULL, 10, 0));
    REPORT(fallocate(fd, 0, 0, 2 << 20));
    REPORT(fallocate(fd, 0, -1, 10));
    REPORT(posix_fallocate(fd, 0, 3 << 20));
    REPORT(posix_fallocate(b[1], 0, 10));
    REPORT(lseek(fd, 0, SEEK_END));
    REPORT(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE));
    REPORT(sync_file_range(-1, 0, 0, 0));
    void* memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(memory != MAP_FAILED);
    REPORT(msync(memory, 4096, MS_SYNC));
    REPORT(msync(memory, 4096, MS_ASYNC));
    REPORT(msync(memory, 4096, MS_SYNC | MS_ASYNC));
    REPORT(getrandom(text, sizeof text, 0));
    REPORT(getrandom(text, sizeof text, 99));
}

static void requests(const char* path) {
    static char text[16];
    int ends[2], fd = open(path, O_RDWR);
    CHECK(fd >= 0 && pipe(ends) == 0);
    struct aiocb file = {
        .aio_fildes = fd, .aio_buf = text, .aio_nbytes = 5, .aio_lio_opcode = LIO_WRITE};
    struct aiocb bad = {.aio_fildes = fd, .aio_buf = text, .aio_nbytes = 5, .aio_lio_opcode = 77};
    struct aiocb slow = {.aio_fildes = ends[0], .aio_buf = text, .aio_nbytes = 5};
    struct aiocb *list[] = {&file, NULL}, *one = &slow, *wrong[] = {&file, &bad};
    struct timespec soon = {0, 20000000};
    REPORT(lio_listio(LIO_WAIT, list, 2, NULL));
    REPORT(aio_error(&file));
    REPORT(aio_return(&file));
    REPORT(lio_listio(LIO_WAIT, wrong, 2, NULL));
    REPORT(lio_listio(99, list, 2, NULL));
    REPORT(aio_read(&slow));
    REPORT(aio_suspend((const struct aiocb**)&one, 1, &soon));
    {
        LATER(write(ends[1], "hello", 5));
        REPORT(aio_suspend((const struct aiocb**)&one, 1, NULL));
        REPORT(aio_return(&slow));
        JOIN();
    }
}

static void serial_lines(void) {
    int master, slave;
    struct termios settings;
    CHECK(openpty(&master, &slave, NULL, NULL, NULL) == 0);
    REPORT(write(slave, "hello", 5));
    REPORT(tcdrain(slave));
    REPORT(tcgetattr(slave, &settings));
    REPORT(tcsetattr(slave, TCSADRAIN, &settings));
    REPORT(tcsetattr(slave, 77, &settings));
    REPORT(tcsendbreak(slave, 0));
    REPORT(tcdrain(-1));
    REPORT(tcsendbreak(-1, 0));
    int ends[2];
    CHECK(pipe(ends) == 0);
    REPORT(tcdrain(ends[1]));
}

static void handler(int number) {
    (void)number;
}

static void pauses(void) {
    sigset_t usr1;
    signal(SIGUSR1, handler);
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    sigprocmask(SIG_BLOCK, &usr1, NULL);
    pid_t self = getpid();
    {
        LATER(kill(self, SIGUSR1));
        REPORT(sigpause(SIGUSR1));
        JOIN();
    }
    REPORT(raise(SIGUSR1));
    REPORT(sigpause(SIGUSR1));
    REPORT(sigpause(-1));
    REPORT(sigprocmask(SIG_SETMASK, NULL, &usr1));
    REPORT(sigismember(&usr1, SIGUSR1));
}

int main(int argc, char** argv) {
    setvbuf(stdout, NULL, _IONBF, 0);
    CHECK(argc == 2);
    begin_idle_thread();
    posix_queues();
    system_v();
    joined_pipes(argv[1]);
    requests(argv[1]);
    serial_lines();
    pauses();
    unlink(argv[1]);
    return 0;
}
