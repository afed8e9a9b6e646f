// SPDX-License-Identifier: BSL-1.0
#include "runtime/blocked.hpp"

#include "hub/hub_core.hpp"
#include "runtime/where_blocked.hpp"
#include "sys/calls.hpp"
#include "sys/own_fds.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <pthread.h>
#include <signal.h>
#include <string>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <vector>

namespace tendril::detail {

namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr std::size_t reports_at_most = 256;

nanoseconds read_clock(clockid_t clock) noexcept {
    timespec t{};
    ::clock_gettime(clock, &t);
    return std::chrono::seconds(t.tv_sec) + nanoseconds(t.tv_nsec);
}

/// A /proc/…/syscall that stays open, since a process that gives up rights may not open it any
/// more.
struct state_file {
    int fd = -1; ///< -1: this kernel does not tell
    dev_t device = 0;
    ino_t inode = 0;

    void open(long thread) noexcept {
        std::array<char, 64> path{};
        std::snprintf(path.data(), path.size(), "/proc/self/task/%ld/syscall", thread);
        fd = sys::adopt(sys::real.openat(AT_FDCWD, path.data(), O_RDONLY | O_CLOEXEC));
        struct stat status {};
        if (fd >= 0 && sys::real.fstat(fd, &status) == 0) {
            device = status.st_dev;
            inode = status.st_ino;
        }
    }
    /// Not closed, nor replaced, by somebody who closes all fds.
    bool is_there() const noexcept {
        struct stat status {};
        return fd < 0 || (sys::real.fstat(fd, &status) == 0 && status.st_dev == device &&
                          status.st_ino == inode);
    }
    void close() noexcept {
        if (fd < 0) {
            return;
        }
        is_there() ? sys::close_own(fd) : sys::lose_own(fd);
        fd = -1;
    }
};

/// A thread and its hub. `since` it has not come back.
struct watched {
    hub_core* hub = nullptr;
    long thread = 0;
    state_file state;
    clockid_t cpu_clock{};
    std::uint64_t progress = 0;
    nanoseconds since{};
    nanoseconds cpu_before{};
    nanoseconds examine_after{}; ///< doubled each time, for it may block in several ways
};

/// No static destructor: it goes on while the process exits. The mutex is held over forks.
struct watch {
    std::mutex mutex;
    std::vector<watched> all;
    std::vector<const void*> sites; ///< that were reported; the watching thread's own
    milliseconds limit{0};
    std::atomic<bool> begun{false};
    std::atomic<bool> runs{false};
};
union undying_watch {
    watch state;
    constexpr undying_watch()
        : state() {}
    ~undying_watch() {}
};
constinit undying_watch process_watch;
watch& all_watched() noexcept {
    return process_watch.state;
}

/// "4711 "worker""; a thread that has no name has its program's.
std::string describe_thread(long thread) {
    std::array<char, 64> path{};
    std::snprintf(path.data(), path.size(), "/proc/self/task/%ld/comm", thread);
    std::array<char, 32> name{};
    const int fd = sys::real.openat(AT_FDCWD, path.data(), O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        const ssize_t size = sys::real.read(fd, name.data(), name.size() - 1);
        sys::real.close(fd);
        name[static_cast<std::size_t>(std::max<ssize_t>(size - 1, 0))] = 0; // a newline
    }
    return std::to_string(thread) + (name[0] != 0 ? " \"" + std::string(name.data()) + '"' : "");
}

std::string describe_fiber(const hub_core& hub) {
    const hub_core::glimpse who = hub.glimpse_of_running();
    if (who.id == 0) {
        return "the main fiber";
    }
    return "fiber #" + std::to_string(who.id) +
           (who.name[0] != 0 ? " \"" + std::string(who.name) + '"' : "");
}

void write_report(const watched& e, milliseconds blocked, const std::string& what) {
    std::string line = "tendril: the hub of thread " + describe_thread(e.thread) +
                       " has been blocked for " + std::to_string(blocked.count()) + " ms by " +
                       describe_fiber(*e.hub) + ": " + what;
    // Names are the program's and of its files: none may write to a terminal what it obeys.
    for (char& c : line) {
        c = static_cast<unsigned char>(c) < ' ' || c == 0x7f ? '?' : c;
    }
    line += '\n';
    static_cast<void>(sys::real.write(STDERR_FILENO, line.data(), line.size()));
}

/// Whether something was found. Without the mutex: it asks the loader, whose
/// lock the thread may hold that it looks at, and writing may take long.
bool examine(watch& w, const watched& e, nanoseconds now) {
    const nanoseconds blocked = now - e.since;
    where_blocked where = find_where_blocked(e.state.fd);
    if (e.hub->progress() != e.progress || e.hub->is_sleeping()) {
        return false; // it has come back meanwhile: what was read may be of different moments
    }
    if (where.what == where_blocked::on_cpu) {
        if (read_clock(e.cpu_clock) - e.cpu_before < std::min<nanoseconds>(blocked / 2, w.limit)) {
            return false; // others have its CPU
        }
        const hub_core::glimpse who = e.hub->glimpse_of_running();
        where.site = who.spawned_at != nullptr ? who.spawned_at : e.hub;
        where.text = "computing";
        if (who.spawned_at != nullptr) {
            where.text += ", in a fiber that was spawned at " + describe_code(who.spawned_at);
        }
    }
    const bool is_known = std::find(w.sites.begin(), w.sites.end(), where.site) != w.sites.end();
    if (where.what != where_blocked::in_library && !is_known && w.sites.size() < reports_at_most) {
        w.sites.push_back(where.site);
        write_report(e, std::chrono::duration_cast<milliseconds>(blocked), where.text);
    }
    return true;
}

/// Whether it is time to examine it.
bool is_due(const watch& w, watched& e, nanoseconds now) noexcept {
    const std::optional<std::uint64_t> progress = e.hub->progress();
    if (!progress || *progress != e.progress || e.hub->is_sleeping()) {
        e.progress = progress.value_or(0);
        e.since = now;
        e.cpu_before = read_clock(e.cpu_clock);
        e.examine_after = w.limit;
    }
    return now - e.since >= e.examine_after;
}

void collect_due(watch& w, nanoseconds now, bool was_stopped, std::vector<watched>& due) {
    const std::lock_guard lock(w.mutex);
    due.clear();
    for (watched& e : w.all) {
        if (was_stopped) { // so that the others probably were, too
            e.since = now;
            e.cpu_before = read_clock(e.cpu_clock);
        }
        if (is_due(w, e, now)) {
            if (!e.state.is_there()) {
                e.state.close();
                e.state.open(e.thread);
            }
            due.push_back(e);
        }
    }
}

void examine_later(watch& w, const watched& examined, nanoseconds now) noexcept {
    const std::lock_guard lock(w.mutex);
    for (watched& e : w.all) {
        if (e.hub == examined.hub && e.progress == examined.progress) {
            e.examine_after = 2 * (now - e.since);
        }
    }
}

void* watch_all(void*) noexcept {
    pthread_setname_np(pthread_self(), "tendril-blocked");
    watch& w = all_watched();
    const nanoseconds tick = std::max<nanoseconds>(w.limit / 4, milliseconds(1));
    const timespec pause = {static_cast<time_t>(tick.count() / 1'000'000'000),
                            static_cast<long>(tick.count() % 1'000'000'000)};
    std::vector<watched> due;
    for (nanoseconds last = read_clock(CLOCK_MONOTONIC);;) {
        sys::real.clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, nullptr);
        const nanoseconds now = read_clock(CLOCK_MONOTONIC);
        try {
            collect_due(w, now, now - last > tick + w.limit, due);
            for (const watched& e : due) {
                if (examine(w, e, now)) {
                    examine_later(w, e, now);
                }
            }
        } catch (const std::bad_alloc&) { // later, then
        }
        last = now;
    }
}

void lock_over_fork() {
    all_watched().mutex.lock();
}
void unlock_in_parent() {
    all_watched().mutex.unlock();
}
void forget_in_child() {
    watch& w = all_watched();
    for (watched& e : w.all) {
        e.state.close(); // it tells of the parent's thread
    }
    w.all.clear();
    w.runs = false;
    w.mutex.unlock();
}

/// Once per process.
bool begin(watch& w, milliseconds at_most) noexcept {
    w.begun = true;
    w.limit = at_most;
    char probe = 1;
    if (!can_see_threads(&probe) ||
        pthread_atfork(lock_over_fork, unlock_in_parent, forget_in_child) != 0) {
        return false;
    }
    sigset_t everything;
    sigset_t before;
    sigfillset(&everything);
    pthread_sigmask(SIG_SETMASK, &everything, &before);
    pthread_t id{};
    w.runs = pthread_create(&id, nullptr, &watch_all, nullptr) == 0 && pthread_detach(id) == 0;
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return w.runs;
}

} // namespace

void watch_hub(hub_core& hub, milliseconds at_most) noexcept {
    if (at_most.count() == 0) {
        return;
    }
    watch& w = all_watched();
    const std::lock_guard lock(w.mutex);
    if (!w.begun && !begin(w, at_most)) {
        std::fprintf(stderr,
                     "tendril: TENDRIL_BLOCKED: this system does not let threads be watched\n");
    }
    if (!w.runs) {
        return;
    }
    watched e;
    e.hub = &hub;
    e.since = read_clock(CLOCK_MONOTONIC);
    e.examine_after = w.limit;
    e.thread = ::syscall(SYS_gettid);
    e.state.open(e.thread);
    pthread_getcpuclockid(pthread_self(), &e.cpu_clock);
    try {
        w.all.push_back(e);
    } catch (const std::bad_alloc&) { // then it is not watched
        e.state.close();
    }
}

void unwatch_hub(hub_core& hub) noexcept {
    watch& w = all_watched();
    if (!w.begun) {
        return;
    }
    const std::lock_guard lock(w.mutex);
    const auto found =
        std::find_if(w.all.begin(), w.all.end(), [&](const watched& e) { return e.hub == &hub; });
    if (found != w.all.end()) {
        found->state.close();
        w.all.erase(found);
    }
}

bool watches_for_blocked_hubs() noexcept {
    return all_watched().runs;
}

} // namespace tendril::detail
