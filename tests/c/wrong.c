/* What programs do wrong: each is a result with a message, never a crash. */
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static void done(void *userdata, twin_result result, twin_str json, uint64_t version, twin_error error) {
    (void)userdata, (void)result, (void)json, (void)version, (void)error;
}

/* The message of the error, which is freed, has this in it. */
static void says(twin_error *error, const char *part) {
    twin_error_info info;
    CHECK(error->id != 0);
    CHECK(twin_error_get(*error, sizeof info, &info) == TWIN_OK);
    if (!strstr(info.message.data, part)) {
        fprintf(stderr, "'%s' is not in: %s\n", part, info.message.data);
        exit(1);
    }
    CHECK(info.result != 0 && strlen(info.message.data) == info.message.len);
    twin_error_free(*error);
    CHECK(twin_error_get(*error, sizeof info, &info) == TWIN_CLOSED);
    twin_error_free(*error);
    error->id = 0;
}

#define WRONG(want, part, call)                                        \
    do {                                                               \
        twin_result got = call;                                        \
        if (got != want) expect_at(__FILE__, __LINE__, want, got, &error); \
        says(&error, part);                                            \
    } while (0)

static twin_client_options valid(void) {
    twin_client_options options = twin_client_options_init();
    options.connection_string = twin_s("HostName=localhost:1;DeviceId=d;SharedAccessKey=AAAAAAAAAAAAAAAAAAAAAA==");
    return options;
}

/* Options of a later version: longer by a member, used or not. */
struct later {
    twin_client_options known;
    uint64_t unknown;
};

static void options(void) {
    twin_error error = {0};
    twin_client client = {42};
    twin_client_options o;
    struct later later;
    twin_string twin;

    WRONG(TWIN_INVALID_ARGUMENT, "NULL", twin_client_new(NULL, &client, &error));
    o = valid();
    WRONG(TWIN_INVALID_ARGUMENT, "NULL", twin_client_new(&o, NULL, &error));
    o.size = 0;
    WRONG(TWIN_INVALID_ARGUMENT, "size", twin_client_new(&o, &client, &error));
    o.size = (size_t)-1;
    WRONG(TWIN_INVALID_ARGUMENT, "size", twin_client_new(&o, &client, &error));
    o = valid();
    o.transport = 77;
    WRONG(TWIN_INVALID_ARGUMENT, "77", twin_client_new(&o, &client, &error));
    o = valid();
    o.flags = 0x80000000u;
    WRONG(TWIN_NOT_SUPPORTED, "0x80000000", twin_client_new(&o, &client, &error));
    o = valid();
    o.keep_alive_s = 5000;
    WRONG(TWIN_INVALID_ARGUMENT, "keep_alive", twin_client_new(&o, &client, &error));
    o = valid();
    o.ca_file = twin_s("/no/such/file");
    WRONG(TWIN_INVALID_ARGUMENT, "/no/such/file", twin_client_new(&o, &client, &error));
    o = valid();
    o.host_name = twin_s("localhost");
    WRONG(TWIN_INVALID_ARGUMENT, "host_name", twin_client_new(&o, &client, &error));
    o = valid();
    o.certificate_pem = twin_s("x");
    WRONG(TWIN_INVALID_ARGUMENT, "key_pem", twin_client_new(&o, &client, &error));
    o = twin_client_options_init();
    WRONG(TWIN_INVALID_ARGUMENT, "connection_string", twin_client_new(&o, &client, &error));
    o.host_name = twin_s("localhost");
    o.device_id = twin_s("d");
    WRONG(TWIN_INVALID_ARGUMENT, "exactly one", twin_client_new(&o, &client, &error));
    o.connection_string = twin_s("HostName=\xff");
    WRONG(TWIN_INVALID_ARGUMENT, "UTF-8", twin_client_new(&o, &client, &error));
    o.connection_string.data = NULL;
    o.connection_string.len = 7;
    WRONG(TWIN_INVALID_ARGUMENT, "length of 7", twin_client_new(&o, &client, &error));
    CHECK(client.id == 42); /* outputs are written on success only */

    memset(&later, 0, sizeof later);
    later.known = valid();
    later.known.size = sizeof later;
    later.unknown = 1;
    WRONG(TWIN_NOT_SUPPORTED, "older", twin_client_new(&later.known, &client, &error));
    later.unknown = 0;
    OK(twin_client_new(&later.known, &client, &error));
    OK(twin_client_close(client, 0, &error));

    /* There are no twins over HTTPS. */
    o = valid();
    o.transport = TWIN_TRANSPORT_HTTP;
    OK(twin_client_new(&o, &client, &error));
    WRONG(TWIN_NOT_SUPPORTED, "HTTPS", twin_client_get_twin(client, 0, &twin, &error));
    WRONG(TWIN_NOT_SUPPORTED, "HTTPS", twin_client_report(client, twin_s("{}"), 0, NULL, &error));
    WRONG(TWIN_INVALID_ARGUMENT, "'colour'", twin_client_send(client, twin_s("x"), twin_s("{\"colour\":1}"), 0, &error));
    WRONG(TWIN_INVALID_ARGUMENT, "messageId", twin_client_send(client, twin_s("x"), twin_s("{\"messageId\":1}"), 0, &error));
    WRONG(TWIN_INVALID_ARGUMENT, "properties.p", twin_client_send(client, twin_s("x"), twin_s("{\"properties\":{\"p\":1}}"), 0, &error));
    OK(twin_client_close(client, 0, &error));

    /* Those of a program that was built before there were pools: what lies behind them is not read. */
    o = valid();
    o.size = offsetof(twin_client_options, pool);
    o.pool.id = 0xdeadbeefcafef00du;
    OK(twin_client_new(&o, &client, &error));
    OK(twin_client_close(client, 0, &error));
    o.size = sizeof o;
    WRONG(TWIN_INVALID_ARGUMENT, "pool", twin_client_new(&o, &client, &error));
}

static void registries(void) {
    twin_error error = {0};
    twin_registry registry = {42};
    twin_registry_options o = twin_registry_options_init(), good;
    struct {
        twin_registry_options known;
        uint64_t unknown;
    } later;

    WRONG(TWIN_INVALID_ARGUMENT, "connection_string", twin_registry_new(&o, &registry, &error));
    o.connection_string = twin_s("HostName=h;DeviceId=d;SharedAccessKey=AAAAAAAAAAAAAAAAAAAAAA==");
    CHECK(twin_registry_new(&o, &registry, NULL) != TWIN_OK);
    o.connection_string = twin_s("\xc3\x28");
    WRONG(TWIN_INVALID_ARGUMENT, "UTF-8", twin_registry_new(&o, &registry, &error));
    o.connection_string = twin_s("HostName=h;SharedAccessKeyName=p;SharedAccessKey=AAAAAAAAAAAAAAAAAAAAAA==");
    good = o;
    o.size = 1;
    WRONG(TWIN_INVALID_ARGUMENT, "size", twin_registry_new(&o, &registry, &error));
    o = good;
    o.flags = 1u << 20;
    WRONG(TWIN_NOT_SUPPORTED, "0x100000", twin_registry_new(&o, &registry, &error));
    o = good;
    o.ca_pem = twin_s("no certificate");
    WRONG(TWIN_INVALID_ARGUMENT, "BEGIN CERTIFICATE", twin_registry_new(&o, &registry, &error));
    memset(&later, 0, sizeof later);
    later.known = good;
    later.known.size = sizeof later;
    later.unknown = 1;
    WRONG(TWIN_NOT_SUPPORTED, "older", twin_registry_new(&later.known, &registry, &error));
    CHECK(registry.id == 42);
}

static void handles(void) {
    twin_error error = {0};
    twin_client never = {0}, made_up = {0xdeadbeefcafef00du}, client;
    twin_registry registry = {0};
    twin_query query = {0};
    twin_string text;
    twin_error_info info;
    uint32_t state;
    int fd;
    twin_client_options o = valid();

    WRONG(TWIN_INVALID_ARGUMENT, "client", twin_client_open(never, 1, &error));
    WRONG(TWIN_INVALID_ARGUMENT, "client", twin_client_get_twin(made_up, 1, &text, &error));
    WRONG(TWIN_INVALID_ARGUMENT, "client", twin_client_close(never, 1, &error));
    WRONG(TWIN_INVALID_ARGUMENT, "client", twin_client_state(never, &state, &error));
    WRONG(TWIN_INVALID_ARGUMENT, "registry", twin_registry_close(registry, &error));
    WRONG(TWIN_INVALID_ARGUMENT, "query", twin_query_next(query, 1, &text, &error));
    WRONG(TWIN_INVALID_ARGUMENT, "query", twin_query_close(query, &error));
    OK(twin_client_new(&o, &client, &error));
    registry.id = client.id;
    WRONG(TWIN_INVALID_ARGUMENT, "registry", twin_registry_close(registry, &error));
    WRONG(TWIN_INVALID_ARGUMENT, "OWN_LOOP", twin_client_fd(client, &fd, &error));
    WRONG(TWIN_INVALID_ARGUMENT, "OWN_LOOP", twin_client_poll(client, NULL, &error));
    WRONG(TWIN_INVALID_ARGUMENT, "NULL", twin_client_get_twin(client, 1, NULL, &error));
    WRONG(TWIN_INVALID_ARGUMENT, "NULL", twin_client_state(client, NULL, &error));
    WRONG(TWIN_INVALID_ARGUMENT, "NULL", twin_client_open_async(client, 1, NULL, NULL, &error));
    WRONG(TWIN_INVALID_ARGUMENT, "missing", twin_client_report(client, twin_s(NULL), 1, NULL, &error));
    WRONG(TWIN_INVALID_ARGUMENT, "JSON", twin_client_report(client, twin_s("{"), 1, NULL, &error));
    CHECK(twin_client_report(client, twin_s("[]"), 1000, NULL, NULL) != TWIN_OK);
    WRONG(TWIN_INVALID_ARGUMENT, "token", twin_client_update_sas(client, twin_s("x"), &error));
    WRONG(TWIN_TIMEOUT, "50 ms", twin_client_open(client, 50, &error)); /* nobody listens there */
    OK(twin_client_open_async(client, 60000, done, NULL, &error));
    OK(twin_client_close(client, 1000, &error));
    WRONG(TWIN_CLOSED, "closed", twin_client_open_async(client, 1, done, NULL, &error));
    WRONG(TWIN_CLOSED, "closed", twin_client_on_desired(client, NULL, NULL, &error));
    CHECK(twin_error_get(error, sizeof info, &info) == TWIN_INVALID_ARGUMENT);
    CHECK(twin_error_get(error, 1, &info) == TWIN_INVALID_ARGUMENT);
    CHECK(twin_error_get(error, sizeof info, NULL) == TWIN_INVALID_ARGUMENT);
    twin_error_free(error);
    twin_string_free(NULL);
    CHECK(strcmp(twin_result_name(TWIN_TIMEOUT), "TWIN_TIMEOUT") == 0);
    CHECK(strcmp(twin_result_name((twin_result)4711), "TWIN_UNKNOWN") == 0);
    CHECK(twin_result_is_retryable(TWIN_THROTTLED) && !twin_result_is_retryable(TWIN_FORBIDDEN));
}

static void pure(void) {
    twin_error error = {0};
    twin_string text = {NULL, 0};
    double number;
    int64_t integer;
    bool flag;
    twin_str json = twin_s("{\"a\":{\"b.c\":[1,2.5,true,\"x\"]},\"n\":null}");
    twin_str key = twin_s("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");

    OK(twin_merge(twin_s("{\"a\":1,\"b\":{\"c\":2}}"), twin_s("{\"a\":null,\"b\":{\"d\":3}}"), &text, &error));
    CHECK(strcmp(text.data, "{\"b\":{\"c\":2,\"d\":3}}") == 0);
    twin_string_free(&text);
    OK(twin_diff(twin_s("{\"a\":1,\"b\":2}"), twin_s("{\"b\":3}"), &text, &error));
    CHECK(strcmp(text.data, "{\"a\":null,\"b\":3}") == 0);
    twin_string_free(&text);
    WRONG(TWIN_INVALID_ARGUMENT, "object", twin_merge(twin_s("[]"), twin_s("{}"), &text, &error));

    OK(twin_json_number(json, twin_s("/a/b.c/1"), &number, &error));
    OK(twin_json_integer(json, twin_s("/a/b.c/0"), &integer, &error));
    OK(twin_json_bool(json, twin_s("/a/b.c/2"), &flag, &error));
    CHECK(number == 2.5 && integer == 1 && flag);
    OK(twin_json_string(json, twin_s("/a/b.c/3"), &text, &error));
    CHECK(strcmp(text.data, "x") == 0);
    twin_string_free(&text);
    OK(twin_json_value(json, twin_s("n"), &text, &error));
    CHECK(strcmp(text.data, "null") == 0);
    twin_string_free(&text);
    WRONG(TWIN_NOT_FOUND, "a.nothing", twin_json_value(json, twin_s("a.nothing"), &text, &error));
    WRONG(TWIN_INVALID_ARGUMENT, "integer", twin_json_integer(json, twin_s("/a/b.c/1"), &integer, &error));
    WRONG(TWIN_INVALID_ARGUMENT, "a string", twin_json_string(json, twin_s("a"), &text, &error));

    OK(twin_sas_make(twin_s("h/devices/d"), key, twin_s(NULL), 2000, &text, &error));
    OK(twin_sas_check(twin_view(text), twin_s("h/devices/d"), key, 1000, &error));
    WRONG(TWIN_UNAUTHORIZED, "cover", twin_sas_check(twin_view(text), twin_s("h/devices/e"), key, 1000, &error));
    WRONG(TWIN_UNAUTHORIZED, "expired", twin_sas_check(twin_view(text), twin_s("h/devices/d"), key, 9000, &error));
    twin_string_free(&text);
    OK(twin_connection_string_parse(twin_s("HostName=h;DeviceId=d;ModuleId=m;x509=true"), &text, &error));
    CHECK(strcmp(text.data, "{\"credential\":\"certificate\",\"deviceId\":\"d\",\"hostName\":\"h\",\"moduleId\":\"m\"}") == 0);
    twin_string_free(&text);
    WRONG(TWIN_INVALID_ARGUMENT, "HostName", twin_connection_string_parse(twin_s("DeviceId=d;x509=true"), &text, &error));

    OK(twin_query_parse(twin_s("select * from devices where tags.a=1"), &text, &error));
    CHECK(strcmp(text.data, "SELECT * FROM devices WHERE tags.a = 1") == 0);
    twin_string_free(&text);
    WRONG(TWIN_INVALID_ARGUMENT, "query", twin_query_parse(twin_s("SELECT"), NULL, &error));
    OK(twin_query_build(twin_s("devices"), twin_s("[[\"tags.a\",\"=\",\"it's\"],[\"tags.b\",\"in\",[1,2]]]"), &text, &error));
    CHECK(strstr(text.data, "it\\'s") && strstr(text.data, "IN [1, 2]"));
    twin_string_free(&text);
    WRONG(TWIN_INVALID_ARGUMENT, "condition 1", twin_query_build(twin_s("devices"), twin_s("[7]"), &text, &error));
    WRONG(TWIN_INVALID_ARGUMENT, "neither", twin_query_build(twin_s("cats"), twin_s(NULL), &text, &error));
}

/* A child is told so by every function; the parent goes on. */
static void forked(void) {
    twin_error error = {0};
    twin_client client;
    twin_string text;
    int status;
    pid_t child;
    twin_client_options o = valid();

    OK(twin_client_new(&o, &client, &error));
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        int good = twin_client_report(client, twin_s("{}"), 0, NULL, &error) == TWIN_FORKED &&
                   twin_client_close(client, 0, &error) == TWIN_FORKED &&
                   twin_merge(twin_s("{}"), twin_s("{}"), &text, &error) == TWIN_FORKED &&
                   twin_client_new(&o, &client, &error) == TWIN_FORKED && error.id == 0;
        _exit(good ? 0 : 1);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    OK(twin_client_close(client, 1000, &error));
}

int main(int argc, char **argv) {
    (void)argv;
    pure();
    options();
    registries();
    handles();
    if (argc == 1) forked(); /* under valgrind a child lacks what its parent's threads hold */
    puts("all is well");
    return 0;
}
