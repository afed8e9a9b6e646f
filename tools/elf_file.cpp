// SPDX-License-Identifier: BSL-1.0
#include "tools/elf_file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tendril::tools {

namespace {

#if defined(__x86_64__)
constexpr int own_machine = EM_X86_64;
#elif defined(__aarch64__)
constexpr int own_machine = EM_AARCH64;
#else
constexpr int own_machine = EM_NONE;
#endif

int open_regular(const std::string& path) {
    // O_NONBLOCK: a FIFO of that name must not stop us.
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        throw bad_file(path + ": " + std::strerror(errno));
    }
    struct stat status;
    if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        ::close(fd);
        throw bad_file(path + ": is not a regular file");
    }
    return fd;
}

} // namespace

elf_file::elf_file(const std::string& path)
    : path_(path)
    , fd_(open_regular(path)) {
    ::elf_version(EV_CURRENT);
    elf_ = ::elf_begin(fd_, ELF_C_READ, nullptr);
    GElf_Ehdr header;
    if (elf_ == nullptr || ::elf_kind(elf_) != ELF_K_ELF ||
        ::gelf_getehdr(elf_, &header) == nullptr) {
        ::elf_end(elf_);
        ::close(fd_);
        throw bad_file(path + ": is not an ELF file");
    }
    is_of_this_machine_ =
        ::gelf_getclass(elf_) == ELFCLASS64 && header.e_machine == own_machine &&
        header.e_ident[EI_DATA] == (__BYTE_ORDER == __LITTLE_ENDIAN ? ELFDATA2LSB : ELFDATA2MSB);
    has_fixed_address_ = header.e_type == ET_EXEC;
    is_linked_ = header.e_type == ET_EXEC || header.e_type == ET_DYN;
    read_segments();
}

elf_file::~elf_file() {
    ::elf_end(elf_);
    ::close(fd_);
}

void elf_file::read_segments() {
    std::size_t count = 0;
    if (::elf_getphdrnum(elf_, &count) != 0) {
        return;
    }
    for (std::size_t i = 0; i < count; ++i) {
        GElf_Phdr s;
        if (::gelf_getphdr(elf_, static_cast<int>(i), &s) == nullptr) {
            return;
        }
        switch (s.p_type) {
        case PT_LOAD:
            loaded_.push_back({s.p_offset, s.p_vaddr, s.p_filesz});
            break;
        case PT_INTERP:
            has_interpreter_ = true;
            break;
        case PT_DYNAMIC:
            dynamic_offset_ = s.p_offset;
            dynamic_size_ = s.p_filesz;
            break;
        case PT_GNU_EH_FRAME:
            unwind_address_ = s.p_vaddr;
            unwind_size_ = s.p_filesz;
            break;
        default:
            break;
        }
    }
}

/// The file's bytes that the loader would map there; fewer where the segment ends.
std::vector<unsigned char> elf_file::at_address(std::uint64_t address,
                                                std::uint64_t at_most) const {
    for (const segment& s : loaded_) {
        if (address < s.address || address - s.address >= s.size) {
            continue;
        }
        const std::uint64_t inside = address - s.address;
        const std::uint64_t size = std::min(at_most, s.size - inside);
        Elf_Data* const data =
            ::elf_getdata_rawchunk(elf_, static_cast<off_t>(s.offset + inside), size, ELF_T_BYTE);
        if (data == nullptr || data->d_buf == nullptr) {
            return {};
        }
        const auto* const begin = static_cast<const unsigned char*>(data->d_buf);
        return {begin, begin + data->d_size};
    }
    return {};
}

elf_dynamic elf_file::dynamic() const {
    elf_dynamic result;
    Elf_Data* const data = dynamic_size_ == 0
                               ? nullptr
                               : ::elf_getdata_rawchunk(elf_, static_cast<off_t>(dynamic_offset_),
                                                        dynamic_size_, ELF_T_DYN);
    if (data == nullptr) {
        return result;
    }
    std::vector<GElf_Dyn> entries;
    std::uint64_t names_address = 0;
    std::uint64_t names_size = 0;
    for (int i = 0; static_cast<std::size_t>(i) < data->d_size / sizeof(Elf64_Dyn); ++i) {
        GElf_Dyn entry;
        if (::gelf_getdyn(data, i, &entry) == nullptr || entry.d_tag == DT_NULL) {
            break;
        }
        names_address = entry.d_tag == DT_STRTAB ? entry.d_un.d_ptr : names_address;
        names_size = entry.d_tag == DT_STRSZ ? entry.d_un.d_val : names_size;
        entries.push_back(entry);
    }
    const std::vector<unsigned char> names = at_address(names_address, names_size);
    const auto name_at = [&](std::uint64_t offset) -> std::string {
        const auto begin = names.begin() + static_cast<std::ptrdiff_t>(
                                               std::min<std::uint64_t>(offset, names.size()));
        return {begin, std::find(begin, names.end(), '\0')};
    };
    for (const GElf_Dyn& entry : entries) {
        const std::uint64_t value = entry.d_un.d_val;
        switch (entry.d_tag) {
        case DT_NEEDED:
            result.needed.push_back(name_at(value));
            break;
        case DT_SONAME:
            result.soname = name_at(value);
            break;
        case DT_RPATH:
            result.rpath = name_at(value);
            break;
        case DT_RUNPATH:
            result.runpath = name_at(value);
            break;
        case DT_SYMBOLIC:
            result.binds_symbolically = true;
            break;
        case DT_FLAGS:
            result.binds_symbolically |= (value & DF_SYMBOLIC) != 0;
            break;
        case DT_FLAGS_1:
            result.ignores_default_folders = (value & DF_1_NODEFLIB) != 0;
            result.is_program = (value & DF_1_PIE) != 0;
            break;
        default:
            break;
        }
    }
    return result;
}

bool elf_file::has_sections() const {
    return ::elf_nextscn(elf_, nullptr) != nullptr;
}

bool elf_file::has_section(const char* wanted) const {
    std::size_t names = 0;
    if (::elf_getshdrstrndx(elf_, &names) != 0) {
        return false;
    }
    for (Elf_Scn* section = nullptr; (section = ::elf_nextscn(elf_, section)) != nullptr;) {
        GElf_Shdr header;
        if (::gelf_getshdr(section, &header) != nullptr) {
            const char* const name = ::elf_strptr(elf_, names, header.sh_name);
            if (name != nullptr && std::strcmp(name, wanted) == 0) {
                return true;
            }
        }
    }
    return false;
}

std::vector<elf_symbol> elf_file::symbols() const {
    std::vector<elf_symbol> found;
    for (Elf_Scn* section = nullptr; (section = ::elf_nextscn(elf_, section)) != nullptr;) {
        GElf_Shdr header;
        if (::gelf_getshdr(section, &header) == nullptr ||
            (header.sh_type != SHT_DYNSYM && header.sh_type != SHT_SYMTAB)) {
            continue;
        }
        Elf_Data* const data = ::elf_getdata(section, nullptr);
        GElf_Sym symbol;
        for (int i = 0; data != nullptr && ::gelf_getsym(data, i, &symbol) != nullptr; ++i) {
            const int type = GELF_ST_TYPE(symbol.st_info);
            const char* const name = ::elf_strptr(elf_, header.sh_link, symbol.st_name);
            if (name == nullptr || *name == '\0' || type == STT_SECTION || type == STT_FILE) {
                continue;
            }
            found.push_back({name, symbol.st_value, symbol.st_size,
                             type == STT_FUNC || type == STT_NOTYPE || type == STT_GNU_IFUNC,
                             symbol.st_shndx != SHN_UNDEF, header.sh_type == SHT_DYNSYM});
        }
    }
    return found;
}

std::vector<std::uint64_t> elf_file::slots_of(const std::string& wanted) const {
    std::vector<std::uint64_t> found;
    for (Elf_Scn* section = nullptr; (section = ::elf_nextscn(elf_, section)) != nullptr;) {
        GElf_Shdr header;
        GElf_Shdr symbols_header;
        if (::gelf_getshdr(section, &header) == nullptr || header.sh_type != SHT_RELA) {
            continue;
        }
        Elf_Scn* const symbols_section = ::elf_getscn(elf_, header.sh_link);
        if (symbols_section == nullptr ||
            ::gelf_getshdr(symbols_section, &symbols_header) == nullptr) {
            continue;
        }
        Elf_Data* const data = ::elf_getdata(section, nullptr);
        Elf_Data* const symbols = ::elf_getdata(symbols_section, nullptr);
        GElf_Rela entry;
        GElf_Sym symbol;
        for (int i = 0; data != nullptr && ::gelf_getrela(data, i, &entry) != nullptr; ++i) {
            const auto index = static_cast<int>(GELF_R_SYM(entry.r_info));
            if (index == 0 || symbols == nullptr ||
                ::gelf_getsym(symbols, index, &symbol) == nullptr) {
                continue;
            }
            const char* const name = ::elf_strptr(elf_, symbols_header.sh_link, symbol.st_name);
            if (name != nullptr && wanted == name) {
                found.push_back(entry.r_offset);
            }
        }
    }
    return found;
}

std::vector<elf_code> elf_file::code() const {
    std::vector<elf_code> found;
    for (Elf_Scn* section = nullptr; (section = ::elf_nextscn(elf_, section)) != nullptr;) {
        GElf_Shdr header;
        if (::gelf_getshdr(section, &header) == nullptr || header.sh_type != SHT_PROGBITS ||
            (header.sh_flags & SHF_EXECINSTR) == 0) {
            continue;
        }
        Elf_Data* const data = ::elf_rawdata(section, nullptr);
        if (data != nullptr && data->d_buf != nullptr) {
            const auto* const begin = static_cast<const unsigned char*>(data->d_buf);
            found.push_back({header.sh_addr, {begin, begin + data->d_size}});
        }
    }
    return found;
}

/// The binary search table of .eh_frame_hdr, in the one encoding that linkers write (LSB, "DWARF
/// extensions"), and of each entry the length that its FDE tells.
std::vector<code_range> elf_file::unwind_ranges() const {
    constexpr unsigned char udata4 = 0x03;
    constexpr unsigned char relative_sdata4 = 0x3b;
    constexpr std::size_t before_table = 12;
    const auto number = [](const std::vector<unsigned char>& bytes, std::size_t at) {
        std::int32_t value;
        std::memcpy(&value, bytes.data() + at, sizeof value);
        return value;
    };
    const std::vector<unsigned char> header = at_address(unwind_address_, unwind_size_);
    if (header.size() < before_table || header[0] != 1 || header[2] != udata4 ||
        header[3] != relative_sdata4) {
        return {};
    }
    std::vector<code_range> found;
    const auto count = static_cast<std::uint32_t>(number(header, 8));
    for (std::size_t i = 0; i < count && before_table + i * 8 + 8 <= header.size(); ++i) {
        const auto from_header = [&](std::size_t at) {
            return unwind_address_ + static_cast<std::uint64_t>(std::int64_t{number(header, at)});
        };
        const std::uint64_t begin = from_header(before_table + i * 8);
        found.push_back({begin, from_header(before_table + i * 8 + 4)});
    }
    // First the address of the FDE, now the end: all of them lie close together, in one section.
    std::uint64_t low = ~std::uint64_t{0};
    std::uint64_t high = 0;
    for (const code_range& r : found) {
        low = std::min(low, r.end);
        high = std::max(high, r.end);
    }
    const std::vector<unsigned char> frames =
        found.empty() ? std::vector<unsigned char>{} : at_address(low, high - low + 16);
    for (code_range& r : found) {
        const std::uint64_t at = r.end - low; // length, CIE, relative begin, size: 4 bytes each
        const bool inside = at <= frames.size() && frames.size() - at >= 16;
        const bool fits =
            inside &&
            r.end + 8 + static_cast<std::uint64_t>(std::int64_t{number(frames, at + 8)}) == r.begin;
        r.end = r.begin + (fits ? static_cast<std::uint32_t>(number(frames, at + 12)) : 0);
    }
    return found;
}

} // namespace tendril::tools
