// SPDX-License-Identifier: BSL-1.0
#include "shims/deny.hpp"

#include "shims/entry/shim.hpp"

#include <cerrno>
#include <dlfcn.h>
#include <link.h>
#include <sys/auxv.h>

namespace tendril::shim {

namespace {

/// The file of an object, by what the loader knows: nothing of the program itself.
const char* file_name(const char* path) noexcept {
    if (path == nullptr || *path == '\0') {
        path = reinterpret_cast<const char*>(getauxval(AT_EXECFN));
    }
    if (path == nullptr) {
        return "";
    }
    const char* const slash = strrchr(path, '/');
    return slash != nullptr ? slash + 1 : path;
}

const char* object_at(const void* address) noexcept {
#if __GLIBC_PREREQ(2, 35)
    // Takes no lock, so it may be asked in a signal handler and while a library is being loaded.
    dl_find_object found;
    if (_dl_find_object(const_cast<void*>(address), &found) == 0) {
        return file_name(found.dlfo_link_map->l_name);
    }
    return nullptr;
#else
    Dl_info found;
    return dladdr(address, &found) != 0 ? file_name(found.dli_fname) : nullptr;
#endif
}

} // namespace

const ops_table* choose(const void* return_address, tendril_shim_index function) noexcept {
    const int saved = errno;
    const char* const object = object_at(return_address);
    errno = saved;
    if (object == nullptr || !matches_any(setting.deny, object)) {
        return slot;
    }
    if (setting.stats != nullptr) {
        count_call(counters[function].passed_through);
    }
    return &originals;
}

} // namespace tendril::shim
