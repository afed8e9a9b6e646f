// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "crawl.hpp"

#include <ostream>

namespace demo {

/// Draws both passes as an SVG: a bar for each fetch, from its begin to its end. Above are those of
/// the pass without fibers, in one row; below, on a time axis of its own, those in fibers, a row
/// each. The picture is complete in itself and follows the viewer's light or dark colours.
void draw_timeline(std::ostream& out, const figures& sequential, const figures& concurrent);

} // namespace demo
