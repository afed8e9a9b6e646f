// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/tendril.hpp>

#include <deque>
#include <functional>
#include <string>
#include <unordered_set>
#include <vector>

namespace demo {

/// One page, in seconds since its pass began.
struct fetched {
    std::string url;
    double begin = 0;
    double end = 0;
    bool failed = false;
};

/// What one pass over the site came to.
struct figures {
    int pages = 0; ///< that were fetched
    int failed = 0;
    std::vector<std::string> failures; ///< the first few, "URL: why"
    std::vector<fetched> fetches;      ///< in the order in which they began
    unsigned long long bytes = 0;
    double seconds = 0;
    int threads = 0;   ///< OS threads of this process, the most that were seen at the end of a page
    long peak_kib = 0; ///< resident, since the pass began
    tendril::hub_statistics hub; ///< of the pass with fibers
};

/// Fetches a site from its first page on, by legacy/crawler.c: crawl_page() is called for each
/// page, and blocks until it has it.
class crawl {
public:
    using progress = std::function<void(int done, int known)>;

    /// At most `most` pages.
    crawl(std::string start, int most, progress report);

    /// One page after the other, as the client's authors did.
    figures one_after_the_other();

    /// Each page in a fiber of its own, as soon as a link to it is found; at most `at_once` fibers.
    figures in_fibers(int at_once);

private:
    void begin();
    void fetch(const std::string& url);
    void add(const std::string& url);
    void fetch_what_is_known();
    figures end();
    double now() const; ///< seconds since the pass began

    std::string start_;
    std::size_t most_;
    progress report_;

    std::unordered_set<std::string> known_;
    std::deque<std::string> waiting_; ///< known, and not begun
    int at_once_ = 0;                 ///< 0: no fibers
    int running_ = 0;
    figures figures_;
    std::chrono::steady_clock::time_point began_;
};

} // namespace demo
