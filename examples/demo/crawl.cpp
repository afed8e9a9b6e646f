// SPDX-License-Identifier: BSL-1.0
#include "crawl.hpp"

#include "legacy/crawler.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <utility>

namespace demo {

namespace {

/// A number from /proc/self/status: "Threads", "VmHWM" (KiB).
long own_status(const std::string& field) {
    std::ifstream file("/proc/self/status");
    for (std::string line; std::getline(file, line);) {
        if (line.rfind(field + ':', 0) == 0) {
            return std::stol(line.substr(field.size() + 1));
        }
    }
    return 0;
}

/// VmHWM begins anew; proc(5), clear_refs.
void forget_peak() {
    std::ofstream("/proc/self/clear_refs") << "5";
}

} // namespace

crawl::crawl(std::string start, int most, progress report)
    : start_(std::move(start))
    , most_(static_cast<std::size_t>(most))
    , report_(std::move(report)) {}

// ------------------------------------------------------------------------------- the two passes

figures crawl::one_after_the_other() {
    begin();
    fetch_what_is_known();
    return end();
}

figures crawl::in_fibers(int at_once) {
    at_once_ = at_once;
    begin();
    auto hub = tendril::hub::current();
    hub.drain();
    figures_.hub = hub.statistics();
    return end();
}

// ------------------------------------------------------------------------------------ one page

void crawl::add(const std::string& url) {
    if (known_.size() == most_ || !known_.insert(url).second) {
        return;
    }
    waiting_.push_back(url);
    if (running_ < at_once_) {
        ++running_;
        tendril::spawn({"crawl"}, [this] {
            fetch_what_is_known();
            --running_;
        });
    }
}

void crawl::fetch_what_is_known() {
    while (!waiting_.empty()) {
        const std::string url = std::exchange(waiting_.front(), {});
        waiting_.pop_front();
        fetch(url);
    }
}

void crawl::fetch(const std::string& url) {
    const auto found = [](void* self, const char* link) { static_cast<crawl*>(self)->add(link); };
    std::array<char, CRAWL_ERROR_MAX> error;
    const std::size_t number = figures_.fetches.size();
    figures_.fetches.push_back({url, now()});
    const long size = crawl_page(url.c_str(), found, this, error.data());
    figures_.fetches[number].end = now();
    figures_.fetches[number].failed = size < 0;
    if (size >= 0) {
        ++figures_.pages;
        figures_.bytes += static_cast<unsigned long long>(size);
    } else {
        ++figures_.failed;
        if (figures_.failures.size() < 3) {
            figures_.failures.push_back(url + ": " + error.data());
        }
    }
    figures_.threads = std::max(figures_.threads, static_cast<int>(own_status("Threads")));
    report_(figures_.pages + figures_.failed, static_cast<int>(known_.size()));
}

// ---------------------------------------------------------------------------- begin and end

void crawl::begin() {
    figures_ = {};
    known_.clear();
    forget_peak();
    began_ = std::chrono::steady_clock::now();
    add(start_);
}

figures crawl::end() {
    figures_.seconds = now();
    figures_.peak_kib = own_status("VmHWM");
    return std::move(figures_);
}

double crawl::now() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
}

} // namespace demo
