// SPDX-License-Identifier: BSL-1.0
// TENDRIL_STATS in a program without the shim: the library writes the file itself.
#include <tendril/fiber.hpp>

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <unistd.h>

namespace {

std::string take(const std::string& path) {
    std::ifstream file(path);
    std::string text{std::istreambuf_iterator<char>(file), {}};
    std::remove(path.c_str());
    return text;
}

TEST(statistics, are_written_at_exit_also_by_a_fiber) {
    const std::string path = testing::TempDir() + "tendril-statistics-" + std::to_string(getpid());
    EXPECT_EXIT(
        {
            setenv("TENDRIL_STATS", path.c_str(), 1);
            tendril::spawn([] {
                tendril::this_fiber::yield();
                exit(3);
            }).join();
        },
        testing::ExitedWithCode(3), "");
    const std::string text = take(path);
    EXPECT_EQ(text.rfind("{\"fibers\":1,\"switches\":", 0), 0U) << text;
    EXPECT_NE(text.find("\"join\":1"), std::string::npos) << text;
    // No shim was there to see either.
    EXPECT_NE(text.find("\"os_threads_max\":null,\"functions\":{}}"), std::string::npos) << text;
}

TEST(statistics, are_written_without_a_hub) {
    const std::string path = testing::TempDir() + "tendril-statistics-" + std::to_string(getpid());
    EXPECT_EXIT(
        {
            setenv("TENDRIL_STATS", (path + ".%p").c_str(), 1);
            fprintf(stderr, "pid %d\n", getpid());
            exit(0);
        },
        testing::ExitedWithCode(0), "pid");
    const std::string command = "cat " + path + ".* && rm " + path + ".*";
    FILE* const out = popen(command.c_str(), "r");
    ASSERT_NE(out, nullptr);
    char text[512] = "";
    EXPECT_NE(fgets(text, sizeof text, out), nullptr);
    EXPECT_EQ(pclose(out), 0);
    EXPECT_EQ(std::string(text).rfind("{\"fibers\":0,\"switches\":0,", 0), 0U) << text;
}

} // namespace
