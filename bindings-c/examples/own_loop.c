/* A program with a loop of its own: all callbacks run on its one thread, when the client's descriptor is readable. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <twin.h>

static int waiting = 2;

static void on_twin(void *userdata, twin_result result, twin_str json, uint64_t version, twin_error error) {
    (void)userdata, (void)version, (void)error;
    printf("twin: %s: %s\n", twin_result_name(result), json.data ? json.data : "-");
    waiting--;
}

static void on_reported(void *userdata, twin_result result, twin_str json, uint64_t version, twin_error error) {
    (void)userdata, (void)json, (void)error;
    printf("reported: %s, version %llu\n", twin_result_name(result), (unsigned long long)version);
    waiting--;
}

int main(void) {
    twin_client_options options = twin_client_options_init();
    twin_client client;
    struct pollfd fd;

    options.connection_string = twin_s(getenv("DEVICE_CONNECTION_STRING"));
    options.ca_file = twin_s(getenv("TWIN_CA_FILE"));
    options.flags = TWIN_FLAG_OWN_LOOP;
    if (twin_client_new(&options, &client, NULL) != TWIN_OK) return 1;
    if (twin_client_fd(client, &fd.fd, NULL) != TWIN_OK) return 1;
    if (twin_client_get_twin_async(client, 30000, on_twin, NULL, NULL) != TWIN_OK) return 1;
    if (twin_client_report_async(client, twin_s("{\"looping\":true}"), 30000, on_reported, NULL, NULL) != TWIN_OK)
        return 1;
    fd.events = POLLIN;
    while (waiting > 0) {
        if (poll(&fd, 1, -1) < 0) return 1;
        twin_client_poll(client, NULL, NULL);
    }
    return twin_client_close(client, 5000, NULL) == TWIN_OK ? 0 : 1;
}
