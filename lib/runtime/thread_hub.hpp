// SPDX-License-Identifier: BSL-1.0
#pragma once

namespace tendril::detail {

/// Ends the calling thread's hub now, as the thread's end would. On its main fiber.
void end_thread_hub() noexcept;

} // namespace tendril::detail
