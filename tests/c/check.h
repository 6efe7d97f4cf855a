/* What the programs here share: checks that say where they fail, and options from the environment. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <twin.h>

#define CHECK(condition)                                                                  \
    do {                                                                                  \
        if (!(condition)) {                                                               \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);       \
            exit(1);                                                                      \
        }                                                                                 \
    } while (0)

/* The result is the one wanted; if not, the error says what it is. */
static inline void expect_at(const char *file, int line, twin_result want, twin_result got, twin_error *error) {
    if (want != got) {
        twin_error_info info;
        fprintf(stderr, "%s:%d: %s instead of %s", file, line, twin_result_name(got), twin_result_name(want));
        if (error && error->id && twin_error_get(*error, sizeof info, &info) == TWIN_OK)
            fprintf(stderr, ": %.*s", (int)info.message.len, info.message.data);
        fputc('\n', stderr);
        exit(1);
    }
    if (error && error->id) {
        twin_error_free(*error);
        error->id = 0;
    }
}

#define EXPECT(want, call) expect_at(__FILE__, __LINE__, want, call, &error)
#define OK(call) EXPECT(TWIN_OK, call)

static inline twin_client_options from_environment(const char *variable) {
    twin_client_options options = twin_client_options_init();
    options.connection_string = twin_s(getenv(variable));
    options.ca_file = twin_s(getenv("TWIN_CA_FILE"));
    return options;
}

#endif
