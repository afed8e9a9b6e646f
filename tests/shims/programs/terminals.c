// SPDX-License-Identifier: BSL-1.0
// Reading and writing on a terminal: lines, VMIN and VTIME, flow control, job control.
#include "asleep.h"
#include "report.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static char buffer[200000];

#define TIMED(milliseconds, call)                                                                  \
    do {                                                                                           \
        double before_ = seconds_now();                                                            \
        REPORT(call);                                                                              \
        printf("  waited %d\n", (seconds_now() - before_) * 1000 >= (milliseconds)-1);             \
    } while (0)

static void settings(int fd, int canonical, int least, int time) {
    struct termios t;
    CHECK(tcgetattr(fd, &t) == 0);
    t.c_lflag &= (tcflag_t) ~(ICANON | ECHO | TOSTOP);
    t.c_lflag |= canonical ? ICANON : 0;
    t.c_cc[VMIN] = (cc_t)least;
    t.c_cc[VTIME] = (cc_t)time;
    CHECK(tcsetattr(fd, TCSANOW, &t) == 0);
}

// --- somebody who types while this thread waits --------------------------------------------------

static void pause_for(long milliseconds) {
    nanosleep(&(struct timespec){0, milliseconds * 1000000}, NULL);
}

struct typist {
    pid_t waiter;
    int fd;
    const char* keys; // '.': a pause; what is between pauses arrives at once
    pthread_t thread;
};

static void* type(void* p) {
    struct typist* t = p;
    until_asleep(getpid(), t->waiter);
    for (const char* key = t->keys; *key != 0;) {
        size_t n = strcspn(key, ".");
        if (n == 0)
            pause_for(10);
        else
            CHECK(write(t->fd, key, n) == (ssize_t)n);
        key += n == 0 ? 1 : n;
    }
    return NULL;
}

static void meanwhile(struct typist* t, int fd, const char* keys) {
    *t = (struct typist){gettid(), fd, keys, 0};
    CHECK(pthread_create(&t->thread, NULL, type, t) == 0);
}

static void done(struct typist* t) {
    CHECK(pthread_join(t->thread, NULL) == 0);
}

static void reading(void) {
    int master, slave;
    struct typist typist;
    CHECK(openpty(&master, &slave, NULL, NULL, NULL) == 0);
    settings(slave, 1, 1, 0);
    meanwhile(&typist, master, ".ab.c\nde\n");
    REPORT(read(slave, buffer, unknown(100)));
    done(&typist);
    REPORT(read(slave, buffer, unknown(1)));
    REPORT(read(slave, buffer, unknown(100)));
    CHECK(write(master, "\4", 1) == 1);
    REPORT(read(slave, buffer, unknown(100))); // VEOF
    struct iovec parts[2] = {{buffer, 2}, {buffer + 2, 100}};
    meanwhile(&typist, master, ".abcd\n");
    REPORT(readv(slave, parts, 2));
    done(&typist);

    settings(slave, 0, 1, 0);
    meanwhile(&typist, master, ".a");
    REPORT(read(slave, buffer, unknown(100)));
    done(&typist);
    settings(slave, 0, 3, 0);
    meanwhile(&typist, master, ".a.b.c");
    REPORT(read(slave, buffer, unknown(100)));
    done(&typist);
    meanwhile(&typist, master, ".ab");
    REPORT(read(slave, buffer, unknown(2)));
    done(&typist);
    // Never waits.
    settings(slave, 0, 0, 0);
    REPORT(read(slave, buffer, unknown(100)));
    CHECK(write(master, "xyz", 3) == 3);
    REPORT(poll(&(struct pollfd){slave, POLLIN, 0}, 1, -1));
    REPORT(read(slave, buffer, unknown(100)));
    // Waits a while for the first byte.
    settings(slave, 0, 0, 1);
    TIMED(100, read(slave, buffer, unknown(100)));
    settings(slave, 0, 0, 100);
    meanwhile(&typist, master, ".a");
    REPORT(read(slave, buffer, unknown(100)));
    done(&typist);
    // Waits for the first byte, then for each further one a while.
    settings(slave, 0, 5, 2);
    meanwhile(&typist, master, ".ab");
    TIMED(200, read(slave, buffer, unknown(100)));
    done(&typist);
    settings(slave, 0, 5, 100);
    meanwhile(&typist, master, ".a.b.c.d.e");
    REPORT(read(slave, buffer, unknown(100)));
    done(&typist);
    meanwhile(&typist, master, ".a.b");
    REPORT(read(slave, buffer, unknown(2)));
    done(&typist);
    parts[0].iov_len = 1;
    settings(slave, 0, 5, 2);
    meanwhile(&typist, master, ".ab");
    TIMED(200, readv(slave, parts, 2));
    done(&typist);

    REPORT(fcntl(slave, F_GETFL) & O_NONBLOCK);
    settings(slave, 0, 1, 0);
    REPORT(fcntl(slave, F_SETFL, O_RDWR | O_NONBLOCK));
    REPORT(read(slave, buffer, unknown(100)));
    REPORT(fcntl(slave, F_SETFL, O_RDWR));
    meanwhile(&typist, slave, ".ab");
    REPORT(read(master, buffer, unknown(100)));
    done(&typist);
    REPORT(close(master));
    REPORT(read(slave, buffer, unknown(100)));
    REPORT(write(slave, "x", 1));
    REPORT(close(slave));
    CHECK(openpty(&master, &slave, NULL, NULL, NULL) == 0);
    REPORT(close(slave));
    REPORT(read(master, buffer, unknown(100)));
    REPORT(close(master));
}

// --- more than fits ------------------------------------------------------------------------------

static void* read_all(void* p) {
    static char part[3000];
    int fd = *(int*)p;
    long sum = 0;
    for (ssize_t n; sum < 100000; sum += n) {
        n = read(fd, part, sizeof part);
        CHECK(n > 0);
    }
    return (void*)sum;
}

static void writing(void) {
    int master, slave;
    void* sum;
    pthread_t reader;
    CHECK(openpty(&master, &slave, NULL, NULL, NULL) == 0);
    // Each '\n' becomes two bytes.
    for (size_t i = 0; i < sizeof buffer; ++i)
        buffer[i] = i % 10 == 9 ? '\n' : 'x';
    int size = 100000 / 11 * 10;
    CHECK(pthread_create(&reader, NULL, read_all, &master) == 0);
    REPORT(write(slave, buffer, (size_t)size));
    struct iovec parts[2] = {{buffer, 7}, {buffer + 7, 93}};
    for (long left = 100000 - size / 10 * 11; left > 0; left -= 110)
        CHECK(writev(slave, parts, 2) == 100);
    CHECK(pthread_join(reader, &sum) == 0);
    printf("read enough: %d\n", (long)sum >= 100000);

    // Stopped by the user: what is written waits until it goes on.
    REPORT(tcflow(slave, TCOOFF));
    struct pollfd p = {slave, POLLOUT, 0};
    REPORT(poll(&p, 1, 0));
    pid_t child = fork();
    if (child == 0) {
        until_asleep(getppid(), getppid());
        pause_for(10);
        _exit(tcflow(slave, TCOON));
    }
    REPORT(write(slave, "late", 4));
    REPORT(waitpid(child, NULL, 0) == child);

    REPORT(fcntl(slave, F_SETFL, O_RDWR | O_NONBLOCK));
    while (write(slave, buffer, 1000) > 0) {
    }
    REPORT(write(slave, buffer, 1000));
    REPORT(fcntl(slave, F_SETFL, O_RDWR));
    REPORT(fcntl(slave, F_GETFL) & O_NONBLOCK);
    close(slave);
    close(master);
}

// --- job control: in a session of its own, whose shell this is -----------------------------------

static void say(const char* what, pid_t pid) {
    int status = -1;
    CHECK(waitpid(pid, &status, WUNTRACED) == pid);
    printf("%s: %s %d\n", what,
           WIFSTOPPED(status)  ? "stopped by"
           : WIFEXITED(status) ? "exited with"
                               : "killed by",
           WIFSTOPPED(status)  ? WSTOPSIG(status)
           : WIFEXITED(status) ? WEXITSTATUS(status)
                               : WTERMSIG(status));
}

// What the child does in the background; it ends with errno, or with how many bytes it got.
static pid_t in_background(void (*with)(int), int signal_number, long (*what)(void)) {
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        CHECK(setpgid(0, 0) == 0);
        if (with != SIG_DFL)
            signal(signal_number, with);
        long n = what();
        _exit(n < 0 ? errno : 100 + (int)n);
    }
    setpgid(child, child);
    return child;
}

static long read_one(void) {
    return read(0, buffer, unknown(50));
}
static long write_one(void) {
    return write(1, "abc\n", 4);
}
static long write_when_told(void) {
    struct termios t;
    do {
        pause_for(1);
        CHECK(tcgetattr(0, &t) == 0);
    } while ((t.c_lflag & TOSTOP) == 0);
    return write_one();
}

static void shell(int master) {
    signal(SIGTTOU, SIG_IGN);
    pid_t job = in_background(SIG_DFL, 0, read_one);
    say("background read", job);
    CHECK(tcsetpgrp(0, job) == 0 && kill(job, SIGCONT) == 0);
    CHECK(write(master, "line\n", 5) == 5);
    say("brought to the foreground", job);
    CHECK(tcsetpgrp(0, getpgrp()) == 0);

    say("background read, SIGTTIN ignored", in_background(SIG_IGN, SIGTTIN, read_one));
    signal(SIGTTOU, SIG_DFL);
    say("background write", in_background(SIG_DFL, 0, write_one));
    job = in_background(SIG_DFL, 0, write_when_told);
    struct termios t;
    CHECK(tcgetattr(0, &t) == 0);
    t.c_lflag |= TOSTOP;
    CHECK(tcsetattr(0, TCSANOW, &t) == 0);
    say("background write, TOSTOP", job);
    CHECK(kill(job, SIGCONT) == 0);
    say("and again", job);
    CHECK(tcsetpgrp(0, job) == 0 && kill(job, SIGCONT) == 0);
    say("brought to the foreground", job);
    signal(SIGTTOU, SIG_IGN);
    CHECK(tcsetpgrp(0, getpgrp()) == 0);
    say("background write, TOSTOP, SIGTTOU ignored", in_background(SIG_IGN, SIGTTOU, write_one));
    // Of an orphaned group nobody would continue it.
    fflush(stdout);
}

static void* drain(void* p) {
    char part[500];
    while (read(*(int*)p, part, sizeof part) > 0) {
    }
    return NULL;
}

static void job_control(void) {
    int master, slave;
    CHECK(openpty(&master, &slave, NULL, NULL, NULL) == 0);
    fflush(stdout);
    int out = dup(1);
    pid_t session = fork();
    CHECK(session >= 0);
    if (session == 0) {
        CHECK(setsid() > 0 && ioctl(slave, TIOCSCTTY, 0) == 0);
        dup2(slave, 0);
        dup2(slave, 1);
        stdout = fdopen(out, "w");
        setvbuf(stdout, NULL, _IOFBF, 1 << 16);
        shell(master);
        _exit(0);
    }
    pthread_t thread;
    int status = -1;
    CHECK(pthread_create(&thread, NULL, drain, &master) == 0);
    CHECK(waitpid(session, &status, 0) == session);
    printf("session: %d\n", status);
    close(slave);
    pthread_join(thread, NULL);
    close(master);
}

int main(void) {
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    reading();
    writing();
    job_control();
    return 0;
}
