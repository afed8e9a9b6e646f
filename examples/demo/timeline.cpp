// SPDX-License-Identifier: BSL-1.0
#include "timeline.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iomanip>
#include <string>

namespace demo {

namespace {

// In the units of the picture.
constexpr double width = 1000;
constexpr double margin = 40;
constexpr double plot_width = width - 2 * margin;
constexpr double heading = 70; // the title, and what it came to
constexpr double panel_heading = 30;
constexpr double axis_height = 40;  // ticks, their numbers, and room below
constexpr double rows_height = 800; // of many rows
constexpr double highest_row = 12;
constexpr double lone_row = 48;

constexpr char style[] = R"(<style>
:root { color-scheme: light dark; }
.paper { fill: #ffffff; } text { fill: #1c1e21; font: 14px system-ui, sans-serif; }
.title { font-size: 20px; font-weight: 600; } .tick { font-size: 12px; text-anchor: middle; }
.grid { stroke: #d5d9de; } .fetch { fill: #6d7fa3; } .fetch.odd { fill: #93a2c0; }
#concurrent .fetch { fill: #1a7f4b; } #concurrent .fetch.odd { fill: #4fae7c; }
.fetch.failed, #concurrent .fetch.failed { fill: #c5362c; } .stretch { fill: #1a7f4b; opacity: .18; }
@media (prefers-color-scheme: dark) {
.paper { fill: #16181b; } text { fill: #e6e8ea; } .grid { stroke: #3a3f46; }
#concurrent .fetch { fill: #4cc38a; } #concurrent .fetch.odd { fill: #2f9465; } }
</style>
)";

/// Text as XML has it; what is not printable ASCII as in URLs.
std::string escaped(const std::string& text) {
    std::string result;
    for (const char c : text) {
        if (c == '&') {
            result += "&amp;";
        } else if (c == '<') {
            result += "&lt;";
        } else if (c == '>') {
            result += "&gt;";
        } else if (c < 0x20 || c > 0x7e) { // char is signed here, or not: both are caught
            char code[8];
            std::snprintf(code, sizeof code, "%%%02X", static_cast<unsigned>(c) & 0xffU);
            result += code;
        } else {
            result += c;
        }
    }
    return result;
}

std::string text_of(double value, const char* format = "%.2f") {
    char text[32];
    std::snprintf(text, sizeof text, format, value);
    return text;
}

/// 1, 2 or 5 times a power of ten, for about eight ticks.
double tick_step(double seconds) {
    const double least = std::max(seconds, 1e-6) / 8;
    const double power = std::pow(10, std::floor(std::log10(least)));
    for (const double factor : {1, 2, 5}) {
        if (factor * power >= least) {
            return factor * power;
        }
    }
    return 10 * power;
}

/// One pass: bars above a time axis.
class panel {
public:
    /// Each bar in the row below the one before, or all in one row.
    panel(std::ostream& out, const figures& pass, double top, bool one_row)
        : out_(out)
        , pass_(pass)
        , top_(top + panel_heading)
        , scale_(plot_width / std::max(pass.seconds, 1e-6)) {
        const auto count = static_cast<double>(std::max<std::size_t>(pass.fetches.size(), 1));
        row_height_ = one_row ? lone_row : std::min(highest_row, rows_height / count);
        next_row_ = one_row ? 0 : row_height_;
        rows_end_ = top_ + (one_row ? lone_row : row_height_ * count);
    }

    double top() const { return top_; }
    double rows_end() const { return rows_end_; }
    double bottom() const { return rows_end_ + axis_height; }
    double x(double seconds) const { return margin + seconds * scale_; }

    void title(const std::string& text) {
        out_ << "<text x=\"" << margin << "\" y=\"" << top_ - 10 << "\">" << text << "</text>\n";
    }

    void axis() {
        const double step = tick_step(pass_.seconds);
        for (int i = 0; i * step <= pass_.seconds; ++i) {
            const double at = x(i * step);
            out_ << "<line class=\"grid\" x1=\"" << at << "\" x2=\"" << at << "\" y1=\"" << top_
                 << "\" y2=\"" << rows_end_ + 5 << "\"/><text class=\"tick\" x=\"" << at
                 << "\" y=\"" << rows_end_ + 20 << "\">" << text_of(i * step, "%.4g")
                 << " s</text>\n";
        }
    }

    void bars(const char* id) {
        out_ << "<g id=\"" << id << "\">\n";
        double y = top_;
        bool odd = false;
        for (const fetched& each : pass_.fetches) {
            out_ << "<rect class=\"fetch" << (odd ? " odd" : "") << (each.failed ? " failed" : "")
                 << "\" x=\"" << x(each.begin) << "\" y=\"" << y << "\" width=\""
                 << (each.end - each.begin) * scale_ << "\" height=\"" << row_height_
                 << "\"><title>" << escaped(each.url) << (each.failed ? ", failed: " : ": ")
                 << text_of(each.begin, "%.3f") << " to " << text_of(each.end, "%.3f")
                 << " s</title></rect>\n";
            y += next_row_;
            odd = !odd;
        }
        out_ << "</g>\n";
    }

private:
    std::ostream& out_;
    const figures& pass_;
    double top_;
    double scale_;
    double row_height_;
    double next_row_;
    double rows_end_;
};

/// From the part of the upper panel that the lower one stretches, down to the lower one.
void draw_stretch(std::ostream& out, const panel& above, const panel& below, double seconds) {
    const double right = std::min(above.x(seconds), margin + plot_width);
    out << "<path class=\"stretch\" d=\"M " << margin << ' ' << above.top() << " H " << right
        << " V " << above.rows_end() << " L " << margin + plot_width << ' ' << below.top() << " H "
        << margin << " Z\"/>\n";
}

} // namespace

void draw_timeline(std::ostream& out, const figures& sequential, const figures& concurrent) {
    const std::string what = std::to_string(concurrent.pages) + " pages, by a client that blocks";
    const std::string slow = "One after the other: " + text_of(sequential.seconds) + " s";
    const std::string fast =
        "The same code in fibers of one thread: " + text_of(concurrent.seconds) +
        " s, here with a time axis of its own";
    panel above(out, sequential, heading, true);
    panel below(out, concurrent, above.bottom(), false);

    out << std::fixed << std::setprecision(3);
    out << "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-labelledby=\"what how\" "
        << "viewBox=\"0 0 " << width << ' ' << below.bottom() << "\">\n<title id=\"what\">" << what
        << "</title>\n<desc id=\"how\">A bar is a fetch, from its begin to its end. " << slow
        << ". " << fast << ".</desc>\n"
        << style << "<rect class=\"paper\" width=\"" << width << "\" height=\"" << below.bottom()
        << "\"/>\n<text class=\"title\" x=\"" << margin << "\" y=\"36\">" << what << "</text>\n";
    draw_stretch(out, above, below, concurrent.seconds);
    above.title(slow);
    above.axis();
    above.bars("sequential");
    below.title(fast);
    below.axis();
    below.bars("concurrent");
    out << "</svg>\n";
}

} // namespace demo
