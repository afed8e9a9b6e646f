// SPDX-License-Identifier: BSL-1.0
#include "sys/symbols.hpp"

#include "sys/calls.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cxxabi.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <string_view>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace tendril::sys {

/// An ELF file's .symtab, mapped: elf(5). Nothing in the file is trusted.
class symbolizer::file {
public:
    explicit file(const char* path) noexcept {
        // By number: open and close are the shim's to replace, and this may run below it.
        const auto fd =
            static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC));
        if (fd < 0) {
            return;
        }
        struct stat status {};
        if (real.fstat(fd, &status) == 0 && status.st_size > 0) {
            size_ = static_cast<std::size_t>(status.st_size);
            void* const at = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0);
            data_ = at != MAP_FAILED ? static_cast<const char*>(at) : nullptr;
        }
        ::syscall(SYS_close, fd);
        find_table();
    }
    ~file() {
        if (data_ != nullptr) {
            ::munmap(const_cast<char*>(data_), size_);
        }
    }
    file(const file&) = delete;
    file& operator=(const file&) = delete;

    /// The function at that address of the file; empty if there is none.
    std::string_view function_at(ElfW(Addr) address) const noexcept {
        for (std::size_t i = 0; i < count_; ++i) {
            const ElfW(Sym)& s = symbols_[i];
            if (ELF64_ST_TYPE(s.st_info) == STT_FUNC && s.st_shndx != SHN_UNDEF &&
                address - s.st_value < s.st_size && s.st_name < names_.size()) {
                const std::string_view rest = names_.substr(s.st_name);
                return rest.substr(0, rest.find('\0'));
            }
        }
        return {};
    }

private:
    template <typename T>
    const T* at(std::size_t offset, std::size_t count = 1) const noexcept {
        const bool inside = data_ != nullptr && offset % alignof(T) == 0 && offset <= size_ &&
                            count <= (size_ - offset) / sizeof(T);
        return inside ? reinterpret_cast<const T*>(data_ + offset) : nullptr;
    }

    void find_table() noexcept {
        const auto* const header = at<ElfW(Ehdr)>(0);
        if (header == nullptr || std::string_view(data_, SELFMAG) != ELFMAG ||
            header->e_ident[EI_CLASS] != (sizeof(void*) == 8 ? ELFCLASS64 : ELFCLASS32)) {
            return;
        }
        const auto* const sections = at<ElfW(Shdr)>(header->e_shoff, header->e_shnum);
        for (std::size_t i = 0; sections != nullptr && i < header->e_shnum; ++i) {
            if (sections[i].sh_type != SHT_SYMTAB || sections[i].sh_link >= header->e_shnum) {
                continue;
            }
            const ElfW(Shdr)& strings = sections[sections[i].sh_link];
            const std::size_t count = sections[i].sh_size / sizeof(ElfW(Sym));
            symbols_ = at<ElfW(Sym)>(sections[i].sh_offset, count);
            const char* const text = at<char>(strings.sh_offset, strings.sh_size);
            if (symbols_ != nullptr && text != nullptr) {
                count_ = count;
                names_ = {text, strings.sh_size};
            }
            return;
        }
    }

    const char* data_ = nullptr;
    std::size_t size_ = 0;
    const ElfW(Sym) * symbols_ = nullptr;
    std::size_t count_ = 0;
    std::string_view names_;
};

namespace {

std::string readable(const std::string& name) {
    int status = 0;
    const std::unique_ptr<char, void (*)(void*)> text(
        abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status), std::free);
    return status == 0 && text != nullptr ? text.get() : name;
}

} // namespace

symbolizer::symbolizer() = default;
symbolizer::~symbolizer() = default;

const symbolizer::file& symbolizer::opened(const char* path) {
    std::unique_ptr<file>& f = files_[path];
    if (f == nullptr) {
        f = std::make_unique<file>(path);
    }
    return *f;
}

std::string symbolizer::described(const void* address) {
    Dl_info info{};
    link_map* map = nullptr;
    if (::dladdr1(address, &info, reinterpret_cast<void**>(&map), RTLD_DL_LINKMAP) == 0 ||
        map == nullptr) {
        return {};
    }
    // Of the program itself the loader knows what it was called by, not where it is.
    const bool is_program = map->l_name == nullptr || *map->l_name == '\0';
    const char* const path = is_program ? "/proc/self/exe" : map->l_name;
    const ElfW(Addr) offset = reinterpret_cast<ElfW(Addr)>(address) - map->l_addr;
    std::string name(opened(path).function_at(offset));
    if (name.empty() && info.dli_sname != nullptr) {
        name = info.dli_sname;
    }
    const std::string_view shown = info.dli_fname != nullptr ? info.dli_fname : path;
    std::array<char, 24> number{};
    std::snprintf(number.data(), number.size(), "+%#llx", static_cast<unsigned long long>(offset));
    std::string place(shown.substr(shown.rfind('/') + 1));
    place += number.data();
    return name.empty() ? place : readable(name) + " (" + place + ')';
}

const std::string& symbolizer::describe(const void* return_address) {
    const auto [it, is_new] = known_.try_emplace(return_address);
    if (is_new) { // the byte before still belongs to the call
        it->second = described(static_cast<const char*>(return_address) - 1);
    }
    return it->second;
}

} // namespace tendril::sys
