/* Tuquan in C: an encrypted store of records on this device, which merges with those of colleagues.
 *
 * Made by `cargo xtask header` from `bindings/src/c`; what is not in this file is no interface.
 *
 * Data: requests and answers are JSON in UTF-8, the same that `bindings/c/README.md` shows; object
 * keys of one meaning have one name everywhere. Texts and bytes are given as a pointer and a length
 * (no closing zero is needed) and are only read during the call; a NULL with length 0 is empty.
 *
 * Answers: every function that can fail returns a `tq_status`; what it gives is written through the
 * last parameters, and only when the status is TQ_OK. Pointers must not overlap. Where a parameter
 * must not be NULL and is, the status is TQ_INVALID and nothing happens.
 *
 * Ownership: a handle is freed by the function named at its type, once; after that it must not be
 * used. Texts and bytes from this library are freed by tq_string_free and tq_bytes_free only.
 *
 * Threads: every function may be called on any thread, several at once on one handle, but for the
 * functions that free a handle: they must be the last on it. "Fast" takes under 5 ms, "disk" waits
 * for the storage, "network" for a network. No function calls back but for tq_set_log_sink.
 *
 * A fault of the library never crosses: it is TQ_INTERNAL, and so is every later call on that store
 * until tq_pause and tq_resume. */
#ifndef TUQUAN_H
#define TUQUAN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version that this header belongs to, and the same as one number: major * 1000000 +
 * minor * 1000 + patch. */
#define TQ_VERSION "0.1.0"
#define TQ_VERSION_NUMBER 1000

/* How a call ended: TQ_OK, or why it failed. The numbers never change. */
typedef int32_t tq_status;

/* It is done. */
#define TQ_OK 0
/* The call makes no sense as given: mend the call. */
#define TQ_INVALID 101
/* There is no such record, field or value here, or it has not arrived yet. */
#define TQ_NOT_FOUND 102
/* The store is closed or paused, or this device has no team yet. */
#define TQ_NOT_READY 103
/* The device's role or standing in the team does not allow it. */
#define TQ_FORBIDDEN 104
/* The store's key does not open it: a restored copy, or a lost key. Join again. */
#define TQ_WRONG_KEY 201
/* A page of the store is damaged: salvage it, then meet colleagues. */
#define TQ_DAMAGED 202
/* NOT saved: the phone's storage is full. Keep the text on the screen. */
#define TQ_FULL 203
/* Not sure that it was saved, or another program has the store: open it again and look. */
#define TQ_STORAGE 204
/* Made by a newer version: update the app. */
#define TQ_NEWER 205
/* Bytes from outside were refused: not ours, altered, of another team, or of one who may not. */
#define TQ_REFUSED 301
/* The network or the hub did not do it; nothing is lost, try later. */
#define TQ_NETWORK 302
/* A fault of this library, such as a panic: close the store and open it again. */
#define TQ_INTERNAL 900

/* A text of this library: `len` bytes of UTF-8 at `ptr`, which are never NULL and have a zero after
 * them. Free it with tq_string_free. */
typedef struct tq_string {
    char *ptr;
    size_t len;
} tq_string;

/* Bytes of this library: `len` of them at `ptr`, which is never NULL. Freed by tq_bytes_free. */
typedef struct tq_bytes {
    uint8_t *ptr;
    size_t len;
} tq_bytes;

/* One store of one device. Freed by tq_free. */
typedef struct tq_core tq_core;

/* One meeting with another device over a stream of the caller's. It keeps its store open, and may
 * outlive the handle of the store. Freed by tq_meeting_free. */
typedef struct tq_meeting tq_meeting;

/* A fault of the library. */
#define TQ_LOG_ERROR 0
/* Something that a person may have to do something about. */
#define TQ_LOG_WARN 1
/* What happens: opened, closed, met. */
#define TQ_LOG_INFO 2

/* Takes one line of the log, without personal data, on whatever thread has something to say. `line`
 * ends with a zero after `len` bytes and is gone after the call. It must not call this library. */
typedef void (*tq_log_sink)(void *userdata, int32_t level, const char *line, size_t len);

/* Returns the version of the library that runs, to compare with TQ_VERSION_NUMBER. Fast.
 * Any thread. */
uint32_t tq_version_number(void);

/* Gives what the library is, as JSON: `{"library":"0.1.0","commit":"...","schema":1,"protocol":1}`.
 * Fast.
 * Any thread; free out with tq_string_free. */
tq_status tq_version(tq_string *out);

/* Sets where log lines up to a level go, for the whole process; NULL for nowhere. The sink and what
 * `userdata` points to must stay until the process ends: a line may be on its way. Fast.
 * Any thread. */
tq_status tq_set_log_sink(int32_t level, tq_log_sink sink, void *userdata);

/* Frees a text of this library and sets it to NULL; nothing to do for one that is NULL. Fast.
 * Any thread, once no other uses it. */
void tq_string_free(tq_string *text);

/* Frees bytes of this library and sets them to NULL; nothing to do for NULL. Fast.
 * Any thread, once no other uses it. */
void tq_bytes_free(tq_bytes *bytes);

/* How to open a store. Texts and bytes are copied; the copy of the key is wiped. */
typedef struct tq_open_options {
    /* sizeof(tq_open_options); tells versions of it apart. */
    size_t size;
    /* The folder that holds the store's files and nothing else; made if it does not exist. */
    const char *dir;
    size_t dir_len;
    /* The store's key: 32 bytes that the device's keystore wraps. */
    const uint8_t *key;
    size_t key_len;
    /* A file outside of `dir` and of every backup, by which a copy that was put back is found out;
     * NULL for none. */
    const char *fence;
    size_t fence_len;
    /* The certificates that a hub may show, in PEM; NULL for those of the web's authorities. */
    const char *hub_roots_pem;
    size_t hub_roots_pem_len;
} tq_open_options;

/* Opens a store, which is made if it does not exist. `error`, which may be NULL, gets why not as
 * tq_last_error gives it, only if the status is not TQ_OK. Disk.
 * Any thread; lent for the call: options; free out with tq_free, error with tq_string_free. */
tq_status tq_open(const tq_open_options *options, tq_core **out, tq_string *error);

/* Makes a new store of all that can be read of a damaged one, which must be closed, and puts it in
 * its place; gives what was saved, as JSON. `error` is as of tq_open. Disk, long.
 * Any thread; lent for the call: options; free out and error with tq_string_free. */
tq_status tq_salvage(const tq_open_options *options, tq_string *out, tq_string *error);

/* Finishes writes, calls off what waits for a network and lets go of every file; calls give
 * TQ_NOT_READY until tq_resume. A second pause does nothing. Disk.
 * Any thread. */
tq_status tq_pause(tq_core *core);

/* Opens again what was paused, after TQ_INTERNAL too; once it is closed, TQ_NOT_READY. Disk.
 * Any thread. */
tq_status tq_resume(tq_core *core);

/* Pauses for good, forgets the key and ends tq_next_change. A second close does nothing; every
 * other call gives TQ_NOT_READY. The handle is still to be freed. Disk.
 * Any thread. */
tq_status tq_close(tq_core *core);

/* Frees a handle, which no thread uses any more; NULL is nothing to do. Close before, to learn
 * whether that went well. Disk.
 * Any thread, once no other uses it. */
void tq_free(tq_core *core);

/* Does one command, as JSON: `{"create":{"draft":{...}}}`; when it returns TQ_OK, it is saved.
 * Gives what it did. `request` is an id of 32 hexadecimal digits: make one for each tap, and repeat
 * with it; a repeated id gets the first answer and writes nothing. Disk.
 * Any thread; lent for the call: request, command; free out with tq_string_free. */
tq_status tq_apply(
    tq_core *core,
    const char *request,
    size_t request_len,
    const char *command,
    size_t command_len,
    tq_string *out);

/* Answers a question, as JSON: `{"list":{"kind":"incident","limit":50}}`, or `get`, `search`,
 * `conflicts`, `counts`. Fast.
 * Any thread; lent for the call: query; free out with tq_string_free. */
tq_status tq_query(tq_core *core, const char *query, size_t query_len, tq_string *out);

/* Does any other call, named in JSON with what it takes by name: `{"device":{}}`,
 * `{"set_hub":{"url":"https://..."}}`, `{"sync_hub":{}}`; the names and answers are those of all
 * languages (`bindings/c/README.md`). Those that wait for a network block until they are done or
 * tq_cancel_sync is called on another thread. Fast, disk or network, as the call is.
 * Any thread; lent for the call: call; free out with tq_string_free. */
tq_status tq_call(tq_core *core, const char *call, size_t call_len, tq_string *out);

/* Calls off every call that waits for a network; each ends with TQ_NETWORK, code `E-CANCELLED`.
 * What came stays, what was not sent stays queued. Fast.
 * Any thread. */
tq_status tq_cancel_sync(tq_core *core);

/* Waits for the next change, whoever made it, and gives it as JSON; an empty text if there is none
 * within `timeout_ms`; TQ_NOT_READY once the store is closed. Each change goes to one waiter.
 * Any thread; free out with tq_string_free. */
tq_status tq_next_change(tq_core *core, uint32_t timeout_ms, tq_string *out);

/* Gives why a call on this handle, or on a meeting of it, failed last, on whatever thread:
 * `{"kind":"not_found","code":"E-NOTFOUND","reason":"..."}`; an empty text if none has. The kind is
 * the status, the reason is for developers and is not to be shown to people. Fast.
 * Any thread; free out with tq_string_free. */
tq_status tq_last_error(tq_core *core, tq_string *out);

#ifdef TQ_TEST_DOOR
/* Panics inside, for tests: TQ_INTERNAL. Never in a shipped library.
 * Any thread. */
tq_status tq_provoke_panic(tq_core *core);
#endif

/* The side that connected. */
#define TQ_INITIATOR 1
/* The side that was connected to. */
#define TQ_RESPONDER 2
/* Send what came out, then give what comes in. */
#define TQ_MEETING_WAITS 0
/* Send what came out, then pump again with nothing: there is more to do. */
#define TQ_MEETING_GOES_ON 1
/* Send what came out; it is over. */
#define TQ_MEETING_ENDED 2
/* Send what came out; it is over, early: tq_meeting_report says why. What came stays. */
#define TQ_MEETING_FAILED 3

/* Begins a meeting with the device at the other end of a stream: `side` is TQ_INITIATOR at one end,
 * TQ_RESPONDER at the other. Fast.
 * Any thread; free out with tq_meeting_free. */
tq_status tq_meet(tq_core *core, int32_t side, tq_meeting **out);

/* Takes bytes that came in, however they were cut (none at the start, or to go on), and gives bytes
 * to send, all of them and in order, and the state: a TQ_MEETING_ number. Threads take turns. Disk.
 * Any thread; lent for the call: incoming; free outgoing with tq_bytes_free. */
tq_status tq_meeting_pump(
    tq_meeting *meeting,
    const uint8_t *incoming,
    size_t incoming_len,
    tq_bytes *outgoing,
    int32_t *state);

/* Gives what a meeting came to so far: `{"failed":null,"stats":{"sent":1,"received":2,...}}`, where
 * `failed` is as tq_last_error gives it. Fast.
 * Any thread; free out with tq_string_free. */
tq_status tq_meeting_report(tq_meeting *meeting, tq_string *out);

/* Frees a meeting, which no thread uses any more, over or not; NULL is nothing to do. What came
 * stays. Fast.
 * Any thread, once no other uses it. */
void tq_meeting_free(tq_meeting *meeting);

#ifdef __cplusplus
}
#endif

#endif
