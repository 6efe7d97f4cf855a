/* Before and after each call: things that live are made again where the call before has ended them; a failure has a message and
 * has written nothing else, a success has written no error. */
#ifndef NONSENSE_CALLS_H
#define NONSENSE_CALLS_H

static void make_client(void) {
    CHECK(twin_client_new(&client_options, &live_client, NULL) == TWIN_OK);
}

static void make_registry(void) {
    CHECK(twin_registry_new(&registry_options, &live_registry, NULL) == TWIN_OK);
}

static void make_query(void) {
    CHECK(twin_registry_query(live_registry, twin_s("SELECT * FROM devices"), 0, &live_query, NULL) == TWIN_OK);
}

static void make_pool(void) {
    CHECK(twin_pool_new(&client_options, 0, &live_pool, NULL) == TWIN_OK);
}

static void make_error(void) {
    CHECK(twin_client_close(no_client, 1, &live_error) == TWIN_INVALID_ARGUMENT);
}

static void begin(void) {
    memset(levels, '[', sizeof levels);
    memset(&wild_client, 0xff, sizeof wild_client);
    wild_client.size = sizeof wild_client;
    client_options = twin_client_options_init();
    client_options.host_name = twin_s("localhost:1");
    client_options.device_id = twin_s("d");
    client_options.shared_access_key = twin_s("AAAAAAAAAAAAAAAAAAAAAA==");
    client_options.flags = TWIN_FLAG_NO_SYSTEM_TRUST;
    client_options.ca_file = twin_s(getenv("TWIN_CA_FILE"));
    client_options.transport = TWIN_TRANSPORT_AMQP;
    registry_options = twin_registry_options_init();
    registry_options.connection_string =
        twin_s("HostName=localhost:1;SharedAccessKeyName=p;SharedAccessKey=AAAAAAAAAAAAAAAAAAAAAA==");
    registry_options.flags = TWIN_FLAG_NO_SYSTEM_TRUST;
    registry_options.ca_file = client_options.ca_file;
    make_client(), make_registry(), make_query(), make_pool(), make_error();
    ended_client = live_client, ended_registry = live_registry, ended_query = live_query, ended_pool = live_pool;
    ended_error = live_error;
    CHECK(twin_client_close(live_client, 1000, NULL) == TWIN_OK && twin_registry_close(live_registry, NULL) == TWIN_OK);
    CHECK(twin_query_close(live_query, NULL) == TWIN_OK && twin_pool_close(live_pool, NULL) == TWIN_OK);
    twin_error_free(live_error);
    make_client(), make_registry(), make_query(), make_pool(), make_error();
    foreign_registry.id = foreign_query.id = foreign_pool.id = foreign_error.id = live_client.id;
    foreign_client.id = live_registry.id;
}

static void before(void) {
    twin_error_info info;
    uint32_t number;
    int fd;
    if (twin_client_state(live_client, &number, NULL) != TWIN_OK) make_client();
    /* A registry that lives has no loop of its own to tell of, one that ended is closed. */
    if (twin_registry_fd(live_registry, &fd, NULL) == TWIN_CLOSED) make_registry(), make_query();
    if (twin_query_next_async(live_query, 1, NULL, NULL, NULL) == TWIN_CLOSED) make_query();
    if (twin_pool_connections(live_pool, &number, NULL) != TWIN_OK) make_pool();
    if (twin_error_get(live_error, sizeof info, &info) != TWIN_OK) make_error();
    spoil();
    count++;
}

static void after(bool asked, const char *call, twin_result result) {
    twin_error_info info;
    bool told = !all_spoilt(&out_twin_error, sizeof out_twin_error);
    if (told != (asked && result != TWIN_OK && result != TWIN_END)) {
        fprintf(stderr, "%s: %s, and %s error\n", call, twin_result_name(result), told ? "an" : "no");
        exit(1);
    }
    if (result == TWIN_PANIC || strcmp(twin_result_name(result), "TWIN_UNKNOWN") == 0) {
        fprintf(stderr, "%s: %s\n", call, twin_result_name(result));
        exit(1);
    }
    if (told) {
        CHECK(twin_error_get(out_twin_error, sizeof info, &info) == TWIN_OK);
        CHECK(info.result == (uint32_t)result && info.message.len > 0);
        twin_error_free(out_twin_error);
        memset(&out_twin_error, SPOILT, sizeof out_twin_error);
    }
    if (result == TWIN_OK) {
        end_outputs();
    } else if (!is_spoilt()) {
        fprintf(stderr, "%s: %s, and an output was written\n", call, twin_result_name(result));
        exit(1);
    }
}

#define CALL(asked, text, call) after(asked, text, call)

#endif
