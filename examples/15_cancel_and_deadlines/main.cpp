// SPDX-License-Identifier: BSL-1.0
//
// Giving up. A cancelled fiber's waits throw, one after the other, until it has ended; what it owns
// is destroyed on the way. Where something must still be said or saved, a shield keeps that off for
// a while, with a limit of its own. Deadlines work the same way, and nest: the nearer one counts,
// whoever set it, and each is caught where it was set. Try: no shield; a shield of 5 ms; inner
// limits of 10 ms. Run: build/dev/bin/15_cancel_and_deadlines

#include <tendril/tendril.hpp>

#include <chrono>
#include <cstdio>
#include <exception>

using namespace std::chrono_literals;
using tendril::this_fiber::sleep_for;

void edit_a_document() {
    try {
        std::printf("editor: I wait for the next key\n");
        sleep_for(1h);
    } catch (const std::exception&) {
        std::printf("not reached: being cancelled is no error\n");
    } catch (const tendril::cancelled& why) {
        std::printf("editor: cancelled: %s\n", why.reason().c_str());
        try {
            sleep_for(1ms);
        } catch (const tendril::cancelled&) {
            std::printf("editor: and the next wait throws again\n");
        }
        const tendril::shield save(1s); // a disk may hang, too
        sleep_for(20ms);
        std::printf("editor: saved\n");
        throw; // so that it ends as a cancelled fiber
    }
}

void cancel_and_shield() {
    auto editor = tendril::spawn({"editor"}, edit_a_document);
    sleep_for(20ms);
    editor.cancel("the window was closed");
    editor.join(); // the clean-up is waited for
    std::printf("main: the editor has ended\n");
}

/// Knows its own limit, and nothing of its caller's.
bool ask_one_server(std::chrono::milliseconds takes, std::chrono::milliseconds limit) {
    return tendril::move_on_after(limit, [&] { sleep_for(takes); });
}

void nested_deadlines() {
    const bool all = tendril::move_on_after(1s, [] {
        struct {
            std::chrono::milliseconds takes, limit;
        } const servers[] = {{20ms, 100ms}, {1h, 100ms}, {1h, 5s}};
        for (const auto& server : servers) {
            const bool answered = ask_one_server(server.takes, server.limit);
            std::printf("  %s\n", answered ? "answered" : "too late for the inner limit");
        }
    });
    std::printf("%s\n", all ? "asked all" : "and then for the outer limit, in the third");
    try {
        const tendril::timeout outer(20ms);
        const tendril::timeout inner(1h);
        sleep_for(2h);
    } catch (const tendril::timed_out&) {
        std::printf("an hour within 20 ms is 20 ms\n");
    }
}

int main(int argc, char**) {
    if (argc > 1) {
        std::fprintf(stderr, "usage: 15_cancel_and_deadlines\n");
        return 2;
    }
    cancel_and_shield();
    nested_deadlines();
}
