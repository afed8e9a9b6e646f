// SPDX-License-Identifier: BSL-1.0
//
// bin/tendril: `run` an unmodified program with its blocking calls waiting in a hub; `audit` which
// of them would.

#include "shims/deny.hpp"
#include "shims/families.hpp"
#include "tools/audit.hpp"
#include "tools/elf_check.hpp"

#include <cerrno>
#include <charconv>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <getopt.h>
#include <string>
#include <system_error>
#include <unistd.h>

namespace {

using namespace tendril;

constexpr int usage_error = 2;
constexpr char shim_name[] = "libtendril_shim.so";

constexpr char usage[] =
    "Usage: tendril run [OPTION]... [--] PROGRAM [ARGUMENT]...\n"
    "       tendril audit [--json] PROGRAM\n"
    "       tendril --version | --help\n"
    "\n"
    "run: runs PROGRAM, unmodified, with its blocking calls waiting in a hub.\n"
    "\n"
    "  --shim=FAMILY,...       which calls: socket, time, poll, dns, file, process,\n"
    "                          signal, stdio (default: all); sync and thread cover\n"
    "                          nothing yet\n"
    "  --engage=main|all|none  whose calls: the main thread's (default), every\n"
    "                          thread's, or only those of threads that use Tendril\n"
    "  --stats=FILE            write statistics as JSON at exit; %p in FILE is the\n"
    "                          process id. A process that ends by _exit, a signal or\n"
    "                          exec writes none.\n"
    "  --blocked=MS            report calls that keep a thread from its hub for that\n"
    "                          many milliseconds, once per call site\n"
    "  --deny=FILE,...         calls from these libraries go to libc; in the names\n"
    "                          (without folders) * stands for any text\n"
    "\n"
    "The exit status is the program's, or\n"
    "  2    wrong usage; or the program is statically linked or setuid, where\n"
    "       interposition cannot work\n"
    "  126  the program was found but cannot be executed\n"
    "  127  the program was not found\n"
    "\n"
    "audit: reads PROGRAM, or a library, and the libraries it needs, and says which\n"
    "of their calls that may block reach the shim. Runs none of them.\n"
    "\n"
    "  --json                  as JSON\n"
    "\n"
    "The exit status is 0 if every call that may wait for the network, processes,\n"
    "time or people reaches the shim, 1 if some may bypass it, 2 if that cannot be\n"
    "told, or for wrong usage. Calls that block briefly (files, lists of users), and\n"
    "those that wait for other threads, are listed and change nothing of that.\n";

[[noreturn]] void fail(int status, const std::string& message) {
    std::fprintf(stderr, "tendril: %s\n", message.c_str());
    std::exit(status);
}

[[noreturn]] void fail_usage(const std::string& message) {
    fail(usage_error, message + "\nTry 'tendril --help'.");
}

void set(const char* variable, const std::string& value) {
    if (::setenv(variable, value.c_str(), 1) != 0) {
        fail(usage_error, std::string(variable) + ": " + std::strerror(errno));
    }
}

/// Checked here, so that the error is ours and not that of each process that the program starts.
void set_families(const char* value) {
    const shim::family_list list = shim::parse_families(value);
    if (list.unknown != nullptr) {
        fail(usage_error, "--shim: there is no family '" +
                              std::string(list.unknown, list.unknown_size) + "'; valid are " +
                              shim::valid_families);
    }
    if (list.families == 0) {
        fail(usage_error, std::string("--shim: no family; valid are ") + shim::valid_families);
    }
    for (const auto& each : shim::family_names) {
        if (each.covers_nothing_yet && (list.families & each.bit) != 0) {
            std::fprintf(stderr, "tendril: --shim: family '%s' covers nothing yet\n", each.name);
        }
    }
    set("TENDRIL_SHIM", value);
}

void set_engagement(const char* value) {
    if (std::strcmp(value, "main") != 0 && std::strcmp(value, "all") != 0 &&
        std::strcmp(value, "none") != 0) {
        fail(usage_error,
             "--engage: there is no '" + std::string(value) + "'; valid are main, all, none");
    }
    set("TENDRIL_ENGAGE", value);
}

void set_denied(const char* value) {
    const shim::deny_list list = shim::parse_deny_list(value);
    if (list.wrong != nullptr) {
        fail(usage_error, "--deny: there is no '" + std::string(list.wrong, list.wrong_size) +
                              "'; valid are " + shim::valid_deny_patterns);
    }
    set("TENDRIL_DENY", value);
}

void set_blocked(const char* value) {
    int milliseconds = 0;
    const char* const end = value + std::strlen(value);
    const auto [rest, error] = std::from_chars(value, end, milliseconds);
    if (error != std::errc() || rest != end || milliseconds < 0) {
        fail(usage_error, "--blocked: '" + std::string(value) +
                              "' is not valid: a number of milliseconds, from 0 to 2147483647");
    }
    set("TENDRIL_BLOCKED", value);
}

/// Absolute: the program may change its directory before it ends.
void set_statistics(const char* value) {
    if (*value == '\0') {
        fail_usage("--stats needs a file name");
    }
    char directory[PATH_MAX];
    std::string path = value;
    if (path[0] != '/' && ::getcwd(directory, sizeof directory) != nullptr) {
        path = std::string(directory) + "/" + path;
    }
    set("TENDRIL_STATS", path);
}

/// ../lib of where this program lies, in the install tree and in CMake's build tree; beside it in
/// Meson's.
std::string find_shim() {
    char self[PATH_MAX];
    const ssize_t size = ::readlink("/proc/self/exe", self, sizeof self - 1);
    if (size <= 0) {
        fail(usage_error, std::string("/proc/self/exe: ") + std::strerror(errno));
    }
    std::string directory(self, static_cast<std::size_t>(size));
    directory.erase(directory.rfind('/'));
    for (const std::string& place :
         {directory + "/" + TENDRIL_LIBDIR_FROM_BIN, directory + "/../lib", directory}) {
        char real[PATH_MAX];
        if (::realpath((place + "/" + shim_name).c_str(), real) != nullptr) {
            return real;
        }
    }
    fail(usage_error, std::string(shim_name) + " is not where it belongs, in " + directory + "/" +
                          TENDRIL_LIBDIR_FROM_BIN);
}

void preload(const std::string& library) {
    if (library.find_first_of(" :") != std::string::npos) {
        fail(usage_error, library + ": LD_PRELOAD cannot name a path with a space or a colon");
    }
    const char* const others = std::getenv("LD_PRELOAD");
    set("LD_PRELOAD", others != nullptr && *others != '\0' ? library + ":" + others : library);
}

/// What each command does with an option that it does not know itself; getopt_long has said what is
/// wrong with it, if it is not --help. Returns the exit status.
int other_option(int option) {
    if (option == 'h') {
        std::fputs(usage, stdout);
        return 0;
    }
    std::fputs("Try 'tendril --help'.\n", stderr);
    return usage_error;
}

int run(int argc, char** argv) {
    static const option options[] = {{"shim", required_argument, nullptr, 's'},
                                     {"engage", required_argument, nullptr, 'e'},
                                     {"stats", required_argument, nullptr, 't'},
                                     {"deny", required_argument, nullptr, 'd'},
                                     {"blocked", required_argument, nullptr, 'b'},
                                     {"help", no_argument, nullptr, 'h'},
                                     {nullptr, 0, nullptr, 0}};
    set("TENDRIL_ENGAGE", "main");
    // The '+' leaves the program's own options alone.
    for (int option; (option = ::getopt_long(argc, argv, "+h", options, nullptr)) != -1;) {
        switch (option) {
        case 's':
            set_families(optarg);
            break;
        case 'e':
            set_engagement(optarg);
            break;
        case 't':
            set_statistics(optarg);
            break;
        case 'b':
            set_blocked(optarg);
            break;
        case 'd':
            set_denied(optarg);
            break;
        default:
            return other_option(option);
        }
    }
    if (optind == argc) {
        fail_usage("run needs a program");
    }

    std::string path;
    tools::verdict verdict = tools::find_program(argv[optind], path);
    if (verdict.status == 0) {
        verdict = tools::can_interpose(path);
    }
    if (verdict.status != 0) {
        fail(verdict.status, verdict.reason);
    }
    preload(find_shim());
    ::execvp(argv[optind], argv + optind);
    fail(errno == ENOENT ? 127 : 126, std::string(argv[optind]) + ": " + std::strerror(errno));
}

int audit(int argc, char** argv) {
    static const option options[] = {{"json", no_argument, nullptr, 'j'},
                                     {"help", no_argument, nullptr, 'h'},
                                     {nullptr, 0, nullptr, 0}};
    bool as_json = false;
    for (int option; (option = ::getopt_long(argc, argv, "h", options, nullptr)) != -1;) {
        switch (option) {
        case 'j':
            as_json = true;
            break;
        default:
            return other_option(option);
        }
    }
    if (argc - optind != 1) {
        fail_usage("audit needs one program");
    }
    std::string path = argv[optind]; // a library need not be executable
    if (path.find('/') == std::string::npos) {
        const tools::verdict verdict = tools::find_program(argv[optind], path);
        if (verdict.status != 0) {
            fail(usage_error, verdict.reason);
        }
    }
    try {
        const tools::audit_report report = tools::audit(path);
        (as_json ? tools::print_json : tools::print_text)(report);
        if (std::fflush(stdout) != 0) {
            fail(usage_error, std::string("stdout: ") + std::strerror(errno));
        }
        return report.has_bypass() ? 1 : 0;
    } catch (const std::exception& e) {
        fail(usage_error, e.what());
    }
}

} // namespace

int main(int argc, char** argv) {
    const std::string command = argc > 1 ? argv[1] : "";
    if (command == "--version") {
        std::printf("tendril %s\n", TENDRIL_LIBRARY_VERSION);
        return 0;
    }
    if (command == "--help" || command == "-h") {
        std::fputs(usage, stdout);
        return 0;
    }
    if (command == "run") {
        static char name[] = "tendril run"; // how getopt_long names us
        argv[1] = name;
        return run(argc - 1, argv + 1);
    }
    if (command == "audit") {
        static char name[] = "tendril audit";
        argv[1] = name;
        return audit(argc - 1, argv + 1);
    }
    if (command.empty()) {
        fail_usage("no command");
    }
    fail_usage("there is no command '" + command + "'; valid are run, audit");
}
