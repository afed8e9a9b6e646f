// SPDX-License-Identifier: BSL-1.0
#include "dns/channel.hpp"

#include "dns/channel_callbacks.hpp"
#include "hub/foreign_call.hpp"
#include "hub/task_access.hpp"
#include "io/operations.hpp"

#include <arpa/nameser.h>
#include <poll.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <new>

namespace tendril::detail::dns {

namespace {

constexpr std::size_t driver_stack = std::size_t{256} << 10;
constexpr int edns_size = 1200; // RESOLV_EDNS_BUFFER_SIZE

} // namespace

bool channel_settings::operator==(const channel_settings& o) const noexcept {
    return timeout_ms == o.timeout_ms && tcp == o.tcp && edns == o.edns &&
           server.any.sa_family == o.server.any.sa_family &&
           std::memcmp(&server, &o.server, server.size()) == 0;
}

/// The channel's hidden fiber. It ends when no question is open, so it keeps no hub from draining.
/// If it never gets to run, or its hub ends first, the questions end with it.
class channel::driver final : public task {
public:
    explicit driver(std::shared_ptr<channel> c)
        : channel_(std::move(c)) {}
    ~driver() override { channel_->driver_ended(ran_); }

private:
    void run() override {
        ran_ = true;
        channel_->drive();
    }
    std::shared_ptr<channel> channel_;
    bool ran_ = false;
};

channel::channel(hub_core& hub, const channel_settings& settings)
    : hub_(hub)
    , settings_(settings) {
    // A static that throws is tried again.
    [[maybe_unused]] static const bool ready = [] {
        const foreign_call_guard guard;
        return ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS ? true : throw std::bad_alloc();
    }();
    ares_options o{};
    in_addr v4{};
    char lookups[] = "b";
    int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
    // One try: the rounds over servers are the resolver's. Truncated answers and errors are passed
    // on, sockets close whenever no question is open, so source ports change.
    o.flags = ARES_FLAG_NOCHECKRESP | ARES_FLAG_IGNTC | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES;
    o.flags |= settings.tcp ? ARES_FLAG_USEVC : 0;
    o.flags |= settings.edns ? ARES_FLAG_EDNS : 0;
    o.timeout = settings.timeout_ms;
    o.tries = 1;
    o.sock_state_cb = &channel_callbacks::socket_state;
    o.sock_state_cb_data = this;
    // What is set here is not looked for in resolv.conf and host.conf.
    o.lookups = lookups;
    o.ndots = 1;
    o.servers = &v4;
    o.nservers = 1;
    o.ednspsz = edns_size;
    mask |= ARES_OPT_LOOKUPS | ARES_OPT_NDOTS | ARES_OPT_DOMAINS | ARES_OPT_SORTLIST |
            ARES_OPT_SERVERS | ARES_OPT_EDNSPSZ;
    ares_addr_node server{};
    server.family = settings.server.any.sa_family;
    if (server.family == AF_INET) {
        server.addr.addr4 = settings.server.v4.sin_addr;
    } else {
        std::memcpy(&server.addr.addr6, &settings.server.v6.sin6_addr, sizeof server.addr.addr6);
    }
    const foreign_call_guard guard;
    if (ares_init_options(&ares_, &o, mask) != ARES_SUCCESS) {
        throw std::bad_alloc();
    }
    ares_set_socket_functions(ares_, &channel_callbacks::sockets, this);
    if (ares_set_servers(ares_, &server) != ARES_SUCCESS) {
        ares_destroy(ares_);
        throw std::bad_alloc();
    }
}

channel::~channel() {
    mute();
}

void channel::mute() noexcept {
    muted_ = true;
    if (ares_ != nullptr) {
        const foreign_call_guard guard;
        ares_destroy(std::exchange(ares_, nullptr));
    }
}

// ------------------------------------------------------------------------------------- questions

void channel::ask(exchange& e, std::size_t index, const std::string& name, int type) noexcept {
    e.answers[index] = {};
    std::unique_ptr<query> q;
    try {
        q = std::make_unique<query>(query{this, &e, index});
        start_driver();
    } catch (const std::bad_alloc&) {
        // Not thrown: another question of the exchange may be on its way.
        e.answers[index].done = true;
        e.answers[index].status = ARES_ENOMEM;
        return;
    }
    starved_ = false;
    e.queries_[index] = q.get();
    ++e.open_;
    ++open_;
    ++wanted_;
    socket_error_ = 0;
    const foreign_call_guard guard;
    ares_query(ares_, name.c_str(), ns_c_in, type, &channel_callbacks::answered, q.release());
}

wake channel::wait(exchange& e, const wait_reason& why, time_point deadline) {
    const auto self = shared_from_this();
    while (e.open_ != 0) {
        e.waiter_ = hub_.prepare();
        const wake end = hub_.park(e.waiter_, why, deadline);
        if (end == wake::ready) {
            continue;
        }
        for (query*& q : e.queries_) {
            if (q != nullptr) {
                q->owner = nullptr;
                q = nullptr;
                --wanted_;
            }
        }
        e.open_ = 0;
        e.waiter_ = {};
        if (wanted_ == 0) {
            cancel_all();
        }
        return end;
    }
    return wake::ready;
}

/// Called by c-ares, through which nothing may be thrown.
void channel::complete(query& q, int status, const unsigned char* message, int size) noexcept {
    const std::unique_ptr<query> release(&q);
    if (--open_ == 0) {
        sent_.clear();
    }
    if (q.owner == nullptr || muted_) {
        return;
    }
    --wanted_;
    exchange& e = *q.owner;
    exchange::answer& a = e.answers[q.index];
    a.done = true;
    a.status = status == ARES_ECANCELLED && starved_ ? ARES_ENOMEM : status;
    e.error = socket_error_;
    e.queries_[q.index] = nullptr;
    if (message != nullptr && size >= NS_HFIXEDSZ) {
        try {
            a.message.assign(message, message + size);
            a.status = ARES_SUCCESS; // the code of the answer is in the answer
        } catch (const std::bad_alloc&) {
            a.status = ARES_ENOMEM;
        }
    }
    if (--e.open_ == 0 && e.waiter_.fiber != nullptr) {
        hub_core::wake_up(e.waiter_, wake::ready);
    }
}

void channel::cancel_all() noexcept {
    if (ares_ != nullptr) {
        const foreign_call_guard guard;
        ares_cancel(ares_);
    }
}

// ----------------------------------------------------------------------------------------- driver

void channel::start_driver() {
    if (driven_) {
        return;
    }
    // Nobody joins it: the handle's reference goes at once, the fiber's when it ends.
    const std::unique_ptr<task, task_release> handle(new driver(shared_from_this()));
    driven_ = true;
    try {
        task_access::begin(*handle, hub_.next_id());
        task_access::set_name(*handle, "dns");
        hub_.spawn(*handle, driver_stack);
    } catch (...) {
        handle->release();
        throw;
    }
}

/// Not having run, it got no stack.
void channel::driver_ended(bool ran) noexcept {
    driven_ = false;
    if (open_ != 0) {
        starved_ = !ran;
        cancel_all();
    }
}

time_point channel::next_timeout() noexcept {
    const foreign_call_guard guard;
    timeval left{};
    if (ares_timeout(ares_, nullptr, &left) == nullptr) {
        return never;
    }
    // c-ares compares with its own clock, truncated to microseconds: do not wake just before.
    return hub_.now() + std::chrono::seconds(left.tv_sec) +
           std::chrono::microseconds(left.tv_usec + 1000);
}

void channel::process(const pollfd& ready) noexcept {
    // An error counts as readiness for both: the call that follows gives the reason.
    const bool error = (ready.revents & (POLLERR | POLLHUP)) != 0;
    const bool in = error || (ready.revents & POLLIN) != 0;
    const bool out = (ready.events & POLLOUT) != 0 && (error || (ready.revents & POLLOUT) != 0);
    const foreign_call_guard guard;
    if (ready.fd == socket_.fd && (in || out)) {
        ares_process_fd(ares_, in ? ready.fd : ARES_SOCKET_BAD, out ? ready.fd : ARES_SOCKET_BAD);
    }
    ares_process_fd(ares_, ARES_SOCKET_BAD, ARES_SOCKET_BAD); // timeouts
}

void channel::drive() {
    while (open_ != 0 && !muted_) {
        pollfd ready = socket_;
        io::options o;
        o.deadline = next_timeout();
        o.what = "dns";
        // -EBADF and POLLNVAL: a fiber that gave up closed the socket under us, so look again.
        if (io::poll(&ready, 1, o) == -ECANCELED || muted_) {
            return;
        }
        process(ready);
    }
}

// ---------------------------------------------------------------------------------------- sockets

void channel::sent(const iovec* iov, int count) noexcept {
    try {
        message_bytes m;
        for (int i = 0; i < count; ++i) {
            const auto* bytes = static_cast<const unsigned char*>(iov[i].iov_base);
            m.insert(m.end(), bytes, bytes + iov[i].iov_len);
        }
        sent_.push_back(std::move(m));
    } catch (const std::bad_alloc&) { // a refusal without the question will not be recognised
    }
}

/// Some servers refuse with a bare header. c-ares takes only answers that repeat the question, and
/// would wait in vain, so the question is put back. Its id is all that tells, as in glibc.
ares_ssize_t channel::complete_header(unsigned char* message, ares_ssize_t size,
                                      std::size_t room) const noexcept {
    if (size != NS_HFIXEDSZ || (message[2] & 0x80) == 0 || message[4] != 0 || message[5] != 0) {
        return size;
    }
    const int rcode = message[3] & 0xf;
    if (rcode != ns_r_servfail && rcode != ns_r_notimpl && rcode != ns_r_refused) {
        return size;
    }
    for (const message_bytes& m : sent_) {
        if (m.size() > NS_HFIXEDSZ && m.size() <= room && m[0] == message[0] &&
            m[1] == message[1]) {
            std::memcpy(message + NS_HFIXEDSZ, m.data() + NS_HFIXEDSZ, m.size() - NS_HFIXEDSZ);
            std::memcpy(message + 4, m.data() + 4, NS_HFIXEDSZ - 4); // the counts
            return static_cast<ares_ssize_t>(m.size());
        }
    }
    return size;
}

void channel::socket_state(int fd, bool in, bool out) noexcept {
    if (in || out) {
        socket_ = {fd, static_cast<short>((in ? POLLIN : 0) | (out ? POLLOUT : 0)), 0};
    } else if (fd == socket_.fd) {
        socket_ = {-1, 0, 0};
    }
}

} // namespace tendril::detail::dns
