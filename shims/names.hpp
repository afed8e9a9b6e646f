// SPDX-License-Identifier: BSL-1.0
#pragma once

// The names of the functions, in the order of tendril_shim_index. Offsets instead of pointers: the
// loader would relocate those in every process in which the shim is preloaded.

#include <cstddef>
#include <cstdint>

namespace tendril::shim {

struct name_texts {
#define TENDRIL_SYMBOL(name, family, kind, type, parameters, arguments, limits)                    \
    char text_##name[sizeof #name];
#define TENDRIL_VARIADIC(name, family, kind, type, parameters, arguments, limits, last)            \
    char text_##name[sizeof #name];
#include "shims/symbols.def"
};

inline constexpr name_texts texts_of_functions = {
#define TENDRIL_SYMBOL(name, family, kind, type, parameters, arguments, limits) #name,
#define TENDRIL_VARIADIC(name, family, kind, type, parameters, arguments, limits, last) #name,
#include "shims/symbols.def"
};

inline constexpr std::uint16_t names_of_functions[] = {
#define TENDRIL_SYMBOL(name, family, kind, type, parameters, arguments, limits)                    \
    offsetof(name_texts, text_##name),
#define TENDRIL_VARIADIC(name, family, kind, type, parameters, arguments, limits, last)            \
    offsetof(name_texts, text_##name),
#include "shims/symbols.def"
};

inline const char* function_name(std::size_t index) noexcept {
    return reinterpret_cast<const char*>(&texts_of_functions) + names_of_functions[index];
}

} // namespace tendril::shim
