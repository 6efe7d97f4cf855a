/* What the program that c_every_function.rs writes starts from: the values that arguments take. */
#ifndef NONSENSE_H
#define NONSENSE_H

#include "check.h"

enum { SPOILT = 0xa5, DEEP = 2000 };

/* Texts: none; NULL with a length; longer than memory; of no bytes; not UTF-8; JSON of many levels; not JSON; JSON. */
static const twin_str none = {NULL, 0}, liar = {NULL, 7}, endless = {"x", (size_t)-1}, empty = {"", 0},
                      garbage = {"\xff\xfe\x80", 3}, word = {"HostName=x", 10}, object = {"{}", 2};
static char levels[DEEP];
static twin_str nested = {levels, DEEP};

/* Handles: of nothing; of no library; of things that ended; of another kind; of things that live. */
static const twin_client no_client = {0}, made_up_client = {0xdeadbeefcafef00du};
static const twin_registry no_registry = {0}, made_up_registry = {0xdeadbeefcafef00du};
static const twin_query no_query = {0}, made_up_query = {0xdeadbeefcafef00du};
static const twin_pool no_pool = {0}, made_up_pool = {0xdeadbeefcafef00du};
static const twin_error no_error = {0}, made_up_error = {0xdeadbeefcafef00du};
static twin_client ended_client, foreign_client, live_client;
static twin_registry ended_registry, foreign_registry, live_registry;
static twin_query ended_query, foreign_query, live_query;
static twin_pool ended_pool, foreign_pool, live_pool;
static twin_error ended_error, foreign_error, live_error;

static twin_client_options zero_client, wild_client, client_options;
static twin_registry_options zero_registry, registry_options;
static twin_string nothing;
static int somewhere, count;

static void on_done(void *userdata, twin_result result, twin_str json, uint64_t version, twin_error error) {
    (void)userdata, (void)result, (void)json, (void)version, (void)error;
}

static void on_desired(void *userdata, uint32_t kind, twin_str json, uint64_t version, twin_error error) {
    (void)userdata, (void)kind, (void)json, (void)version, (void)error;
}

static void on_state(void *userdata, uint32_t state, int64_t retry_in_ms, twin_error error) {
    (void)userdata, (void)state, (void)retry_in_ms, (void)error;
}

static void on_expiring(void *userdata, uint64_t expires_at) {
    (void)userdata, (void)expires_at;
}

static uint32_t on_message(void *userdata, twin_str body, twin_str about) {
    (void)userdata, (void)body, (void)about;
    return TWIN_SETTLEMENT_COMPLETE;
}

static bool all_spoilt(const void *at, size_t size) {
    const unsigned char *bytes = (const unsigned char *)at;
    while (size > 0 && bytes[size - 1] == SPOILT) size--;
    return size == 0;
}

#endif
