// SPDX-License-Identifier: BSL-1.0
// Another program: says which of the fds that it inherited are O_NONBLOCK ('N'), blocking ('b') or
// not open ('-').
#include <cstdlib>
#include <fcntl.h>
#include <unistd.h>

int main(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
        const int flags = ::fcntl(std::atoi(argv[i]), F_GETFL);
        const char* const said = flags < 0 ? "-" : (flags & O_NONBLOCK) != 0 ? "N" : "b";
        if (::write(1, said, 1) != 1) {
            return 1;
        }
    }
    return 0;
}
