// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <map>
#include <memory>
#include <string>

namespace tendril::sys {

/// Names of functions by addresses in them. dladdr(3) knows only what a file exports, and most
/// programs export nothing: so it looks into the symbol tables of the files themselves, as long as
/// they have not been stripped.
class symbolizer {
public:
    symbolizer();
    ~symbolizer();
    symbolizer(const symbolizer&) = delete;
    symbolizer& operator=(const symbolizer&) = delete;

    /// "serve(int) (server+0x1a2b)" for an address that a call returns to; what is not known is
    /// left out. Throws std::bad_alloc.
    const std::string& describe(const void* return_address);

private:
    class file;
    const file& opened(const char* path);
    std::string described(const void* address);

    std::map<const void*, std::string> known_;
    std::map<std::string, std::unique_ptr<file>> files_;
};

} // namespace tendril::sys
