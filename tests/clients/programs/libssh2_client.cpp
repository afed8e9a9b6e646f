// SPDX-License-Identifier: BSL-1.0
#include "client.hpp"

#include <arpa/inet.h>
#include <libssh2.h>
#include <libssh2_sftp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using client::require;

/// A blocking session with the user's key, as libssh2's examples make it.
class session {
public:
    session()
        : fd_(socket(AF_INET, SOCK_STREAM, 0))
        , handle_(libssh2_session_init()) {
        const std::string where = client::address;
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port =
            htons(static_cast<in_port_t>(std::atoi(where.c_str() + where.find(':') + 1)));
        require(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0,
                "connect");
        check(libssh2_session_handshake(handle_, fd_));
    }
    session(const session&) = delete;
    ~session() {
        libssh2_session_disconnect(handle_, "done");
        libssh2_session_free(handle_);
        close(fd_);
    }
    LIBSSH2_SESSION* get() const noexcept { return handle_; }

    void check(bool good, const char* what) const {
        char* message = nullptr;
        if (!good) {
            libssh2_session_last_error(handle_, &message, nullptr, 0);
        }
        require(good, std::string(what) + ": " + (message != nullptr ? message : ""));
    }
    void check(int result) const { check(result == 0, "libssh2"); }

    void log_in() const {
        const std::string key = client::arguments[1];
        check(libssh2_userauth_publickey_fromfile(handle_, client::arguments[0],
                                                  (key + ".pub").c_str(), key.c_str(), ""));
    }

private:
    int fd_;
    LIBSSH2_SESSION* handle_;
};

/// 100 sessions, each of which writes a file by SFTP and, when all have, reads it again.
void sftp() {
    constexpr int count = 100;
    require(client::argument_count == 3, "USER KEY FOLDER");
    tendril::latch written(count);
    client::in_progress open;
    client::in_fibers(count, [&](int i) {
        const session s;
        s.log_in();
        LIBSSH2_SFTP* const sftp = libssh2_sftp_init(s.get());
        s.check(sftp != nullptr, "sftp");
        open([&] {
            const std::string name = client::arguments[2] + ("/file" + std::to_string(i));
            std::string sent(100'000 + static_cast<std::size_t>(i), '\0');
            unsigned seed = static_cast<unsigned>(i);
            client::fill(&sent[0], sent.size(), seed);
            LIBSSH2_SFTP_HANDLE* file =
                libssh2_sftp_open(sftp, name.c_str(), LIBSSH2_FXF_WRITE | LIBSSH2_FXF_CREAT, 0600);
            s.check(file != nullptr, "open to write");
            for (std::size_t done = 0; done < sent.size();) {
                const ssize_t n = libssh2_sftp_write(file, &sent[done], sent.size() - done);
                s.check(n > 0, "write");
                done += static_cast<std::size_t>(n);
            }
            libssh2_sftp_close(file);
            written.arrive_and_wait();
            file = libssh2_sftp_open(sftp, name.c_str(), LIBSSH2_FXF_READ, 0);
            s.check(file != nullptr, "open to read");
            std::string got;
            char buffer[30'000];
            for (ssize_t n = 0; (n = libssh2_sftp_read(file, buffer, sizeof buffer)) > 0;) {
                got.append(buffer, static_cast<std::size_t>(n));
            }
            libssh2_sftp_close(file);
            require(got == sent, "another file than was written");
        });
        libssh2_sftp_shutdown(sftp);
    });
    std::printf("%d files, %d at once\n", count, open.most());
}

/// A server that has accepted and says nothing; libssh2's own limit ends that.
void timeout() {
    tendril::net::tcp_listener silent = tendril::net::tcp_listener::listen("127.0.0.1:0");
    const int port = silent.local().port();
    client::in_fibers(20, [&](int) {
        const int fd = socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(static_cast<in_port_t>(port));
        require(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0, "connect");
        LIBSSH2_SESSION* const s = libssh2_session_init();
        libssh2_session_set_timeout(s, 100);
        require(libssh2_session_handshake(s, fd) == LIBSSH2_ERROR_TIMEOUT, "no timeout");
        libssh2_session_free(s);
        close(fd);
    });
    std::printf("20 timeouts\n");
}

} // namespace

int main(int argc, char** argv) {
    libssh2_init(0);
    return client::run(argc, argv, {{"sftp", sftp}, {"timeout", timeout}});
}
