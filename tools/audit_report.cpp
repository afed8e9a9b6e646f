// SPDX-License-Identifier: BSL-1.0
#include "tools/audit.hpp"

#include <cstdio>
#include <cstdlib>
#include <cxxabi.h>
#include <iterator>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

namespace tendril::tools {

namespace {

constexpr std::size_t columns = 96;
constexpr std::size_t raw_at_most = 6; ///< per file, for people

std::string readable(const std::string& name) {
    int status = 0;
    const std::unique_ptr<char, void (*)(void*)> text(
        abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status), std::free);
    return status == 0 && text != nullptr ? text.get() : name;
}

std::string hexadecimal(std::uint64_t number) {
    char text[24];
    std::snprintf(text, sizeof text, "%#llx", static_cast<unsigned long long>(number));
    return text;
}

/// Control characters of a hostile file's must not reach the terminal.
std::string printable(std::string text) {
    for (char& c : text) {
        if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') {
            c = '?';
        }
    }
    return text;
}

/// Breaks lines between items only.
void print_wrapped(const std::string& head, const std::vector<std::string>& items,
                   const char* separator = ",") {
    constexpr char indentation[] = "              ";
    std::string line = "  " + head;
    line.resize(std::max(line.size() + 1, sizeof indentation - 1), ' ');
    for (std::size_t i = 0; i < items.size(); ++i) {
        const std::string item = printable(items[i]) + (i + 1 < items.size() ? separator : "");
        if (line.size() + item.size() > columns && line.size() > sizeof indentation) {
            std::printf("%s\n", line.c_str());
            line = indentation;
        }
        line += item + " ";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    std::printf("%s\n", line.c_str());
}

std::vector<std::string> described(const std::vector<raw_syscall>& raw) {
    std::vector<std::string> items;
    for (const raw_syscall& r : raw) {
        if (items.size() == raw_at_most) {
            items.push_back("and " + std::to_string(raw.size() - raw_at_most) + " more");
            break;
        }
        std::string item =
            (r.function.empty() ? "code" : readable(r.function)) + " at " + hexadecimal(r.address);
        if (r.number) {
            item += " (number " + std::to_string(*r.number) + ")";
        }
        items.push_back(item);
    }
    return items;
}

void print_object(const object_report& o) {
    std::map<std::pair<fate, std::string>, std::vector<std::string>> calls;
    for (const blocking_import& i : o.imports) {
        const bool by_family = i.call.becomes == fate::bypassing || i.call.becomes == fate::brief;
        calls[{i.call.becomes, by_family ? i.call.family : ""}].push_back(i.name);
    }
    std::printf("\n%s\n", printable(o.path).c_str());
    for (const auto& [what, names] : calls) {
        print_wrapped(to_string(what.first) + (what.second.empty() ? "" : " (" + what.second + ")"),
                      names);
    }
    if (!o.raw.empty()) {
        print_wrapped("bypassing (instructions)", described(o.raw));
    }
    for (const finding& f : o.findings) {
        std::istringstream text(f.text);
        const std::vector<std::string> words{std::istream_iterator<std::string>(text), {}};
        print_wrapped(f.bypasses ? "bypassing:" : "note:", words, "");
    }
    if (calls.empty() && o.raw.empty() && o.findings.empty()) {
        std::printf("  nothing that blocks\n");
    }
}

} // namespace

void print_text(const audit_report& report) {
    if (!report.script.empty()) {
        std::printf("%s is a script; its interpreter is audited.\n",
                    printable(report.script).c_str());
    }
    std::map<fate, std::size_t> count;
    std::size_t raw = 0;
    for (const object_report& o : report.objects) {
        for (const blocking_import& i : o.imports) {
            ++count[i.call.becomes];
        }
        raw += o.raw.size();
    }
    std::printf(
        "%s and %zu libraries: %zu imports wait in the hub, %zu block briefly, %zu wait for "
        "threads, %zu bypass the hub, %zu system call instructions.%s\n",
        printable(report.program).c_str(), report.objects.size() - 1,
        count[fate::shimmed] + count[fate::offloaded], count[fate::brief], count[fate::threads],
        count[fate::bypassing], raw, report.is_linked_with_shim ? " Linked with the shim." : "");
    for (const object_report& o : report.objects) {
        print_object(o);
    }
    for (const missing_library& m : report.missing) {
        std::printf("\n%s was not found, which %s needs\n", printable(m.name).c_str(),
                    printable(m.needed_by).c_str());
    }
    const bool all = count[fate::brief] + count[fate::threads] == 0;
    std::printf("\n%s\n", report.has_bypass()
                              ? "Some calls may block a thread with all its fibers: see above."
                          : all ? "Every call that may block reaches the shim."
                                : "Every call that may wait for the network, processes, time or "
                                  "people reaches the shim.");
}

void print_json(const audit_report& report) {
    using json = nlohmann::ordered_json;
    json objects = json::array();
    for (const object_report& o : report.objects) {
        json imports = json::array();
        for (const blocking_import& i : o.imports) {
            imports.push_back({{"name", i.name},
                               {"becomes", to_string(i.call.becomes)},
                               {"family", i.call.family},
                               {"about", i.call.about}});
        }
        json raw = json::array();
        for (const raw_syscall& r : o.raw) {
            raw.push_back({{"function", r.function.empty() ? json() : json(readable(r.function))},
                           {"address", r.address},
                           {"number", r.number ? json(*r.number) : json()}});
        }
        json findings = json::array();
        for (const finding& f : o.findings) {
            findings.push_back({{"code", f.code}, {"text", f.text}, {"bypasses", f.bypasses}});
        }
        objects.push_back({{"path", o.path},
                           {"name", o.name.empty() ? json() : json(o.name)},
                           {"imports", imports},
                           {"system_call_instructions", raw},
                           {"findings", findings}});
    }
    json missing = json::array();
    for (const missing_library& m : report.missing) {
        missing.push_back({{"name", m.name}, {"needed_by", m.needed_by}});
    }
    const json all = {{"program", report.program},
                      {"script", report.script.empty() ? json() : json(report.script)},
                      {"linked_with_shim", report.is_linked_with_shim},
                      {"bypasses", report.has_bypass()},
                      {"objects", objects},
                      {"libc", report.libc},
                      {"missing", missing}};
    // Names are bytes of the file's, and need not be UTF-8.
    std::puts(all.dump(2, ' ', false, json::error_handler_t::replace).c_str());
}

} // namespace tendril::tools
