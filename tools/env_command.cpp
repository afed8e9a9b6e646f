// SPDX-License-Identifier: BSL-1.0
#include "tools/env_command.hpp"

#include <cctype>
#include <cstdlib>
#include <deque>
#include <map>

namespace tendril::tools {

namespace {

constexpr char path_without_path[] = "/bin:/usr/bin"; // execvp(3)

/// What a backslash and this are.
char unescaped(char c) {
    static const std::map<char, char> known = {{'f', '\f'}, {'n', '\n'}, {'r', '\r'},
                                               {'t', '\t'}, {'v', '\v'}, {'_', ' '}};
    const auto found = known.find(c);
    return found != known.end() ? found->second : c;
}

/// "${NAME}", from its $ on; moves to the last character of it.
std::string variable(const std::string& text, std::size_t& at) {
    const std::size_t end = text.find('}', at);
    if (text.compare(at, 2, "${") != 0 || end == std::string::npos) {
        return "$";
    }
    const char* const value = std::getenv(text.substr(at + 2, end - at - 2).c_str());
    at = end;
    return value != nullptr ? value : "";
}

std::deque<std::string> split(const std::string& text) {
    std::deque<std::string> words;
    std::string word;
    bool in_word = false;
    char quote = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (quote == 0 && std::isspace(static_cast<unsigned char>(c)) != 0) {
            if (in_word) {
                words.push_back(std::move(word));
            }
            word.clear();
            in_word = false;
            continue;
        }
        if (quote == 0 && !in_word && c == '#') {
            break;
        }
        in_word = true;
        if (c == quote) {
            quote = 0;
        } else if (quote == 0 && (c == '"' || c == '\'')) {
            quote = c;
        } else if (c == '\\' && i + 1 < text.size()) {
            word += unescaped(text[++i]);
        } else if (c == '$' && quote != '\'') {
            word += variable(text, i);
        } else {
            word += c;
        }
    }
    if (in_word) {
        words.push_back(std::move(word));
    }
    return words;
}

class reader {
public:
    explicit reader(const std::string& arguments)
        : words_(split(arguments)) {}

    env_command read() {
        while (!words_.empty()) {
            const std::string word = take();
            if (word == "--" && !options_over_) {
                options_over_ = true;
            } else if (word.size() > 1 && word[0] == '-' && !options_over_) {
                word[1] == '-' ? take_long(word) : take_letters(word);
            } else if (word == "-" && !options_over_) {
                path_ = path_without_path;
            } else if (const std::size_t equals = word.find('='); equals != std::string::npos) {
                options_over_ = true;
                if (word.compare(0, equals, "PATH") == 0) {
                    path_ = word.substr(equals + 1);
                }
            } else {
                return {word, path_};
            }
        }
        return {"", path_};
    }

private:
    std::string take() {
        if (words_.empty()) {
            return {};
        }
        std::string word = std::move(words_.front());
        words_.pop_front();
        return word;
    }

    void unset(const std::string& name) {
        if (name == "PATH") {
            path_ = path_without_path;
        }
    }

    /// What -S is to split: all words were split as it does.
    void put_back(const std::string& word) { words_.push_front(word); }

    void take_long(const std::string& word) {
        const std::size_t equals = word.find('=');
        const std::string name = word.substr(2, equals == std::string::npos ? equals : equals - 2);
        const auto value = [&] {
            return equals == std::string::npos ? take() : word.substr(equals + 1);
        };
        if (name == "ignore-environment") {
            path_ = path_without_path;
        } else if (name == "unset") {
            unset(value());
        } else if (name == "split-string") {
            put_back(value());
        } else if (name == "chdir" || name == "argv0") {
            value();
        }
    }

    /// One with an argument takes the rest of the word for it.
    void take_letters(const std::string& word) {
        for (std::size_t i = 1; i < word.size(); ++i) {
            const auto value = [&] { return i + 1 < word.size() ? word.substr(i + 1) : take(); };
            switch (word[i]) {
            case 'i':
                path_ = path_without_path;
                break;
            case 'u':
                unset(value());
                return;
            case 'S':
                put_back(value());
                return;
            case 'C':
            case 'a':
                value();
                return;
            default:
                break;
            }
        }
    }

    std::deque<std::string> words_;
    std::string path_ = std::getenv("PATH") != nullptr ? std::getenv("PATH") : path_without_path;
    bool options_over_ = false;
};

} // namespace

env_command read_env_command(const std::string& arguments) {
    return reader(arguments).read();
}

} // namespace tendril::tools
