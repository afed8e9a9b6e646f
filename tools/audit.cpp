// SPDX-License-Identifier: BSL-1.0
#include "tools/audit.hpp"

#include "tools/deep_bind.hpp"
#include "tools/elf_check.hpp"

#include <algorithm>
#include <set>
#include <sys/stat.h>
#include <sys/xattr.h>

namespace tendril::tools {

namespace {

bool starts_with(const std::string& text, const char* beginning) {
    return text.rfind(beginning, 0) == 0;
}

std::string file_name(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

/// The parts of glibc and its loader: what the shim stands before.
bool is_libc(const loaded_object& o) {
    static const std::set<std::string> parts = {"libc.so.6",      "libm.so.6",   "libpthread.so.0",
                                                "libdl.so.2",     "librt.so.1",  "libutil.so.1",
                                                "libresolv.so.2", "libanl.so.1", "libmvec.so.1"};
    const std::string name = o.dynamic.soname.empty() ? o.name : o.dynamic.soname;
    return parts.count(name) != 0 || starts_with(name, "ld-linux");
}

bool is_replaced(const std::string& name) {
    const call_name* const call = find_call(name);
    return call != nullptr && (call->becomes == fate::shimmed || call->becomes == fate::offloaded);
}

bool is_ours(const loaded_object& o) {
    const std::string name = file_name(o.file->path());
    return starts_with(name, "libtendril.so") || starts_with(name, "libtendril_shim.so");
}

/// Names that only libcs have, which a file has in it when parts of one were linked statically.
bool is_inside_libc(const std::string& name) {
    static const std::set<std::string> names = {
        "__libc_read",     "__libc_write",     "__libc_connect",    "__libc_recv",
        "__libc_send",     "__libc_accept",    "__libc_open64",     "__poll_nocancel",
        "__read_nocancel", "__write_nocancel", "_IO_new_file_read", "__syscall_cp",
        "__stdio_read",    "__stdio_write"};
    return names.count(name) != 0;
}

void look_for_privileges(const elf_file& file, std::vector<finding>& found) {
    struct stat status;
    if (::fstat(file.fd(), &status) != 0) {
        return;
    }
    constexpr char consequence[] = ": the loader ignores LD_PRELOAD for those it gives rights to";
    const auto add = [&](const char* code, const char* what) {
        found.push_back({code, std::string("is ") + what + consequence, true});
    };
    if ((status.st_mode & S_ISUID) != 0) {
        add("setuid", "setuid");
    }
    if ((status.st_mode & S_ISGID) != 0 && (status.st_mode & S_IXGRP) != 0) {
        add("setgid", "setgid");
    }
    if (::fgetxattr(file.fd(), "security.capability", nullptr, 0) > 0) {
        found.push_back({"capabilities", std::string("has file capabilities") + consequence, true});
    }
}

bool is_static(const elf_file& file, const elf_dynamic& dynamic) {
    return !file.has_interpreter() &&
           (file.has_fixed_address() || dynamic.is_program || !file.has_dynamic_section());
}

bool is_go(const elf_file& file) {
    return file.has_section(".go.buildinfo") || file.has_section(".note.go.buildid") ||
           file.has_section(".gopclntab");
}

std::string listed(const std::set<std::string>& names) {
    std::string text;
    for (const std::string& name : names) {
        text += (text.empty() ? "" : ", ") + name;
    }
    return text;
}

/// What the file's symbol tables tell: its imports, and what it has of libc's in itself.
void look_at_symbols(const loaded_object& object, const std::vector<elf_symbol>& symbols,
                     const std::set<std::string>& programs_own, object_report& report) {
    std::set<std::string> imports;
    std::set<std::string> own;
    std::set<std::string> pieces;
    for (const elf_symbol& s : symbols) {
        if (s.is_dynamic && s.is_function && !s.is_defined) {
            imports.insert(s.name);
        } else if (s.is_dynamic && s.is_function && is_replaced(s.name)) {
            own.insert(s.name);
        } else if (s.is_defined && is_inside_libc(s.name)) {
            pieces.insert(s.name);
        }
    }
    for (const std::string& name : imports) {
        if (const call_name* const call = find_call(name)) {
            const call_name own_call = {fate::bypassing, "own", "the program's own function"};
            report.imports.push_back({name, programs_own.count(name) != 0 ? own_call : *call});
        }
    }
    auto& found = report.findings;
    if (!programs_own.empty() && report.name.empty()) {
        found.push_back({"own",
                         "has functions of its own under libc's names, which come before "
                         "the shim's: " +
                             listed(own),
                         true});
    } else if (!own.empty() && object.dynamic.binds_symbolically) {
        found.push_back({"symbolic",
                         "was linked with -Bsymbolic, and calls functions of its own "
                         "under libc's names: " +
                             listed(own),
                         true});
    }
    if (!pieces.empty()) {
        found.push_back({"libc_pieces", "has parts of a libc in itself: " + listed(pieces), true});
    }
    if (imports.count("dlopen") + imports.count("dlmopen") != 0) {
        found.push_back({"dlopen",
                         "may load more at run time (dlopen), which is not looked at "
                         "here: audit it by its own name",
                         false});
    }
    if (imports.count("dlmopen") != 0) {
        found.push_back({"dlmopen", "may load another libc beside ours (dlmopen)", true});
    }
}

object_report look_at(const loaded_object& object, bool is_program,
                      const std::set<std::string>& programs_own) {
    object_report report;
    const elf_file& file = *object.file;
    report.path = file.path();
    report.name = is_program ? "" : object.name;
    auto& found = report.findings;
    if (is_program) {
        look_for_privileges(file, found);
    }
    if (is_go(file)) {
        found.push_back({"go", "is written in Go, whose runtime makes system calls itself", true});
    }
    if (is_program && is_static(file, object.dynamic)) {
        found.push_back({"static", "is statically linked: no shim gets into it", true});
        return report;
    }
    if (!file.has_sections()) {
        found.push_back({"no_sections", "has no section headers: its calls are not known", true});
        return report;
    }
    const std::vector<elf_symbol> symbols = file.symbols();
    look_at_symbols(object, symbols, programs_own, report);
    report.raw = raw_syscalls(file, symbols);
    if (const auto caller = deep_binder(file, symbols)) {
        found.push_back({"deepbind",
                         "loads libraries with RTLD_DEEPBIND, which then call libc "
                         "past the shim: " +
                             *caller,
                         true});
    }
    return report;
}

/// Those of the shim's functions that the program defines by itself. One that was linked with the
/// static shim has the shim's.
std::set<std::string> functions_in_place_of_libcs(const elf_file& program, bool& has_shim) {
    std::set<std::string> names;
    for (const elf_symbol& s : program.symbols()) {
        if (s.is_dynamic && s.is_defined && s.name == "tendril_shim_attach_v1") {
            has_shim = true;
            return {};
        }
        if (s.is_dynamic && s.is_function && s.is_defined && is_replaced(s.name)) {
            names.insert(s.name);
        }
    }
    return names;
}

} // namespace

bool audit_report::has_bypass() const {
    const auto bypasses = [](const object_report& o) {
        return !o.raw.empty() ||
               std::any_of(o.findings.begin(), o.findings.end(),
                           [](const finding& f) { return f.bypasses; }) ||
               std::any_of(o.imports.begin(), o.imports.end(), [](const blocking_import& i) {
                   return i.call.becomes == fate::bypassing;
               });
    };
    return !missing.empty() || std::any_of(objects.begin(), objects.end(), bypasses);
}

audit_report audit(const std::string& path) {
    audit_report report;
    report.program = path;
    const std::string interpreter = script_interpreter(path);
    if (!interpreter.empty()) {
        report.script = path;
        report.program = interpreter;
    }
    auto program = std::make_unique<elf_file>(report.program);
    if (!program->is_of_this_machine()) {
        throw bad_file(report.program + ": is for another machine than libtendril_shim");
    }
    if (!program->is_program_or_library()) {
        throw bad_file(report.program + ": is neither a program nor a library");
    }
    const load_order order(std::move(program));
    const loaded_object& first = *order.objects().front();
    const std::set<std::string> own =
        first.dynamic.soname.empty()
            ? functions_in_place_of_libcs(*first.file, report.is_linked_with_shim)
            : std::set<std::string>{};
    for (const auto& object : order.objects()) {
        if (object.get() != &first && is_libc(*object)) {
            report.libc.push_back(object->file->path());
        } else if (object.get() != &first && is_ours(*object)) {
            report.is_linked_with_shim |=
                starts_with(file_name(object->file->path()), "libtendril_shim.so");
        } else {
            report.objects.push_back(look_at(*object, object.get() == &first, own));
        }
    }
    report.missing = order.missing();
    return report;
}

} // namespace tendril::tools
