// SPDX-License-Identifier: BSL-1.0
// stdio over fds that let it wait, and over a file. Its own output goes through it as well.
#include "report.h"

#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio_ext.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wchar.h>

static const char* scratch;

static const char* unknown_text(const char* text) {
    return text + unknown(0);
}

// A stream to which a child gives the parts, one after the other, so that each is waited for.
static FILE* from_parts(const char* const* parts) {
    int ends[2];
    CHECK(pipe(ends) == 0);
    fflush(stdout);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        close(ends[0]);
        for (; *parts != NULL; ++parts) {
            usleep(3000);
            CHECK(write(ends[1], *parts, strlen(*parts)) == (ssize_t)strlen(*parts));
        }
        _exit(0);
    }
    close(ends[1]);
    return fdopen(ends[0], "r");
}
#define PARTS(...) from_parts((const char* const[]){__VA_ARGS__, NULL})

static void done(FILE* file) {
    REPORT(feof(file) != 0);
    REPORT(ferror(file) != 0);
    REPORT(fclose(file));
    while (wait(NULL) > 0) {
    }
}

static void lines(void) {
    char line[16];
    FILE* f = PARTS("on", "e\ntwo\na line that is longer ", "than the room\n", "end");
    while (fgets(line, (int)unknown(sizeof line), f) != NULL) {
        printf("fgets [%s]\n", line);
    }
    REPORT(fgetc(f));
    done(f);

    f = PARTS("a;b", "b;", "ccc\ndd");
    char* at = NULL;
    size_t room = 0;
    REPORT(getdelim(&at, &room, ';', f));
    REPORT(getdelim(&at, &room, ';', f));
    printf("%s\n", at);
    REPORT(getline(&at, &room, f));
    REPORT(getline(&at, &room, f));
    printf("%s\n", at);
    REPORT(getline(&at, &room, f));
    REPORT(getline(NULL, &room, f));
    free(at);
    done(f);

    f = PARTS("un", "locked\n", "lines\n");
    CHECK(fgets_unlocked(line, (int)unknown(sizeof line), f) != NULL);
    printf("%s", line);
    for (int c; (c = getc_unlocked(f)) != EOF;) {
        putchar_unlocked(c);
    }
    done(f);
}

static void blocks(void) {
    static char much[70000];
    FILE* f = PARTS("0123", "456789", "abcdefgh", "ij");
    char got[8] = "";
    REPORT(fread(got, 1, unknown(3), f));
    REPORT(fread(got, 4, unknown(2), f) + (size_t)(got[0] == '3'));
    REPORT(getw(f) == 0x65646362);
    REPORT(ungetc('U', f));
    REPORT(ungetc('V', f));
    REPORT(fread(got, 1, 2, f));
    printf("%.2s\n", got);
    REPORT(fread_unlocked(got, 1, unknown(8), f));
    REPORT(fread(got, 1, 8, f));
    REPORT(fread(got, 0, 8, f));
    done(f);

    memset(much, 'm', sizeof much - 1);
    f = PARTS(much, much, "end");
    size_t sum = 0;
    for (size_t n; (n = fread(much, 1, unknown(sizeof much), f)) != 0;) {
        printf("fread %zu\n", n);
        sum += n;
    }
    REPORT(sum);
    done(f);
}

static void scans(void) {
    int a = 0, b = 0;
    char word[16] = "";
    float real = 0;
    FILE* f = PARTS("12 ", "3", "4 wor", "d 0x1", "fz 1.5", "e2;x7 ", "12abc", " %5 q");
    REPORT(fscanf(f, "%d%d", &a, &b));
    printf("%d %d\n", a, b);
    REPORT(fscanf(f, "%15s %x", word, &a));
    printf("%s %d\n", word, a);
    REPORT(fgetc(f));
    REPORT(fscanf(f, "%f", &real));
    REPORT(fscanf(f, " ;y%d", &a));
    REPORT(fgetc(f));
    REPORT(fscanf(f, "%d%n", &a, &b));
    printf("%g %d %d\n", (double)real, a, b);
    REPORT(fscanf(f, "%2d%2[0-9]", &a, word));
    REPORT(fscanf(f, "%[a-c] %%%d", word, &a));
    printf("%s %d\n", word, a);
    REPORT(fscanf(f, "%d", &a));
    REPORT(fgetc(f));
    REPORT(fscanf(f, "%d", &a));
    done(f);
}

// What printf says of it before it writes anything.
static void nothing_printed(void) {
    int ends[2];
    CHECK(pipe(ends) == 0);
    FILE* in = fdopen(ends[0], "r");
    FILE* out = fdopen(ends[1], "w");
    REPORT(fprintf(in, "%s", unknown_text("")));
    REPORT(ferror(in) != 0);
    clearerr(in);
    REPORT(fputs(unknown_text(""), in) >= 0);
    REPORT(fwrite("", 1, unknown(0), in));
    REPORT(ferror(in) != 0);
    REPORT(fprintf(out, "%s", unknown_text("")));
    REPORT(fwide(out, 0));
    REPORT(dprintf(ends[1], "%s", unknown_text("")));
    REPORT(dprintf(ends[0], "%s", unknown_text("")));
    REPORT(dprintf(ends[0], "%s", unknown_text("more")));
    REPORT(fclose(in));
    REPORT(dprintf(ends[0], "%s", unknown_text("")));
    REPORT(dprintf(-1, "%s", unknown_text("")));
    FILE* tried = fopen("/dev/null", "r");
    REPORT(fprintf(tried, "%s", unknown_text("")));
    REPORT(ferror(tried) != 0);
    fclose(tried);
    REPORT(fclose(out));
}

// How the bytes were divided among system calls: datagrams keep that.
static void sizes_of(int fd) {
    char message[20000];
    for (ssize_t n; (n = recv(fd, message, sizeof message, MSG_DONTWAIT)) >= 0;) {
        printf(" %zd", n);
    }
    printf("\n");
}

static void writes(int mode, size_t size) {
    static const char text[] = "some text\nand more\nwithout an end";
    int ends[2];
    char buffer[4096], large[9000];
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0);
    FILE* f = fdopen(ends[0], "w");
    printf("mode %d size %zu\n", mode, size);
    REPORT(setvbuf(f, mode == _IONBF ? NULL : buffer, mode, size));
    memset(large, 'l', sizeof large);
    large[5000] = '\n';
    REPORT(fputc('c', f));
    REPORT(putc_unlocked('\n', f));
    REPORT(fputs(text, f) >= 0);
    sizes_of(ends[1]);
    REPORT(fwrite(text, 3, 5, f));
    REPORT(fwrite(large, 1, sizeof large, f));
    sizes_of(ends[1]);
    REPORT(fwrite_unlocked(large, 1, 4000, f));
    REPORT(fwrite(large, 1, 97, f));
    REPORT(fflush(f));
    REPORT(fprintf(f, "%s and %*d\n", "formatted", (int)unknown(10), 42));
    sizes_of(ends[1]);
    REPORT(putw(1, f));
    REPORT(__fpending(f));
    REPORT(fprintf(f, "%s", ""));
    REPORT(fflush(f));
    sizes_of(ends[1]);
    REPORT(fputs_unlocked("left", f) >= 0);
    REPORT(setvbuf(f, NULL, _IONBF, 0));
    sizes_of(ends[1]);
    REPORT(fseek(f, 0, SEEK_SET));
    REPORT(ftell(f));
    REPORT(getc(f));
    REPORT(ferror(f) != 0);
    REPORT(fclose(f));
    close(ends[1]);
}

static int print_to(FILE* f, const char* format, ...) {
    va_list list;
    va_start(list, format);
    int n = vfprintf(f, format, list);
    va_end(list);
    return n;
}

static void formats(void) {
    int ends[2];
    static char got[6000];
    CHECK(pipe(ends) == 0);
    FILE* f = fdopen(ends[1], "w");
    errno = ENOENT;
    REPORT(print_to(f, "%m %5.2f|%-6s|%2$s", 2.5, "abc") < 0 ? 0 : 1);
    errno = ENOENT;
    int n = fprintf(f, "%m %05000d %ls", 7, L"wide");
    printf("%d\n", n);
    REPORT(dprintf(ends[1], "directly %d\n", (int)unknown(9)));
    REPORT(fprintf(f, "%lc", (wint_t)0xdfff));
    REPORT(fclose(f));
    ssize_t size = read(ends[0], got, sizeof got);
    printf("%zd %.40s\n%s\n", size, got, size > 20 ? got + size - 20 : "");
    close(ends[0]);
}

static void errors(void) {
    int ends[2];
    char line[8];
    signal(SIGPIPE, SIG_IGN);
    CHECK(pipe2(ends, O_NONBLOCK) == 0);
    FILE* in = fdopen(ends[0], "r");
    FILE* out = fdopen(ends[1], "w");
    REPORT(fgetc(in));
    REPORT(ferror(in) != 0);
    clearerr(in);
    REPORT(write(ends[1], "part", 4));
    REPORT(fgets(line, (int)unknown(8), in) != NULL);
    REPORT(ferror(in) != 0);
    REPORT(fputc('x', in));
    REPORT(ferror(in) != 0);
    REPORT(fgetc(out));
    rewind(out);
    REPORT(ferror(out) != 0);
    static char much[200000];
    REPORT(fwrite(much, 1, sizeof much, out));
    REPORT(ferror(out) != 0);
    REPORT(fclose(in));
    REPORT(fputs("y", out) >= 0);
    REPORT(fflush(out));
    REPORT(__fpending(out));
    REPORT(fclose(out));

    in = fopen("/dev/null", "r");
    REPORT(fgetc(in));
    close(fileno(in));
    clearerr(in);
    REPORT(fgetc(in));
    REPORT(fclose(in));
}

static void note_signal(int number) {
    (void)number;
}

static void* ring(void* thread) {
    usleep(20000);
    pthread_kill(*(pthread_t*)thread, SIGUSR1);
    return NULL;
}

static void interruption(void) {
    struct sigaction action = {.sa_handler = note_signal};
    sigaction(SIGUSR1, &action, NULL);
    int ends[2];
    CHECK(pipe(ends) == 0);
    FILE* f = fdopen(ends[0], "r");
    pthread_t self = pthread_self(), other;
    CHECK(pthread_create(&other, NULL, ring, &self) == 0);
    REPORT(fgetc(f));
    REPORT(ferror(f) != 0);
    pthread_join(other, NULL);
    REPORT(fclose(f));
    close(ends[1]);
}

static void both_ways(void) {
    int ends[2];
    char line[32];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    fflush(stdout);
    if (fork() == 0) {
        FILE* f = fdopen(ends[1], "r+");
        close(ends[0]);
        while (fgets(line, sizeof line, f) != NULL) {
            usleep(2000);
            fprintf(f, "again %s", line);
            fflush(f);
        }
        _exit(0);
    }
    close(ends[1]);
    FILE* f = fdopen(ends[0], "r+");
    for (int i = 0; i < 3; ++i) {
        REPORT(fprintf(f, "line %d\n", i));
        REPORT(fgets(line, (int)unknown(sizeof line), f) != NULL);
        printf("%s", line);
        REPORT(fseek(f, 0, SEEK_CUR));
    }
    REPORT(write(ends[0], "1\n2\n", 4));
    REPORT(fgetc(f));
    REPORT(fputs("not while there is input", f) >= 0);
    REPORT(fflush(f));
    REPORT(shutdown(ends[0], SHUT_WR));
    done(f);
}

static void locks(void) {
    FILE* f = PARTS("abc", "def");
    flockfile(f);
    REPORT(ftrylockfile(f));
    REPORT(getc(f));
    funlockfile(f);
    funlockfile(f);
    REPORT(__fsetlocking(f, FSETLOCKING_BYCALLER));
    for (int i = 0; i < 6; ++i) {
        REPORT(getc(f));
    }
    done(f);
}

static void files(void) {
    char line[64];
    int number = 0;
    fpos_t position;
    FILE* f = fopen(scratch, "w+");
    REPORT(fprintf(f, "a %d file\nwith lines\n", 1));
    REPORT(fwrite(line, 0, 1, f));
    rewind(f);
    REPORT(fscanf(f, "a %d", &number));
    REPORT(fgetpos(f, &position));
    REPORT(fgets(line, (int)unknown(sizeof line), f) != NULL);
    REPORT(ftell(f));
    REPORT(fsetpos(f, &position));
    REPORT(fgetc(f) + fgetc(f));
    REPORT(fseek(f, -6, SEEK_END));
    REPORT(fputs("LINES", f) >= 0);
    REPORT(fflush(NULL));
    REPORT(freopen(scratch, "r", f) == f);
    while (fgets(line, (int)unknown(sizeof line), f) != NULL) {
        printf("%s", line);
    }
    REPORT(fputc('x', f));
    REPORT(fclose(f));
    unlink(scratch);

    CHECK(mkfifo(scratch, 0600) == 0);
    fflush(stdout);
    if (fork() == 0) {
        f = fopen(scratch, "w");
        usleep(3000);
        fputs("through a FIFO\n", f);
        exit(fclose(f));
    }
    f = fopen(scratch, "r");
    REPORT(fgets(line, (int)unknown(sizeof line), f) != NULL);
    printf("%s", line);
    REPORT(fgetc(f));
    done(f);
    unlink(scratch);
}

static void wide(void) {
    FILE* f = PARTS("w", "ide");
    REPORT(fwide(f, 1) > 0);
    REPORT(fgetwc(f));
    REPORT(fgetwc(f));
    REPORT(fgetc(f));
    done(f);

    wchar_t line[16];
    f = PARTS("on", "e\nz\xc3", "\xa4h\xe2\x82", "\xac\nmuch more than there is ", "room\n", "end");
    while (fgetws(line, (int)unknown(16), f) != NULL) {
        printf("fgetws %zu %x [%ls]\n", wcslen(line), (unsigned)line[1], line);
    }
    REPORT(fwide(f, 0) > 0);
    done(f);
    f = PARTS("a\xc3", "\xb6", "b\xff");
    REPORT(fgetwc_unlocked(f));
    REPORT(getwc(f));
    REPORT(ungetwc(L'!', f));
    REPORT(ungetwc(0x20ac, f));
    REPORT(fgetwc(f));
    REPORT(getwc_unlocked(f));
    REPORT(fgetws_unlocked(line, (int)unknown(2), f) != NULL && line[0] == 'b');
    REPORT(fgetws(line, (int)unknown(0), f) != NULL);
    REPORT(fgetwc(f));
    REPORT(ferror(f) != 0);
    REPORT(fputwc(L'x', f));
    fclose(f);
    while (wait(NULL) > 0) {
    }
}

static void available(int fd) {
    char bytes[70000];
    ssize_t n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    unsigned sum = 0;
    for (ssize_t i = 0; i < n; ++i) {
        sum = sum * 31 + (unsigned char)bytes[i];
    }
    printf("%zd bytes, %x\n", n, sum);
}

static int print_wide(FILE* f, const wchar_t* format, ...) {
    va_list list;
    va_start(list, format);
    int n = vfwprintf(f, format, list);
    va_end(list);
    return n;
}

static void writes_wide(int mode) {
    static wchar_t large[101];
    int ends[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    FILE* f = fdopen(ends[0], "r+");
    printf("wide, mode %d\n", mode);
    REPORT(setvbuf(f, NULL, mode, 4096));
    REPORT(fputwc(0xe4, f));
    REPORT(fwide(f, 0) > 0);
    available(ends[1]);
    REPORT(putwc_unlocked(L'\n', f));
    available(ends[1]);
    REPORT(fputws(L"\u20ac and\nmore", f) >= 0);
    available(ends[1]);
    REPORT(fwprintf(f, L"%ls and %*d\n", L"\u00fcber", (int)unknown(10), 42));
    REPORT(print_wide(f, L"%s%lc", "", L'z'));
    REPORT(fflush(f));
    available(ends[1]);
    wmemset(large, 0xe9, 100); // libc writes it in many pieces
    REPORT(fputws_unlocked(large, f) >= 0);
    REPORT(fputwc(L'e', f));
    REPORT(ftell(f));
    REPORT(fseek(f, 0, SEEK_SET));
    available(ends[1]);
    REPORT(fputwc((wchar_t)0xd800, f));
    REPORT(ferror(f) != 0);
    clearerr(f);
    REPORT(write(ends[1], "an\xc3\xb6s", 5));
    REPORT(fputwc(L'q', f));
    REPORT(fgetwc(f));
    available(ends[1]);
    REPORT(fgetwc(f));
    REPORT(fgetwc(f));
    REPORT(fgetwc(f));
    REPORT(fseek(f, 0, SEEK_CUR));
    REPORT(fputws(L"end", f) >= 0);
    REPORT(fputs("bytes", f) >= 0);
    REPORT(fclose(f));
    available(ends[1]);
    close(ends[1]);

    CHECK(pipe(ends) == 0);
    close(ends[0]);
    f = fdopen(ends[1], "w");
    setvbuf(f, NULL, mode, 4096);
    REPORT(fputwc(L'a', f));
    fputws(L"lost\n", f); // libc says no error where it only fails to flush
    REPORT(fwprintf(f, L"%s", unknown_text("")));
    fflush(f); // libc keeps what failed
    REPORT(ferror(f) != 0);
    fclose(f);
}

static void terminal(void) {
    char line[32];
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    CHECK(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    CHECK(slave >= 0);
    FILE* in = fdopen(slave, "r");
    FILE* out = fdopen(dup(slave), "w");
    REPORT(fputs("name", out) >= 0);
    REPORT(__flbf(out) != 0);
    REPORT(fputs("?\nanswer", out) >= 0);
    REPORT(__fpending(out));
    ssize_t n = read(master, line, sizeof line);
    printf("%.*s\n", (int)n, line);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        usleep(3000);
        write(master, "typed\nand\4", 10);
        usleep(3000);
        write(master, " more\n\4", 7);
        _exit(0);
    }
    while (fgets(line, (int)unknown(sizeof line), in) != NULL) {
        printf("[%s]\n", line);
    }
    REPORT(fclose(out));
    done(in);
    close(master);
}

static void commands(void) {
    char line[64];
    FILE* f = popen("sleep 0.02; echo from a command", "r");
    REPORT(fgets(line, (int)unknown(sizeof line), f) != NULL);
    printf("%s", line);
    REPORT(fgetc(f));
    REPORT(pclose(f));
    f = popen("cat >/dev/null; exit 3", "w");
    REPORT(fputs("to a command", f) >= 0);
    REPORT(pclose(f));
}

static void standard_input(void) {
    int number = 0;
    FILE* f = PARTS("x1", "2 y", "\nput");
    CHECK(dup2(fileno(f), 0) == 0);
    REPORT(getchar());
    REPORT(scanf("%d", &number));
    REPORT(number);
    for (int c; (c = getchar_unlocked()) != EOF;) {
        putchar(c);
    }
    puts("");
    REPORT(feof(stdin) != 0);
    done(f);
}

static FILE* ended_pipe(const char* text) {
    int ends[2];
    CHECK(pipe(ends) == 0 && write(ends[1], text, strlen(text)) == (ssize_t)strlen(text));
    close(ends[1]);
    return fdopen(ends[0], "r");
}

// What is put back before there is a buffer.
static void put_back_first(void) {
    char text[16];
    FILE* f = ended_pipe("abcdef");
    REPORT(ungetc('x', f));
    REPORT(fgetc(f));
    REPORT(fgetc(f));
    done(f);
    f = ended_pipe("bcdef");
    REPORT(ungetc('a', f));
    REPORT(fread(text, 1, unknown(3), f));
    REPORT(memcmp(text, "abc", 3));
    REPORT(fgets(text, (int)unknown(sizeof text), f) != NULL && strcmp(text, "def") == 0);
    done(f);
    f = ended_pipe("2 3");
    int number = 0;
    REPORT(ungetc('1', f));
    REPORT(fscanf(f, "%d", &number));
    REPORT(number);
    done(f);
}

static void last_line_stays(void) {
    FILE* f = ended_pipe("one\nlast\n");
    char* line = NULL;
    size_t room = 0;
    while (getline(&line, &room, f) > 0) {
    }
    printf("%s", line);
    free(line);
    done(f);
}

// The first request decides how much is read at once.
static void datagrams(void) {
    static char big[8192], got[8192];
    int s[2];
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s) == 0);
    memset(big, 'd', sizeof big);
    CHECK(write(s[1], big, sizeof big) == sizeof big && write(s[1], "e", 1) == 1);
    FILE* f = fdopen(s[0], "r");
    REPORT(fread(got, 1, sizeof got, f));
    REPORT(memcmp(got, big, sizeof got));
    REPORT(fgetc(f));
    REPORT(fclose(f));
    close(s[1]);
}

static void nobody_reads(void) {
    int ends[2];
    CHECK(pipe(ends) == 0);
    close(ends[0]);
    FILE* f = fdopen(ends[1], "w");
    REPORT(setvbuf(f, NULL, _IOLBF, 0));
    REPORT(fputc('a', f));
    REPORT(fwrite("x\n", 1, 2, f));
    REPORT(ferror(f) != 0);
    fclose(f);

    char buffer[4096];
    memset(buffer, 'f', sizeof buffer);
    CHECK(pipe2(ends, O_NONBLOCK) == 0);
    while (write(ends[1], buffer, sizeof buffer) > 0) {
    }
    f = fdopen(ends[1], "w");
    REPORT(fputs("kept", f) >= 0);
    REPORT(setvbuf(f, NULL, _IOLBF, 0));
    while (read(ends[0], buffer, sizeof buffer) == sizeof buffer) {
    }
    REPORT(fflush(f));
    REPORT(read(ends[0], buffer, sizeof buffer));
    REPORT(fclose(f));
    close(ends[0]);
}

static void texts(void) {
    printf("%s and %s\n", strsignal(SIGINT), strsignal(SIGTERM));
    printf("%s and %s\n", strerror(EPERM), strerror(ENOENT));
}

int main(int count, char** arguments) {
    scratch = arguments[count - 1];
    put_back_first();
    last_line_stays();
    datagrams();
    texts();
    lines();
    blocks();
    scans();
    writes(_IOFBF, 4096);
    writes(_IOFBF, 100);
    writes(_IOLBF, 4096);
    writes(_IONBF, 0);
    formats();
    nothing_printed();
    errors();
    interruption();
    both_ways();
    locks();
    files();
    setlocale(LC_ALL, "C.UTF-8");
    wide();
    writes_wide(_IOFBF);
    writes_wide(_IOLBF);
    writes_wide(_IONBF);
    setlocale(LC_ALL, "C");
    nobody_reads();
    terminal();
    commands();
    standard_input();
}
