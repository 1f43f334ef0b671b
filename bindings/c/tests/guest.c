/* Joins, through a hub, the team of a program in another language, and syncs with it; prints the
 * digits, the note that the other wrote, and the hash of all that is here. */
#include <stdio.h>

#include "kit.h"

int main(int argc, char **argv)
{
    if (argc != 2) {
        return 2;
    }
    const char *code = argv[1];
    kit_begin();
    tq_core *core = kit_open("guest", 7, NULL);
    json_t *asked = kit_call(core, "{s:{s:s,s:i}}", "ask_to_join", "code", code, "wait_s", 30);
    printf("digits %s\n", kit_text(asked, "digits"));
    kit_call(core, "{s:{s:s,s:i}}", "finish_joining", "code", code, "wait_s", 30);
    kit_apply(core, kit_pack("{s:{s:{s:s,s:{s:[s]}}}}", "create", "draft", "kind", "log_entry",
                             "fields", "note", "Viết bằng C"));
    kit_call(core, "{s:{}}", "sync_hub");
    json_t *page = kit_query(core, "{s:{s:s}}", "list", "kind", "incident");
    printf("note %s\n", kit_text(page, "page.rows.0.fields.summary"));
    tq_string hash = {NULL, 0};
    MUST(tq_call(core, "{\"view_hash\":{}}", 16, &hash) == TQ_OK);
    printf("hash %s\n", hash.ptr);
    tq_string_free(&hash);
    MUST(tq_close(core) == TQ_OK);
    tq_free(core);
    kit_end();
    return 0;
}
