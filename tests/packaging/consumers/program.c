/* SPDX-License-Identifier: BSL-1.0 */
/* As program.cpp, in C99. */
#define _GNU_SOURCE /* RTLD_DEFAULT */
#include <tendril.h>

#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>

static int shim;
static int ends[2];
static char byte = '-';

static void* read_byte(void* unused) {
    (void)unused;
    return (shim ? read(ends[0], &byte, 1) : tendril_read(ends[0], &byte, 1)) == 1 ? &byte : NULL;
}

static void* write_byte(void* text) {
    tendril_write(ends[1], text, 1);
    return NULL;
}

int main(void) {
    tendril_fiber* reader;
    void* got = NULL;
    shim = dlsym(RTLD_DEFAULT, "tendril_shim_attach_v1") != NULL;
    if (pipe(ends) != 0 || (reader = tendril_spawn(read_byte, NULL, NULL)) == NULL) {
        return 1;
    }
    tendril_detach(tendril_spawn(write_byte, "c", NULL));
    if (tendril_join(reader, &got) != 0 || got == NULL) {
        return 1;
    }
    printf("%s %s %c\n", tendril_version(), shim ? "shim" : "plain", *(char*)got);
    return 0;
}
