/* Makes one request that fails, and says how: result, status, delivery, retryable, whether the hub asks to wait. */
#include "check.h"

static int ended, busy;

static void on_done(void *userdata, twin_result result, twin_str json, uint64_t version, twin_error error) {
    (void)userdata, (void)json, (void)version, (void)error;
    CHECK(result == TWIN_CLOSED);
    ended++;
}

static int say(twin_result result, twin_error error) {
    twin_error_info info;
    if (result == TWIN_OK) return puts("it worked"), 0;
    CHECK(twin_error_get(error, sizeof info, &info) == TWIN_OK);
    CHECK(info.result == (uint32_t)result && info.message.len > 0 && info.retryable == twin_result_is_retryable(result));
    fprintf(stderr, "%s\n", info.message.data);
    printf("%s status %u delivery %u%s%s\n", twin_result_name(result), info.status, info.delivery,
           info.retryable ? " retryable" : "", info.retry_after_ms ? " after a while" : "");
    twin_error_free(error);
    return 0;
}

static twin_result backend(const char *what, const char *argument, twin_error *error) {
    twin_registry_options options = twin_registry_options_init();
    twin_registry registry;
    twin_query query;
    twin_string row;

    options.connection_string = twin_s(getenv("IOTHUB_CONNECTION_STRING"));
    options.ca_file = twin_s(getenv("TWIN_CA_FILE"));
    options.flags = TWIN_FLAG_NO_RETRY;
    CHECK(twin_registry_new(&options, &registry, NULL) == TWIN_OK);
    if (strcmp(what, "create") == 0) return twin_registry_create(registry, twin_s(argument), twin_s(NULL), 0, NULL, error);
    CHECK(strcmp(what, "query") == 0);
    CHECK(twin_registry_query(registry, twin_s(argument), 0, &query, NULL) == TWIN_OK);
    return twin_query_next(query, 0, &row, error);
}

static twin_result device(const char *what, twin_error *error) {
    twin_client_options options = from_environment("DEVICE_CONNECTION_STRING");
    twin_client client;
    twin_string twin;
    static char big[70000];

    options.flags = TWIN_FLAG_NO_RETRY;
    options.answer_timeout_ms = 500;
    options.connect_timeout_ms = 5000;
    if (strcmp(what, "trust") == 0) options.ca_file = twin_s(NULL);
    CHECK(twin_client_new(&options, &client, NULL) == TWIN_OK);
    if (strcmp(what, "twin") == 0) return twin_client_get_twin(client, 0, &twin, error);
    if (strcmp(what, "report") == 0) return twin_client_report(client, twin_s("{\"n\":1}"), 0, NULL, error);
    if (strcmp(what, "lost") == 0) {
        CHECK(twin_client_open(client, 0, NULL) == TWIN_OK);
        return twin_client_report(client, twin_s("{\"n\":1}"), 200, NULL, error);
    }
    if (strcmp(what, "big") == 0) {
        int used = snprintf(big, sizeof big, "{"), n;
        for (n = 0; n < 20; n++) used += snprintf(big + used, sizeof big - (size_t)used, "\"m%d\":\"%02000d\",", n, 0);
        snprintf(big + used, sizeof big - (size_t)used, "\"end\":1}");
        return twin_client_report(client, twin_s(big), 0, NULL, error);
    }
    return twin_client_open(client, 0, error);
}

/* Requests wait for a hub that is not there, until there is no room for more; closing ends them all. */
static twin_result crowd(twin_error *error) {
    twin_client_options options = from_environment("DEVICE_CONNECTION_STRING");
    twin_client client;
    twin_result result;

    options.flags = TWIN_FLAG_OWN_LOOP;
    CHECK(twin_client_new(&options, &client, NULL) == TWIN_OK);
    while ((result = twin_client_get_twin_async(client, 0, on_done, NULL, error)) == TWIN_OK) busy++;
    CHECK(twin_client_close(client, 1000, NULL) == TWIN_OK);
    CHECK(busy == 1024 && ended == busy);
    return result;
}

int main(int argc, char **argv) {
    twin_error error = {0};
    twin_result result;
    CHECK(argc > 1);
    if (argc > 2)
        result = backend(argv[1], argv[2], &error);
    else
        result = strcmp(argv[1], "crowd") == 0 ? crowd(&error) : device(argv[1], &error);
    return say(result, error);
}
