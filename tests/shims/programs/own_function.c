// SPDX-License-Identifier: BSL-1.0
// Brings its own closefrom(), as ssh does for systems that have none.
#include <stdio.h>

void closefrom(int from) {
    (void)from;
    printf("its own\n");
}

int main(void) {
    closefrom(3);
}
