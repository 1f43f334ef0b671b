/* Founds a team in a folder, does a command, and prints the rows of a kind: what `cargo xtask
 * new-field` has read. Knows no field. */
#include <stdio.h>
#include <string.h>

#include "tuquan.h"

/* Prints why it failed and gives what the program ends with. */
static int failed(tq_core *core, const char *what)
{
    tq_string why = {NULL, 0};
    if (core != NULL && tq_last_error(core, &why) == TQ_OK) {
        fprintf(stderr, "%s: %s\n", what, why.ptr);
    }
    return 1;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        return 2;
    }
    const char *request = "5b1f0c6de2a94d7780c3a5e91f204b66";
    const char *found = "{\"found\":{}}";
    unsigned char key[32];
    memset(key, 7, sizeof key);
    tq_open_options options;
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.dir = argv[1];
    options.dir_len = strlen(argv[1]);
    options.key = key;
    options.key_len = sizeof key;
    tq_core *core = NULL;
    tq_string out = {NULL, 0};
    if (tq_open(&options, &core, &out) != TQ_OK) {
        fprintf(stderr, "%s\n", out.ptr);
        return 1;
    }
    if (tq_call(core, found, strlen(found), &out) != TQ_OK) {
        return failed(core, "found");
    }
    tq_string_free(&out);
    if (tq_apply(core, request, strlen(request), argv[2], strlen(argv[2]), &out) != TQ_OK) {
        return failed(core, argv[2]);
    }
    tq_string_free(&out);
    if (tq_query(core, argv[3], strlen(argv[3]), &out) != TQ_OK) {
        return failed(core, argv[3]);
    }
    printf("%s\n", out.ptr);
    tq_string_free(&out);
    tq_close(core);
    tq_free(core);
    return 0;
}
