// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/fiber.hpp>

#include "hub/hub_core.hpp"
#include "support/fake_reactor.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <utility>

namespace tendril::detail {

/// The calling thread's hub, over a fake reactor, while this lives. tendril::spawn and its kin use
/// it.
class fake_hub {
public:
    fake_hub()
        : fake_hub(std::make_unique<fake_reactor>()) {}
    ~fake_hub() {
        if (hub_core::current_or_null() == &core_) {
            core_.detach_thread(time_point::min());
        }
    }
    fake_hub(const fake_hub&) = delete;
    fake_hub& operator=(const fake_hub&) = delete;

    hub_core& operator*() noexcept { return core_; }
    hub_core* operator->() noexcept { return &core_; }
    fake_reactor& reactor() noexcept { return reactor_; }

    void sleep(time_point::duration d) noexcept { core_.sleep_until(core_.now() + d); }

    /// What must end before the test does, not being joined.
    void run() noexcept { core_.drain(); }

private:
    explicit fake_hub(std::unique_ptr<fake_reactor> r)
        : reactor_(*r)
        , core_(std::move(r)) {
        core_.attach_thread();
    }

    fake_reactor& reactor_;
    hub_core core_;
};

} // namespace tendril::detail
