// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "crawl.hpp"

#include <string>

namespace demo {

/// One line per pass: a bar that grows if stdout is a terminal, else what came of it.
class progress_line {
public:
    explicit progress_line(std::string title);
    void update(int done, int known);
    void finish(const figures& f);

private:
    std::string title_;
    bool terminal_;
};

void print_table(const figures& sequential, const figures& concurrent);
void print_waits(const tendril::hub_statistics& hub);
void print_failures(const figures& f);

} // namespace demo
