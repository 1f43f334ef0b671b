/* The golden journey in C, step by step as bindings/python/tests/journey.py goes it.
 *
 * Writes what it found as `result.json`; `bindings/journey/expected.json` is what must be found. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "kit.h"

#define MINUTE_MS 60000LL
/* 2026-05-04 08:00 +07:00, a Monday. */
#define MORNING_MS 1777856400000LL

static json_t *found;

/* Notes what was found, made as json_pack does. */
#define FOUND(name, ...) json_object_set(found, name, kit_pack(__VA_ARGS__))

static const char *create(tq_core *core, const char *kind, json_t *fields, const char *key)
{
    json_t *command = kit_pack("{s:{s:{s:s,s:O},s:s?}}", "create", "draft", "kind", kind, "fields",
                               fields, "key", key);
    return kit_text(kit_apply(core, command), "record");
}

static json_t *incident(const char *category, const char *summary, const char *place, int minutes)
{
    return kit_pack("{s:s,s:s,s:s,s:I}", "category", category, "summary", summary, "place", place,
                    "t_occ", (json_int_t)(MORNING_MS + minutes * MINUTE_MS));
}

static void edit(tq_core *core, const char *record, const char *field, const char *value)
{
    kit_apply(core, kit_pack("{s:{s:s,s:{s:s}}}", "edit", "record", record, "set", field, value));
}

static json_t *get(tq_core *core, const char *record)
{
    return kit_at(kit_query(core, "{s:{s:s}}", "get", "record", record), "record");
}

static bool same(const char *one, const char *other)
{
    return one[0] != '\0' && strcmp(one, other) == 0;
}

/* One end of a meeting. */
struct end {
    tq_meeting *meeting;
    tq_bytes incoming;
    bool ended;
};

/* Lets one end do what it can, and gives what it says to the other. */
static void turn(struct end *end, struct end *other)
{
    tq_bytes outgoing = {NULL, 0};
    int32_t state = -1;
    MUST(tq_meeting_pump(end->meeting, end->incoming.ptr, end->incoming.len, &outgoing, &state) ==
         TQ_OK);
    MUST(state != TQ_MEETING_FAILED);
    end->ended = state == TQ_MEETING_ENDED;
    end->incoming.len = 0;
    if (outgoing.len > 0) {
        tq_bytes *to = &other->incoming;
        to->ptr = realloc(to->ptr, to->len + outgoing.len);
        MUST(to->ptr != NULL);
        memcpy(to->ptr + to->len, outgoing.ptr, outgoing.len);
        to->len += outgoing.len;
    }
    tq_bytes_free(&outgoing);
    tq_bytes_free(&outgoing);
}

/* Brings two stores together; returns how many entries went both ways. */
static json_int_t pump(tq_core *a, tq_core *b)
{
    struct end one = {NULL, {NULL, 0}, false}, other = {NULL, {NULL, 0}, false};
    tq_string report = {NULL, 0};
    MUST(tq_meet(a, TQ_INITIATOR, &one.meeting) == TQ_OK);
    MUST(tq_meet(b, TQ_RESPONDER, &other.meeting) == TQ_OK);
    while (!one.ended || !other.ended) {
        if (!one.ended) {
            turn(&one, &other);
        }
        if (!other.ended) {
            turn(&other, &one);
        }
    }
    MUST(tq_meeting_report(one.meeting, &report) == TQ_OK);
    json_t *said = kit_read(&report);
    MUST(json_is_null(kit_at(said, "failed")));
    tq_meeting_free(one.meeting);
    tq_meeting_free(other.meeting);
    free(one.incoming.ptr);
    free(other.incoming.ptr);
    return kit_int(said, "stats.sent") + kit_int(said, "stats.received");
}

/* What the log said, on whatever thread. */
struct lines {
    pthread_mutex_t lock;
    bool opened, closed;
};

static void take_line(void *userdata, int32_t level, const char *line, size_t len)
{
    struct lines *lines = userdata;
    MUST(level >= TQ_LOG_ERROR && level <= TQ_LOG_INFO && strlen(line) == len);
    pthread_mutex_lock(&lines->lock);
    lines->opened |= strcmp(line, "opened") == 0;
    lines->closed |= strcmp(line, "closed") == 0;
    pthread_mutex_unlock(&lines->lock);
}

/* 1. Version, log lines, two stores; one founds a team. */
static void opened(struct lines *lines, tq_core **a, tq_core **b)
{
    tq_string text = {NULL, 0};
    MUST(tq_version(&text) == TQ_OK);
    json_t *version = kit_read(&text);
    MUST(same(kit_text(version, "library"), TQ_VERSION));
    int major = 0, minor = 0, patch = 0;
    MUST(sscanf(TQ_VERSION, "%d.%d.%d", &major, &minor, &patch) == 3);
    MUST(tq_version_number() == TQ_VERSION_NUMBER);
    MUST(TQ_VERSION_NUMBER == major * 1000000 + minor * 1000 + patch);
    FOUND("version", "[O,O]", kit_at(version, "schema"), kit_at(version, "protocol"));
    MUST(tq_set_log_sink(TQ_LOG_INFO, take_line, lines) == TQ_OK);
    MUST(tq_set_log_sink(7, take_line, lines) == TQ_INVALID);
    *a = kit_open("a", 1, "a.fence");
    *b = kit_open("b", 2, "b.fence");
    json_t *founder = kit_call(*a, "{s:{}}", "found");
    json_t *newcomer = kit_call(*b, "{s:{}}", "init");
    FOUND("founded", "[O,b,b]", kit_at(founder, "role"), json_is_null(kit_at(newcomer, "space")),
          json_equal(kit_call(*a, "{s:{}}", "device"), founder));
}

/* 2. A place by natural key, three incidents, a repeated tap. */
static void logged(tq_core *a, const char **theft, const char **noise, const char **hazard)
{
    json_t *fields = kit_pack("{s:s,s:s}", "name", "Nhà B2", "kind", "building");
    const char *place = create(a, "place", fields, "B2");
    json_t *natural = kit_call(a, "{s:{s:s,s:s}}", "natural", "kind", "place", "key", "B2");
    FOUND("natural", "b", same(json_string_value(natural), place));
    const char *request = kit_request();
    fields = incident("theft", "Mất trộm xe đạp ở nhà B2", place, 0);
    json_t *tap = kit_pack("{s:{s:{s:s,s:O}}}", "create", "draft", "kind", "incident", "fields", fields);
    json_t *first = kit_apply_as(a, request, tap);
    FOUND("repeated_tap", "b", json_equal(kit_apply_as(a, request, tap), first));
    *theft = kit_text(first, "record");
    *noise = create(a, "incident", incident("noise", "Ồn ào sau 23 giờ", place, 1), NULL);
    fields = incident("hazard", "Ổ điện hành lang bị chập", place, 2);
    json_object_set_new(fields, "priority", json_string("urgent"));
    *hazard = create(a, "incident", fields, NULL);
}

/* 3. Typed rows, keyset pages, search, counts, figures, codes. */
static void read_back(tq_core *a, const char *theft, const char *hazard)
{
    json_t *first = kit_call(a, "{s:{s:{s:s,s:i}}}", "list", "list", "kind", "incident", "limit", 2);
    json_t *second = kit_query(a, "{s:{s:s,s:i,s:O}}", "list", "kind", "incident", "limit", 2,
                               "after", kit_at(first, "next"));
    second = kit_at(second, "page");
    FOUND("pages", "[i,i,b]", (int)json_array_size(kit_at(first, "rows")),
          (int)json_array_size(kit_at(second, "rows")), json_is_null(kit_at(second, "next")));
    json_t *rows[] = {kit_at(first, "rows.0"), kit_at(first, "rows.1"), kit_at(second, "rows.0")};
    json_t *summaries = kit_pack("[]"), *urgent = kit_pack("[]");
    for (size_t at = 0; at < 3; at++) {
        json_array_append(summaries, kit_at(rows[at], "fields.summary"));
        bool is_urgent = same(kit_text(rows[at], "fields.priority"), "urgent");
        json_array_append_new(urgent, json_boolean(is_urgent));
    }
    FOUND("summaries", "O", summaries);
    FOUND("urgent", "O", urgent);
    json_t *hits = kit_call(a, "{s:{s:{s:s,s:i}}}", "search", "search", "text", "trom xe", "limit", 50);
    FOUND("search", "[i,b]", (int)json_array_size(hits), same(kit_text(hits, "0.record"), theft));
    json_t *counts = kit_call(a, "{s:{s:{s:s,s:[s],s:b}}}", "counts", "counts", "kind", "incident",
                              "by", "category", "by_week", 1);
    json_t *cells = kit_pack("[]"), *cell;
    size_t at;
    json_array_foreach(counts, at, cell) {
        json_array_append(cells, kit_pack("[O,O]", kit_at(cell, "by.0"), kit_at(cell, "count")));
    }
    FOUND("counts", "O", kit_sorted(cells));
    json_t *parts = kit_call(a, "{s:{s:{s:I,s:I},s:s}}", "figures", "window", "from_ms",
                             (json_int_t)MORNING_MS, "to_ms", (json_int_t)(MORNING_MS + 86400000),
                             "cut", "category");
    json_int_t new = 0;
    json_t *part;
    json_array_foreach(parts, at, part) {
        new += kit_int(part, "figures.new");
    }
    FOUND("figures", "[i,I]", (int)json_array_size(parts), new);
    json_t *code = kit_call(a, "{s:{s:s}}", "code", "record", hazard);
    json_t *meant = kit_call(a, "{s:{s:O,s:i}}", "find", "text", code, "limit", 5);
    FOUND("code", "[b,b]", strncmp(json_string_value(code), "B2-", 3) == 0,
          json_equal(meant, kit_pack("[s]", hazard)));
    json_t *whole = kit_call(a, "{s:{s:s}}", "get", "record", hazard);
    FOUND("got", "[O,O,b]", kit_at(whole, "kind"), kit_at(whole, "in_conflict"),
          json_is_null(get(a, "00000000000000000000000000000000")));
}

/* 4. Joining by codes: the digits are equal on both sides; then by frames. */
static void joined(tq_core *a, tq_core *b)
{
    const char *invite = "{s:{s:{s:s}}}";
    json_t *given_up = kit_call(a, invite, "invite", "options", "role", "R2");
    kit_call(b, "{s:{s:O}}", "accept_invitation", "code", kit_at(given_up, "code"));
    kit_call(b, "{s:{}}", "give_up_joining");
    json_t *invitation = kit_call(a, invite, "invite", "options", "role", "R2");
    json_t *request = kit_call(b, "{s:{s:O}}", "accept_invitation", "code", kit_at(invitation, "code"));
    json_t *newcomer = kit_call(a, "{s:{s:O}}", "take_request", "code", request);
    json_t *revealed = kit_call(b, "{s:{s:O}}", "take_reveal", "code", kit_at(newcomer, "reveal"));
    FOUND("digits", "[i,b]", (int)strlen(kit_text(revealed, "digits")),
          same(kit_text(revealed, "digits"), kit_text(newcomer, "digits")));
    const char *welcome = kit_path("welcome.tqb"), *scanned = kit_path("scanned.tqb");
    json_t *admitted = kit_call(a, "{s:{s:O,s:s,s:s}}", "admit", "invitation",
                                kit_at(newcomer, "invitation"), "compared", "equal", "welcome", welcome);
    json_t *device = kit_call(b, "{s:{}}", "device");
    FOUND("admitted", "[b,b]", same(kit_text(admitted, "rights"), "writer"),
          same(kit_text(admitted, "device"), kit_text(device, "device")));
    json_t *frames = kit_call(a, "{s:{s:s}}", "frames_of", "path", welcome);
    json_t *some = json_copy(frames);
    json_array_remove(some, 0);
    json_t *missing = kit_call(b, "{s:{s:O,s:s}}", "file_of", "frames", some, "path", scanned);
    json_decref(some);
    FOUND("frames_missing", "b", json_equal(missing, kit_pack("[i]", 1)));
    kit_call(b, "{s:{s:O,s:s}}", "file_of", "frames", frames, "path", scanned);
    json_t *entered = kit_call(b, "{s:{s:s}}", "enter", "welcome", scanned);
    FOUND("joined", "b", kit_int(entered, "entries") > 0);
    json_t *members = kit_pack("[]"), *member;
    size_t at;
    json_array_foreach(kit_call(b, "{s:{}}", "members"), at, member) {
        json_array_append(members, kit_pack("[O,O]", kit_at(member, "role"), kit_at(member, "is_this")));
    }
    FOUND("members", "O", kit_sorted(members));
}

/* 5. Both edit at once, meet through a pump; a person picks; all is equal. */
static void merged(tq_core *a, tq_core *b, const char *theft)
{
    pump(a, b);
    edit(a, theft, "category", "lostfound");
    edit(b, theft, "category", "outsider");
    FOUND("pumped", "b", pump(a, b) > 0);
    json_t *rivals = kit_pack("[]"), *row;
    tq_core *stores[] = {a, b};
    size_t at;
    for (size_t store = 0; store < 2; store++) {
        json_array_foreach(kit_call(stores[store], "{s:{s:i}}", "conflicts", "limit", 10), at, row) {
            json_array_append(rivals, kit_sorted(kit_at(row, "conflicts.category")));
        }
    }
    FOUND("conflicts", "O", kit_sorted(rivals));
    kit_apply(b, kit_pack("{s:{s:s,s:s,s:s,s:s}}", "resolve", "record", theft, "field", "category",
                          "pick", "outsider", "reason", "Đã xem camera"));
    pump(a, b);
    json_t *left = kit_call(a, "{s:{s:i}}", "conflicts", "limit", 10);
    FOUND("resolved", "[i,O]", (int)json_array_size(left), kit_at(get(a, theft), "fields.category"));
    FOUND("identical", "b",
          json_equal(kit_call(a, "{s:{}}", "view_hash"), kit_call(b, "{s:{}}", "view_hash")));
    json_t *device = kit_at(kit_call(b, "{s:{}}", "device"), "device");
    json_t *held = kit_call(a, "{s:{s:s}}", "held_elsewhere", "record", theft);
    FOUND("held_elsewhere", "b", json_equal(held, kit_pack("[O]", device)));
}

/* A call that waits on a thread of its own. */
struct waiting {
    pthread_t thread;
    tq_core *core;
    json_t *code;
    json_t *answer;
    tq_status status;
};

static void *wait_for_news(void *of)
{
    struct waiting *waiting = of;
    waiting->status = kit_try(waiting->core, "{s:{s:i}}", "wait_for_news", "wait_s", 50);
    return NULL;
}

static void pause_ms(long ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

/* 6. Through the hub: sync both ways, a photo, news, cancelling. */
static void at_the_hub(tq_core *a, tq_core *b, const char *noise)
{
    const char *hub = kit_given("TUQUAN_HUB");
    FOUND("no_hub", "s", kit_why(a, kit_try(a, "{s:{}}", "sync_hub")));
    kit_call(a, "{s:{s:s}}", "set_hub", "url", hub);
    kit_call(b, "{s:{s:s}}", "set_hub", "url", hub);
    json_t *photo = kit_pack("s++", kit_given("TUQUAN_JOURNEY"), "/photo", ".png");
    json_t *applied = kit_call(a, "{s:{s:s,s:s,s:O}}", "attach", "request", kit_request(), "record",
                               noise, "path", photo);
    FOUND("attached", "b", same(kit_text(applied, "record"), noise));
    json_t *met = kit_call(a, "{s:{}}", "sync_hub");
    FOUND("given", "[b,O]", kit_int(met, "stats.sent_packs") > 0, kit_at(met, "hub_older"));
    FOUND("at_hub", "O", kit_call(a, "{s:{s:s}}", "at_hub", "record", noise));
    met = kit_call(b, "{s:{}}", "sync_hub");
    FOUND("fetched", "b", kit_int(met, "stats.received_packs") > 0);
    json_t *photos = kit_call(b, "{s:{s:s}}", "attachments", "record", noise);
    json_t *key = kit_at(photos, "0.key");
    json_t *state = kit_call(b, "{s:{s:s,s:O,s:s}}", "save_photo", "record", noise, "key", key,
                             "path", kit_path("photo.out"));
    struct stat saved;
    MUST(stat(kit_path("photo.out"), &saved) == 0);
    FOUND("photo", "[i,b]", (int)json_array_size(photos),
          kit_int(state, "whole.bytes") == (json_int_t)saved.st_size);
    kit_call(b, "{s:{s:s,s:s,s:O}}", "detach", "request", kit_request(), "record", noise, "key", key);
    photos = kit_call(b, "{s:{s:s}}", "attachments", "record", noise);
    FOUND("detached", "i", (int)json_array_size(photos));
    kit_call(b, "{s:{}}", "sync_hub");
    FOUND("news", "O", kit_call(a, "{s:{s:i}}", "wait_for_news", "wait_s", 5));
    kit_call(a, "{s:{}}", "sync_hub");
    photos = kit_call(a, "{s:{s:s}}", "attachments", "record", noise);
    FOUND("no_photo", "i", (int)json_array_size(photos));
    kit_call(b, "{s:{}}", "sync_hub");
    struct waiting waiting = {.core = b};
    MUST(pthread_create(&waiting.thread, NULL, wait_for_news, &waiting) == 0);
    pause_ms(200);
    MUST(tq_cancel_sync(b) == TQ_OK);
    MUST(pthread_join(waiting.thread, NULL) == 0);
    FOUND("cancelled", "s", kit_why(b, waiting.status));
}

static void *ask_to_join(void *of)
{
    struct waiting *waiting = of;
    waiting->answer =
        kit_call(waiting->core, "{s:{s:O,s:i}}", "ask_to_join", "code", waiting->code, "wait_s", 30);
    return NULL;
}

/* 7. A third device joins through the hub's mailbox, and is removed again. */
static void joined_at_the_hub(tq_core *a)
{
    tq_core *c = kit_open("c", 3, NULL);
    json_t *invitation = kit_call(a, "{s:{s:{s:s,s:b,s:s}}}", "invite", "options", "role", "R1",
                                  "own_device", 1, "hub_url", kit_given("TUQUAN_HUB"));
    json_t *code = kit_at(invitation, "code");
    struct waiting asking = {.core = c, .code = code};
    MUST(pthread_create(&asking.thread, NULL, ask_to_join, &asking) == 0);
    json_t *newcomer = kit_call(a, "{s:{s:O,s:i}}", "await_newcomer", "code", code, "wait_s", 30);
    MUST(pthread_join(asking.thread, NULL) == 0);
    json_t *admitted = kit_call(a, "{s:{s:O,s:O,s:s}}", "admit_at_hub", "code", code, "invitation",
                                kit_at(newcomer, "invitation"), "compared", "equal");
    json_t *joining = kit_call(c, "{s:{s:O,s:i}}", "finish_joining", "code", code, "wait_s", 30);
    json_t *own = kit_call(a, "{s:{}}", "device"), *other = kit_call(c, "{s:{}}", "device");
    FOUND("joined_at_hub", "[b,b,b,b]",
          same(kit_text(asking.answer, "digits"), kit_text(newcomer, "digits")),
          same(kit_text(admitted, "rights"), "writer"), kit_int(joining, "entries") > 0,
          same(kit_text(own, "person"), kit_text(other, "person")));
    json_t *device = kit_at(admitted, "device");
    kit_call(a, "{s:{s:O,s:s,s:s}}", "set_role", "device", device, "rights", "writer", "role", "R2");
    kit_call(a, "{s:{s:O}}", "remove", "device", device);
    json_t *states = kit_pack("[]"), *member;
    size_t at;
    json_array_foreach(kit_call(a, "{s:{}}", "members"), at, member) {
        json_array_append(states, kit_at(member, "status"));
    }
    FOUND("removed", "O", kit_sorted(states));
    /* What it writes before it hears of it is kept apart, shown, and accepted by a person. */
    create(c, "log_entry", kit_pack("{s:[s]}", "note", "Viết sau khi bị gỡ"), NULL);
    kit_call(c, "{s:{s:s}}", "export_bundle", "path", kit_path("late.tqb"));
    json_t *report = kit_call(a, "{s:{s:s}}", "import_bundle", "path", kit_path("late.tqb"));
    json_t *apart = kit_call(a, "{s:{}}", "quarantined");
    json_t *log = kit_at(apart, "0.log");
    json_t *said = kit_call(a, "{s:{s:O,s:i}}", "review", "log", log, "limit", 10);
    FOUND("quarantined", "[O,i,b]", kit_at(report, "complete"), (int)json_array_size(apart),
          json_array_size(said) > 0);
    kit_call(a, "{s:{s:O,s:O}}", "accept_quarantined", "log", log, "last", kit_at(apart, "0.last"));
    FOUND("accepted", "i", (int)json_array_size(kit_call(a, "{s:{}}", "quarantined")));
    MUST(tq_close(c) == TQ_OK);
    tq_free(c);
}

/* 8. On the local network: served, looked for, met by address. By card and bundle. */
static void near_by(tq_core *a, tq_core *b)
{
    json_t *address =
        kit_call(a, "{s:{s:s,s:b}}", "serve_lan", "address", "127.0.0.1:0", "announce", 1);
    FOUND("phones", "b", json_is_array(kit_call(b, "{s:{s:i}}", "find_phones", "wait_s", 1)));
    json_t *stats = kit_call(b, "{s:{s:O}}", "meet_lan", "address", address);
    FOUND("met_lan", "b", kit_int(stats, "received") > 0);
    MUST(tq_cancel_sync(a) == TQ_OK);
    tq_core *d = kit_open("d", 4, NULL);
    json_t *device = kit_at(kit_call(d, "{s:{}}", "init"), "device");
    const char *card = kit_path("d.tqd"), *bundle = kit_path("grant.tqb");
    kit_call(d, "{s:{s:s}}", "write_card", "path", card);
    json_t *granted =
        kit_call(a, "{s:{s:s,s:s,s:s}}", "grant", "card", card, "role", "R3", "bundle", bundle);
    FOUND("granted", "b", json_equal(granted, device));
    json_t *report = kit_call(d, "{s:{s:s}}", "import_bundle", "path", bundle);
    FOUND("by_card", "O", kit_at(report, "joined"));
    MUST(tq_close(d) == TQ_OK);
    tq_free(d);
}

static void *listen_to(void *of)
{
    struct waiting *waiting = of;
    tq_string change = {NULL, 0};
    waiting->answer = kit_pack("[]");
    while ((waiting->status = tq_next_change(waiting->core, 50, &change)) == TQ_OK) {
        if (change.len > 0) {
            json_array_append(waiting->answer, kit_read(&change));
        }
        tq_string_free(&change);
    }
    return NULL;
}

/* 9. What changed is told, and the stream ends when the store closes. */
static void told(tq_core *a)
{
    struct waiting listening = {.core = a};
    MUST(pthread_create(&listening.thread, NULL, listen_to, &listening) == 0);
    const char *note = create(a, "log_entry", kit_pack("{s:[s]}", "note", "Đổi ca"), NULL);
    FOUND("truth", "b", kit_int(kit_call(a, "{s:{}}", "truth"), "only_here") > 0);
    FOUND("reset", "O", kit_at(kit_call(a, "{s:{}}", "safe_to_reset"), "safe"));
    json_t *stats = kit_call(a, "{s:{}}", "stats");
    FOUND("stats", "[O,O,O]", kit_at(stats, "conflicts"), kit_at(stats, "damaged"),
          kit_at(stats, "pending"));
    json_t *checked = kit_call(a, "{s:{}}", "doctor");
    FOUND("doctor", "[O,O]", kit_at(checked, "pages_ok"), kit_at(checked, "views_ok"));
    FOUND("restored", "O", kit_call(a, "{s:{}}", "take_restored"));
    pause_ms(200);
    MUST(tq_close(a) == TQ_OK);
    MUST(tq_close(a) == TQ_OK);
    MUST(pthread_join(listening.thread, NULL) == 0);
    MUST(listening.status == TQ_NOT_READY);
    bool is_told = false;
    json_t *change;
    size_t at;
    json_array_foreach(listening.answer, at, change) {
        is_told |= same(kit_text(change, "record.changed.record"), note);
    }
    FOUND("told", "b", is_told);
}

/* Opens what must not open; returns why not. */
static const char *not_opened(tq_open_options options)
{
    tq_core *core = NULL;
    tq_string error = {NULL, 0};
    tq_status status = tq_open(&options, &core, &error);
    MUST(core == NULL);
    return kit_why_not_opened(status, &error);
}

/* 10. Closed, reopened, wrong key, busy, paused, bad calls, a panic that is caught. */
static void reopened(tq_core *a, tq_core *b, const char *theft)
{
    FOUND("after_close", "s", kit_why(a, kit_try(a, "{s:{}}", "stats")));
    tq_free(a);
    FOUND("wrong_key", "s", not_opened(kit_options("a", 9, NULL)));
    tq_open_options options = kit_options("a", 1, NULL);
    options.key_len = 5;
    FOUND("short_key", "s", not_opened(options));
    tq_core *again = kit_open("a", 1, "a.fence");
    FOUND("reopened", "O", kit_at(get(again, theft), "fields.summary"));
    FOUND("busy", "s", not_opened(kit_options("a", 1, NULL)));
    json_t *closing = kit_pack("{s:{s:s,s:s}}", "transition", "record", theft, "to", "closed");
    tq_status status = kit_try(again, "{s:{s:s,s:O}}", "apply", "request", kit_request(), "command", closing);
    FOUND("invalid", "s", kit_why(again, status));
    FOUND("bad_id", "s", kit_why(again, kit_try(again, "{s:{s:s}}", "get", "record", "no id")));
    MUST(tq_pause(b) == TQ_OK);
    MUST(tq_pause(b) == TQ_OK);
    FOUND("paused", "s", kit_why(b, kit_try(b, "{s:{}}", "device")));
    MUST(tq_resume(b) == TQ_OK);
    FOUND("resumed", "O", kit_at(kit_call(b, "{s:{}}", "device"), "role"));
    FOUND("panic", "s", kit_why(b, tq_provoke_panic(b)));
    FOUND("after_panic", "s", kit_why(b, kit_try(b, "{s:{}}", "device")));
    MUST(tq_pause(b) == TQ_OK);
    MUST(tq_resume(b) == TQ_OK);
    FOUND("mended", "O", kit_at(kit_call(b, "{s:{}}", "device"), "role"));
    MUST(tq_close(again) == TQ_OK);
    tq_free(again);
    options = kit_options("a", 1, "a.fence");
    tq_string text = {NULL, 0}, error = {NULL, 0};
    MUST(tq_salvage(&options, &text, &error) == TQ_OK && error.ptr == NULL);
    json_t *salvaged = kit_read(&text);
    FOUND("salvaged", "b", json_equal(kit_at(salvaged, "recovered"), kit_at(salvaged, "of")));
    MUST(tq_close(b) == TQ_OK);
}

/* 11. What only C can do wrong: NULL, what is no text, options of another version. */
static void misused(tq_core *closed)
{
    tq_string text = {NULL, 0};
    tq_open_options options = kit_options("e", 6, NULL);
    tq_core *core = NULL;
    tq_meeting *meeting = NULL;
    MUST(tq_call(NULL, "{}", 2, &text) == TQ_INVALID && text.ptr == NULL);
    MUST(tq_query(NULL, "{}", 2, &text) == TQ_INVALID);
    MUST(tq_apply(NULL, NULL, 0, NULL, 0, NULL) == TQ_INVALID);
    MUST(tq_pause(NULL) == TQ_INVALID && tq_resume(NULL) == TQ_INVALID);
    MUST(tq_close(NULL) == TQ_INVALID && tq_cancel_sync(NULL) == TQ_INVALID);
    MUST(tq_next_change(NULL, 0, &text) == TQ_INVALID && tq_last_error(NULL, &text) == TQ_INVALID);
    MUST(tq_meet(NULL, TQ_INITIATOR, &meeting) == TQ_INVALID && meeting == NULL);
    MUST(tq_meeting_pump(NULL, NULL, 0, NULL, NULL) == TQ_INVALID);
    MUST(tq_meeting_report(NULL, &text) == TQ_INVALID && tq_version(NULL) == TQ_INVALID);
    MUST(tq_open(NULL, &core, NULL) == TQ_INVALID && tq_open(&options, NULL, NULL) == TQ_INVALID);
    MUST(tq_salvage(NULL, NULL, NULL) == TQ_INVALID);
    options.size -= 1;
    MUST(tq_open(&options, &core, NULL) == TQ_INVALID && core == NULL);
    tq_free(NULL);
    tq_meeting_free(NULL);
    tq_string_free(NULL);
    tq_bytes_free(NULL);
    MUST(tq_call(closed, NULL, 3, &text) == TQ_INVALID);
    MUST(tq_call(closed, "\xc3\x28", 2, &text) == TQ_INVALID);
    MUST(kit_try(closed, "{s:{}}", "no_such_call") == TQ_INVALID);
    MUST(kit_try(closed, "{s:{},s:{}}", "stats", "device") == TQ_INVALID);
    MUST(kit_try(closed, "{s:{s:i}}", "stats", "more", 1) == TQ_INVALID);
    MUST(tq_call(closed, "{\"stats\":{}}", 12, NULL) == TQ_INVALID);
    MUST(kit_try(closed, "{s:{}}", "stats") == TQ_NOT_READY);
    MUST(tq_resume(closed) == TQ_NOT_READY && tq_next_change(closed, 0, &text) == TQ_NOT_READY);
    MUST(tq_meet(closed, 3, &meeting) == TQ_INVALID);
    MUST(tq_meet(closed, TQ_INITIATOR, &meeting) == TQ_NOT_READY && meeting == NULL);
    MUST(text.ptr == NULL);
}

int main(void)
{
    static struct lines lines = {PTHREAD_MUTEX_INITIALIZER, false, false};
    tq_core *a = NULL, *b = NULL;
    const char *theft = NULL, *noise = NULL, *hazard = NULL;
    kit_begin();
    found = kit_pack("{}");
    opened(&lines, &a, &b);
    logged(a, &theft, &noise, &hazard);
    read_back(a, theft, hazard);
    joined(a, b);
    merged(a, b, theft);
    at_the_hub(a, b, noise);
    joined_at_the_hub(a);
    near_by(a, b);
    told(a);
    reopened(a, b, theft);
    FOUND("log_lines", "b", lines.opened && lines.closed);
    MUST(tq_set_log_sink(TQ_LOG_ERROR, NULL, NULL) == TQ_OK);
    misused(b);
    tq_free(b);
    MUST(json_dump_file(found, kit_path("result.json"), JSON_INDENT(2)) == 0);
    kit_end();
    return 0;
}
