/* Measures what a call costs in C; prints one line of JSON, in microseconds. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "kit.h"

static tq_core *core;
static const char *query;

static double now_us(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

/* Returns the cost of one call, in the best of five rounds. */
static double each(void (*call)(void), int times)
{
    double best = 1e18;
    call();
    for (int round = 0; round < 5; round++) {
        double start = now_us();
        for (int at = 0; at < times; at++) {
            call();
        }
        double took = (now_us() - start) / times;
        best = took < best ? took : best;
    }
    return best;
}

static void ask_device(void)
{
    tq_string answer = {NULL, 0};
    MUST(tq_call(core, "{\"device\":{}}", 13, &answer) == TQ_OK);
    tq_string_free(&answer);
}

static void ask_list(void)
{
    tq_string answer = {NULL, 0};
    MUST(tq_query(core, query, strlen(query), &answer) == TQ_OK);
    tq_string_free(&answer);
}

static void tap(void)
{
    static const char command[] =
        "{\"create\":{\"draft\":{\"kind\":\"incident\",\"fields\":{\"category\":\"noise\","
        "\"summary\":\"Ồn ào\",\"t_occ\":1777856400000}}}}";
    tq_string answer = {NULL, 0};
    MUST(tq_apply(core, kit_request(), 32, command, sizeof command - 1, &answer) == TQ_OK);
    tq_string_free(&answer);
}

int main(void)
{
    kit_begin();
    core = kit_open(kit_text(kit_pack("{s:s+}", "name", "cost-", kit_request()), "name"), 5, NULL);
    kit_call(core, "{s:{}}", "found");
    for (int at = 0; at < 60; at++) {
        tap();
    }
    query = "{\"list\":{\"kind\":\"incident\",\"limit\":50}}";
    double list50 = each(ask_list, 100);
    query = "{\"list\":{\"kind\":\"incident\",\"limit\":1}}";
    double list1 = each(ask_list, 100);
    double empty = each(ask_device, 2000);
    printf("{\"language\":\"c\",\"empty_us\":%.2f,\"list50_us\":%.1f,\"row_us\":%.2f,\"tap_us\":%.1f}\n",
           empty, list50, (list50 - list1) / 49, each(tap, 50));
    MUST(tq_close(core) == TQ_OK);
    tq_free(core);
    kit_end();
    return 0;
}
