// SPDX-License-Identifier: BSL-1.0
//
// A foreign thread calls through a portal: the cache here belongs to fibers of one thread and has
// no lock. Threads that know nothing of fibers, as those of a library's callbacks, look things up
// in it by a call that runs here, in a fiber, which may wait; they block meanwhile. What they need
// no answer to they post. Try: portal.call from a fiber of this thread. Run:
// build/dev/bin/21_portal

#include <tendril/tendril.hpp>

#include <chrono>
#include <cstdio>
#include <map>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>

using namespace std::chrono_literals;

/// Of one thread: no lock.
class cache {
public:
    const std::string& look_up(const std::string& key) {
        const auto found = values_.find(key);
        if (found != values_.end()) {
            std::printf("hub: %s is there\n", key.c_str());
            return found->second;
        }
        std::printf("hub: I fetch %s\n", key.c_str());
        tendril::this_fiber::sleep_for(1ms); // stands for a server far away; other fibers go on
        if (key.empty()) {
            throw std::invalid_argument("nothing has no name");
        }
        return values_[key] = "<" + key + ">";
    }

private:
    std::map<std::string, std::string> values_;
};

/// Somebody else's thread.
void foreign(tendril::portal& portal, cache& values) {
    for (const char* key : {"rose", "lily", "rose", ""}) {
        try {
            const std::string value = portal.call([&] { return values.look_up(key); });
            std::printf("thread: %s\n", value.c_str());
        } catch (const std::invalid_argument& e) {
            std::printf("thread: %s\n", e.what());
        }
    }
}

int main(int argc, char**) {
    if (argc > 1) {
        std::fprintf(stderr, "usage: 21_portal\n");
        return 2;
    }
    cache values;
    tendril::portal portal;
    tendril::event ended;
    const tendril::hub here = tendril::hub::current();
    std::thread thread([&] {
        foreign(portal, values);
        here.post([&ended] {
            std::printf("hub: the thread says good-bye\n");
            ended.set();
        });
    });
    ended.wait(); // the fibers of the calls run meanwhile
    thread.join();

    portal.close();
    try {
        portal.call([] {});
    } catch (const std::system_error& e) {
        std::printf("%s\n", e.what());
    }
}
