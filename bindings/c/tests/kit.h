/* What the journey and the measurements share: calls whose requests and answers are JSON values.
 *
 * Everything that is returned lives until kit_end(). Whatever goes wrong ends the program. */
#ifndef TUQUAN_TESTS_KIT_H
#define TUQUAN_TESTS_KIT_H

#include <jansson.h>
#include <stdbool.h>

#include "tuquan.h"

/* Ends the program with a line that says where, unless something is true. */
#define MUST(what) kit_must((what), #what, __FILE__, __LINE__)
void kit_must(bool holds, const char *what, const char *file, int line);

/* Begins; frees all that was returned. */
void kit_begin(void);
void kit_end(void);

/* Returns a variable of the environment that must be there. */
const char *kit_given(const char *name);

/* Returns the path of a file in the folder of this run. */
const char *kit_path(const char *name);

/* Returns the options of a store in the folder of this run, whose key is 32 times one byte. */
tq_open_options kit_options(const char *name, unsigned char key, const char *fence);

/* Opens it. */
tq_core *kit_open(const char *name, unsigned char key, const char *fence);

/* Makes JSON as json_pack does. */
json_t *kit_pack(const char *format, ...);

/* Calls tq_call, tq_query, tq_apply with JSON that is made as json_pack does. */
json_t *kit_call(tq_core *core, const char *format, ...);
json_t *kit_query(tq_core *core, const char *format, ...);
json_t *kit_apply(tq_core *core, json_t *command);
json_t *kit_apply_as(tq_core *core, const char *request, json_t *command);

/* Calls tq_call and returns only how it ended. */
tq_status kit_try(tq_core *core, const char *format, ...);

/* Returns the kind and the code of why a call failed, such as `NotReady E-NOTREADY`; the kind must
 * be that of the status. The JSON of an error that tq_open gave is freed. */
const char *kit_why(tq_core *core, tq_status status);
const char *kit_why_not_opened(tq_status status, tq_string *error);

/* Reads the JSON of an answer and frees it. */
json_t *kit_read(tq_string *text);

/* Makes a request id. */
const char *kit_request(void);

/* Returns what is at a path such as `rows.0.fields.summary`. */
json_t *kit_at(json_t *of, const char *path);
const char *kit_text(json_t *of, const char *path);
json_int_t kit_int(json_t *of, const char *path);
bool kit_bool(json_t *of, const char *path);

/* Sorts an array by the texts of its elements in JSON. */
json_t *kit_sorted(json_t *array);

#endif
