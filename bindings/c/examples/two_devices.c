/* Two devices of one team meet over a stream: two processes, two stores, one socket pair.
 *
 *     two_devices FOLDER
 *
 * The folder is there and empty. The JSON is put together by hand; an app has a library for it. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tuquan.h"

static const char *folder;
static char answer[4096];

/* Ends the process with the reason, unless a call went well. */
static void check(tq_core *core, tq_status status, const char *what)
{
    tq_string why = {NULL, 0};
    if (status != TQ_OK) {
        tq_last_error(core, &why);
        fprintf(stderr, "%s: %d %s\n", what, (int)status, why.ptr == NULL ? "" : why.ptr);
        exit(1);
    }
}

static tq_core *open_store(const char *name, unsigned char key)
{
    unsigned char bytes[32];
    char dir[600];
    tq_open_options options;
    tq_core *core = NULL;
    tq_string error = {NULL, 0};
    /* In an app: random, and kept by the system's keystore. */
    memset(bytes, key, sizeof bytes);
    snprintf(dir, sizeof dir, "%s/%s", folder, name);
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.dir = dir, options.dir_len = strlen(dir);
    options.key = bytes, options.key_len = sizeof bytes;
    if (tq_open(&options, &core, &error) != TQ_OK) {
        fprintf(stderr, "%s: %s\n", name, error.ptr);
        exit(1);
    }
    return core;
}

/* Does a call whose JSON may name the folder, and leaves its answer in `answer`. */
static void call(tq_core *core, const char *format)
{
    char json[1400];
    tq_string text = {NULL, 0};
    snprintf(json, sizeof json, format, folder, folder);
    check(core, tq_call(core, json, strlen(json), &text), json);
    snprintf(answer, sizeof answer, "%s", text.ptr);
    tq_string_free(&text);
}

/* Meets whoever is at the other end of a stream, until both have all. Reads while there is something
 * to write: the other side may be writing too, and a stream holds only so much. */
static void meet(tq_core *core, int32_t side, int stream)
{
    unsigned char incoming[16384], *pending = NULL;
    size_t waiting = 0;
    int32_t state = TQ_MEETING_GOES_ON;
    tq_meeting *meeting = NULL;
    check(core, tq_meet(core, side, &meeting), "tq_meet");
    while (state == TQ_MEETING_WAITS || state == TQ_MEETING_GOES_ON || waiting > 0) {
        ssize_t moved = 0;
        struct pollfd ready = {stream, POLLIN, 0};
        if (waiting > 0) {
            ready.events = state == TQ_MEETING_ENDED ? POLLOUT : POLLIN | POLLOUT;
        }
        if ((waiting > 0 || state == TQ_MEETING_WAITS) && poll(&ready, 1, -1) < 0) {
            exit(1);
        }
        if (ready.revents & POLLOUT) {
            moved = send(stream, pending, waiting, MSG_DONTWAIT | MSG_NOSIGNAL);
            if (moved > 0) {
                waiting -= (size_t)moved;
                memmove(pending, pending + moved, waiting);
            }
            continue;
        }
        tq_bytes out = {NULL, 0};
        if (ready.revents != 0 && (moved = read(stream, incoming, sizeof incoming)) <= 0) {
            exit(1);
        }
        check(core, tq_meeting_pump(meeting, incoming, (size_t)moved, &out, &state), "pump");
        pending = (unsigned char *)realloc(pending, waiting + out.len + 1);
        memcpy(pending + waiting, out.ptr, out.len);
        waiting += out.len;
        tq_bytes_free(&out);
    }
    free(pending);
    tq_meeting_free(meeting);
    check(core, state == TQ_MEETING_ENDED ? TQ_OK : TQ_REFUSED, "the meeting");
}

/* One device: opens its store, writes a note, meets, and tells what all its views say. */
static int device(const char *name, unsigned char key, int32_t side, int stream, const char *tap)
{
    char json[200];
    tq_string applied = {NULL, 0};
    tq_core *core = open_store(name, key);
    snprintf(json, sizeof json,
             "{\"create\":{\"draft\":{\"kind\":\"log_entry\",\"fields\":{\"note\":[\"%s\"]}}}}", name);
    check(core, tq_apply(core, tap, strlen(tap), json, strlen(json), &applied), "tq_apply");
    tq_string_free(&applied);
    meet(core, side, stream);
    call(core, "{\"view_hash\":{}}");
    printf("%s %s\n", name, answer);
    fflush(stdout);
    check(core, tq_close(core), "tq_close");
    tq_free(core);
    return 0;
}

int main(int argc, char **argv)
{
    int streams[2], status = 1;
    if (argc != 2 || socketpair(AF_UNIX, SOCK_STREAM, 0, streams) != 0) {
        return 2;
    }
    folder = argv[1];
    /* Once: one founds a team and lets the other in, by files that go from hand to hand. */
    tq_core *first = open_store("first", 1), *second = open_store("second", 2);
    call(first, "{\"found\":{}}");
    call(second, "{\"init\":{}}");
    call(second, "{\"write_card\":{\"path\":\"%s/card\"}}");
    call(first, "{\"grant\":{\"card\":\"%s/card\",\"role\":\"R1\",\"bundle\":\"%s/grant\"}}");
    call(second, "{\"import_bundle\":{\"path\":\"%s/grant\"}}");
    tq_free(first);
    tq_free(second);
    /* From then on: whenever there is a stream. */
    pid_t child = fork();
    if (child == 0) {
        close(streams[0]);
        return device("second", 2, TQ_RESPONDER, streams[1], "0123456789abcdef0123456789abcdef");
    }
    close(streams[1]);
    int mine = device("first", 1, TQ_INITIATOR, streams[0], "fedcba9876543210fedcba9876543210");
    return waitpid(child, &status, 0) == child && status == 0 ? mine : 1;
}
