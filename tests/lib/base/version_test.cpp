// SPDX-License-Identifier: BSL-1.0
#include <tendril/version.hpp>

#include <gtest/gtest.h>

#include <fstream>
#include <string>

namespace {

TEST(version, headers_library_and_version_file_agree) {
    std::ifstream file{TENDRIL_TEST_SOURCE_DIR "/lib/VERSION"};
    std::string written;
    ASSERT_TRUE(std::getline(file, written));

    EXPECT_EQ(written, tendril::version());
    EXPECT_EQ(written, std::to_string(TENDRIL_VERSION_MAJOR) + '.' +
                           std::to_string(TENDRIL_VERSION_MINOR) + '.' +
                           std::to_string(TENDRIL_VERSION_PATCH));
}

} // namespace
