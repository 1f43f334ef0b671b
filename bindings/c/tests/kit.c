#include "kit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *kept;
static pthread_mutex_t keeping = PTHREAD_MUTEX_INITIALIZER;

void kit_must(bool holds, const char *what, const char *file, int line)
{
    if (!holds) {
        fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
        exit(1);
    }
}

/* Returns a value that lives to the end of the run. */
static json_t *keep(json_t *value)
{
    MUST(value != NULL);
    pthread_mutex_lock(&keeping);
    MUST(json_array_append_new(kept, value) == 0);
    pthread_mutex_unlock(&keeping);
    return value;
}

void kit_begin(void)
{
    kept = json_array();
}

void kit_end(void)
{
    json_decref(kept);
}

const char *kit_given(const char *name)
{
    const char *value = getenv(name);
    if (value == NULL) {
        fprintf(stderr, "%s is not set\n", name);
        exit(1);
    }
    return value;
}

const char *kit_path(const char *name)
{
    return json_string_value(keep(json_sprintf("%s/%s", kit_given("TUQUAN_WORK"), name)));
}

tq_open_options kit_options(const char *name, unsigned char key, const char *fence)
{
    static unsigned char keys[256][32];
    tq_open_options options;
    memset(&options, 0, sizeof options);
    memset(keys[key], key, sizeof keys[key]);
    options.size = sizeof options;
    options.dir = kit_path(name);
    options.dir_len = strlen(options.dir);
    options.key = keys[key];
    options.key_len = sizeof keys[key];
    if (fence != NULL) {
        options.fence = kit_path(fence);
        options.fence_len = strlen(options.fence);
    }
    return options;
}

tq_core *kit_open(const char *name, unsigned char key, const char *fence)
{
    tq_open_options options = kit_options(name, key, fence);
    tq_core *core = NULL;
    tq_string error = {NULL, 0};
    tq_status status = tq_open(&options, &core, &error);
    if (status != TQ_OK) {
        fprintf(stderr, "%s: %s\n", name, error.ptr);
    }
    MUST(status == TQ_OK && core != NULL && error.ptr == NULL);
    return core;
}

json_t *kit_pack(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    json_t *made = json_vpack_ex(NULL, 0, format, values);
    va_end(values);
    return keep(made);
}

json_t *kit_read(tq_string *text)
{
    json_t *value = json_loadb(text->ptr, text->len, JSON_DECODE_ANY, NULL);
    MUST(text->ptr[text->len] == '\0');
    tq_string_free(text);
    tq_string_free(text);
    MUST(text->ptr == NULL);
    return keep(value);
}

static void must_do(tq_core *core, tq_status status, const char *asked)
{
    if (status != TQ_OK) {
        fprintf(stderr, "%s\n  gave %s\n", asked, kit_why(core, status));
        exit(1);
    }
}

typedef tq_status (*asks)(tq_core *, const char *, size_t, tq_string *);

static json_t *ask(asks how, tq_core *core, const char *format, va_list values)
{
    char *asked = json_dumps(keep(json_vpack_ex(NULL, 0, format, values)), JSON_ENCODE_ANY);
    tq_string answer = {NULL, 0};
    MUST(asked != NULL);
    must_do(core, how(core, asked, strlen(asked), &answer), asked);
    free(asked);
    return kit_read(&answer);
}

json_t *kit_call(tq_core *core, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    json_t *answer = ask(tq_call, core, format, values);
    va_end(values);
    return answer;
}

json_t *kit_query(tq_core *core, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    json_t *answer = ask(tq_query, core, format, values);
    va_end(values);
    return answer;
}

json_t *kit_apply_as(tq_core *core, const char *request, json_t *command)
{
    char *asked = json_dumps(command, 0);
    tq_string answer = {NULL, 0};
    MUST(asked != NULL);
    must_do(core, tq_apply(core, request, strlen(request), asked, strlen(asked), &answer), asked);
    free(asked);
    return kit_read(&answer);
}

json_t *kit_apply(tq_core *core, json_t *command)
{
    return kit_apply_as(core, kit_request(), command);
}

tq_status kit_try(tq_core *core, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    char *asked = json_dumps(keep(json_vpack_ex(NULL, 0, format, values)), 0);
    va_end(values);
    tq_string answer = {NULL, 0};
    tq_status status = tq_call(core, asked, strlen(asked), &answer);
    /* An answer is written only when there is one. */
    MUST((status == TQ_OK) == (answer.ptr != NULL));
    tq_string_free(&answer);
    free(asked);
    return status;
}

static const char *named(tq_status status, json_t *error)
{
    static const struct {
        tq_status status;
        const char *kind;
        const char *name;
    } kinds[] = {
        {TQ_INVALID, "invalid", "Invalid"},       {TQ_NOT_FOUND, "not_found", "NotFound"},
        {TQ_NOT_READY, "not_ready", "NotReady"},  {TQ_FORBIDDEN, "forbidden", "Forbidden"},
        {TQ_WRONG_KEY, "wrong_key", "WrongKey"},  {TQ_DAMAGED, "damaged", "Damaged"},
        {TQ_FULL, "full", "Full"},                {TQ_STORAGE, "storage", "Storage"},
        {TQ_NEWER, "newer", "Newer"},             {TQ_REFUSED, "refused", "Refused"},
        {TQ_NETWORK, "network", "Network"},       {TQ_INTERNAL, "internal", "Internal"},
    };
    for (size_t at = 0; at < sizeof kinds / sizeof kinds[0]; at++) {
        if (kinds[at].status == status) {
            MUST(strcmp(kinds[at].kind, kit_text(error, "kind")) == 0);
            MUST(kit_text(error, "reason")[0] != '\0');
            json_t *why = json_sprintf("%s %s", kinds[at].name, kit_text(error, "code"));
            return json_string_value(keep(why));
        }
    }
    return "no error";
}

const char *kit_why(tq_core *core, tq_status status)
{
    tq_string error = {NULL, 0};
    MUST(tq_last_error(core, &error) == TQ_OK);
    return named(status, kit_read(&error));
}

const char *kit_why_not_opened(tq_status status, tq_string *error)
{
    return named(status, kit_read(error));
}

const char *kit_request(void)
{
    unsigned char bytes[16];
    char digits[33];
    FILE *random = fopen("/dev/urandom", "rb");
    MUST(random != NULL && fread(bytes, 1, sizeof bytes, random) == sizeof bytes);
    fclose(random);
    for (size_t at = 0; at < sizeof bytes; at++) {
        snprintf(digits + 2 * at, 3, "%02x", bytes[at]);
    }
    return json_string_value(keep(json_string(digits)));
}

json_t *kit_at(json_t *of, const char *path)
{
    while (*path != '\0') {
        char name[64];
        size_t length = strcspn(path, ".");
        MUST(length < sizeof name);
        memcpy(name, path, length);
        name[length] = '\0';
        of = json_is_array(of) ? json_array_get(of, strtoul(name, NULL, 10))
                               : json_object_get(of, name);
        path += length + (path[length] == '.');
    }
    return of;
}

const char *kit_text(json_t *of, const char *path)
{
    const char *text = json_string_value(kit_at(of, path));
    return text == NULL ? "" : text;
}

json_int_t kit_int(json_t *of, const char *path)
{
    json_t *number = kit_at(of, path);
    MUST(json_is_integer(number));
    return json_integer_value(number);
}

bool kit_bool(json_t *of, const char *path)
{
    json_t *value = kit_at(of, path);
    MUST(json_is_boolean(value));
    return json_is_true(value);
}

static int by_text(const void *left, const void *right)
{
    char *one = json_dumps(*(json_t *const *)left, JSON_ENCODE_ANY);
    char *other = json_dumps(*(json_t *const *)right, JSON_ENCODE_ANY);
    MUST(one != NULL && other != NULL);
    int order = strcmp(one, other);
    free(one);
    free(other);
    return order;
}

json_t *kit_sorted(json_t *array)
{
    size_t count = json_array_size(array);
    json_t **values = calloc(count + 1, sizeof *values);
    json_t *sorted = json_array();
    MUST(values != NULL);
    for (size_t at = 0; at < count; at++) {
        values[at] = json_array_get(array, at);
    }
    qsort(values, count, sizeof *values, by_text);
    for (size_t at = 0; at < count; at++) {
        json_array_append(sorted, values[at]);
    }
    free(values);
    return keep(sorted);
}
