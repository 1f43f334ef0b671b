#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tuquan.h"

/* Does a call; returns its answer, to be freed with tq_string_free. */
static tq_string call(tq_core *core, const char *json)
{
    tq_string out = {NULL, 0};
    if (tq_call(core, json, strlen(json), &out) != TQ_OK) {
        tq_last_error(core, &out);
        fprintf(stderr, "%s\n", out.ptr);
        exit(1);
    }
    return out;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        return 2;
    }
    /* On a phone the keystore keeps these 32 bytes; whoever has them can read the store. */
    unsigned char key[32];
    FILE *random = fopen("/dev/urandom", "rb");
    if (random == NULL || fread(key, 1, sizeof key, random) != sizeof key) {
        return 1;
    }
    fclose(random);
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
    out = call(core, "{\"found\":{}}");
    tq_string_free(&out);
    /* A new one for each tap. When this returns TQ_OK, the note is on the disk. */
    const char *tap = "5b1f0c6de2a94d7780c3a5e91f204b66";
    const char *note = "{\"create\":{\"draft\":{\"kind\":\"incident\",\"fields\":{"
                       "\"category\":\"hazard\",\"summary\":\"Ổ điện hành lang bị chập\"}}}}";
    if (tq_apply(core, tap, strlen(tap), note, strlen(note), &out) != TQ_OK) {
        return 1;
    }
    tq_string_free(&out);
    out = call(core, "{\"list\":{\"list\":{\"kind\":\"incident\",\"limit\":50}}}");
    printf("%s\n", out.ptr);
    tq_string_free(&out);
    char json[300];
    snprintf(json, sizeof json, "{\"set_hub\":{\"url\":\"%s\"}}", argv[2]);
    out = call(core, json);
    tq_string_free(&out);
    out = call(core, "{\"sync_hub\":{}}");
    printf("%s\n", out.ptr);
    tq_string_free(&out);
    tq_close(core);
    tq_free(core);
    return 0;
}
