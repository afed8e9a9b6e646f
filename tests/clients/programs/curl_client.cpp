// SPDX-License-Identifier: BSL-1.0
#include "client.hpp"

#include <curl/curl.h>

#include <fstream>
#include <memory>
#include <sys/socket.h>

namespace {

using client::require;

/// An easy handle, and what it is given.
class transfer {
public:
    transfer()
        : handle_(curl_easy_init()) {
        set(CURLOPT_NOSIGNAL, 1L);
        set(CURLOPT_CAINFO, client::arguments[0]);
        set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
        set(CURLOPT_ERRORBUFFER, error_);
        set(CURLOPT_WRITEDATA, this);
        set(
            CURLOPT_WRITEFUNCTION, +[](char* data, std::size_t, std::size_t size, void* self) {
                return static_cast<transfer*>(self)->take(data, size);
            });
    }
    transfer(const transfer&) = delete;
    ~transfer() { curl_easy_cleanup(handle_); }

    template <typename Value>
    void set(CURLoption option, Value value) {
        curl_easy_setopt(handle_, option, value);
    }
    template <typename Value>
    Value get(CURLINFO what) const {
        Value value{};
        curl_easy_getinfo(handle_, what, &value);
        return value;
    }

    CURLcode perform(const std::string& path) {
        size_ = 0;
        equal_ = true;
        body_.clear();
        set(CURLOPT_URL, (client::address + path).c_str());
        return curl_easy_perform(handle_);
    }
    void fetch(const std::string& path) {
        require(perform(path) == CURLE_OK, path + ": " + error_);
        require(get<long>(CURLINFO_RESPONSE_CODE) == 200, path + ": not 200");
        require(get<long>(CURLINFO_HTTP_VERSION) == CURL_HTTP_VERSION_2_0, "not HTTP/2");
    }
    const std::string& body() const noexcept { return body_; }
    std::size_t size() const noexcept { return size_; }
    void compare_with(const char* file) { expected_.open(file, std::ios::binary); }
    bool equal() const noexcept { return equal_; }

private:
    std::size_t take(const char* data, std::size_t size) {
        size_ += size;
        if (expected_.is_open()) {
            std::string same(size, '\0');
            expected_.read(&same[0], static_cast<std::streamsize>(size));
            equal_ = equal_ && std::memcmp(same.data(), data, size) == 0;
        }
        if (body_.size() < 1000) {
            body_.append(data, size);
        }
        return size;
    }

    CURL* handle_;
    char error_[CURL_ERROR_SIZE] = "";
    std::string body_;
    std::size_t size_ = 0;
    std::ifstream expected_;
    bool equal_ = true;
};

/// One connection for all requests of a handle.
void keep_alive() {
    client::in_fibers(20, [](int) {
        transfer t;
        for (long i = 0; i < 10; ++i) {
            t.fetch("/index.html");
            require(t.body() == "<p>tendril</p>\n", "another page");
            require(t.get<long>(CURLINFO_NUM_CONNECTS) == (i == 0 ? 1 : 0), "another connection");
        }
    });
    std::printf("20 connections, 200 requests\n");
}

void download() {
    transfer t;
    t.compare_with(client::arguments[1]);
    t.fetch("/large");
    require(t.equal(), "another content");
    std::printf("%zu bytes\n", t.size());
    std::fprintf(stderr, "%.0f MB/s\n",
                 static_cast<double>(t.get<curl_off_t>(CURLINFO_SPEED_DOWNLOAD_T)) / 1e6);
}

/// nginx passes each request on to a server here, which answers none until it has all 500.
void gate() {
    constexpr int count = 500;
    const int listener = std::atoi(client::arguments[1]);
    tendril::latch arrived(count);
    auto serving = tendril::spawn([&] {
        for (int i = 0; i < count; ++i) {
            const int taken = accept(listener, nullptr, nullptr);
            require(taken >= 0, "accept");
            tendril::spawn([taken, &arrived] {
                auto stream = tendril::net::tcp_stream::adopt(taken);
                stream.read_until("\r\n\r\n");
                arrived.arrive_and_wait();
                stream.write_all("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nopen\n");
            });
        }
    });
    client::in_progress fetching;
    const auto start = std::chrono::steady_clock::now();
    client::in_fibers(count, [&](int) {
        transfer t;
        fetching([&] { t.fetch("/gate"); });
        require(t.body() == "open\n", "another answer");
    });
    serving.get();
    std::printf("%d at once\n", fetching.most());
    std::fprintf(stderr, "%.3f s\n", client::seconds_since(start));
}

/// A port that accepts and then says nothing; a page that is not there.
void trouble() {
    auto silent = tendril::net::tcp_listener::listen("127.0.0.1:0");
    const std::string to = "::127.0.0.1:" + std::to_string(silent.local().port());
    client::in_fibers(20, [&](int i) {
        transfer t;
        if (i % 2 == 0) {
            require(t.perform("/nowhere") == CURLE_OK, "no answer");
            require(t.get<long>(CURLINFO_RESPONSE_CODE) == 404, "not 404");
        } else {
            const std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> instead(
                curl_slist_append(nullptr, to.c_str()), curl_slist_free_all);
            t.set(CURLOPT_CONNECT_TO, instead.get());
            t.set(CURLOPT_TIMEOUT_MS, 100L);
            require(t.perform("/") == CURLE_OPERATION_TIMEDOUT, "no timeout");
        }
    });
    std::printf("10 timeouts, 10 errors of the server\n");
}

} // namespace

/// Arguments: ADDRESS SCENARIO CERTIFICATE; of download the file that it must equal; of gate a
/// listener's fd
int main(int argc, char** argv) {
    curl_global_init(CURL_GLOBAL_ALL);
    return client::run(
        argc, argv,
        {{"keep_alive", keep_alive}, {"download", download}, {"gate", gate}, {"trouble", trouble}});
}
