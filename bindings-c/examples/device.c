/* A device in forty lines: reports its connectivity, then takes desired properties until it is stopped.
 *
 *     cc device.c $(pkg-config --cflags --libs twin) && DEVICE_CONNECTION_STRING=... ./a.out
 */
#include <stdio.h>
#include <stdlib.h>
#include <twin.h>

static void on_desired(void *userdata, uint32_t kind, twin_str json, uint64_t version, twin_error error) {
    int64_t brightness;
    (void)userdata, (void)error;
    printf("%s at version %llu: %.*s\n", kind == TWIN_DESIRED_WHOLE ? "all" : "change", (unsigned long long)version,
           (int)json.len, json.data ? json.data : "");
    if (twin_json_integer(json, twin_s("brightness"), &brightness, NULL) == TWIN_OK)
        printf("brightness is %lld\n", (long long)brightness);
    fflush(stdout);
}

static int failed(const char *what, twin_result result, twin_error error) {
    twin_error_info info;
    fprintf(stderr, "%s: %s", what, twin_result_name(result));
    if (twin_error_get(error, sizeof info, &info) == TWIN_OK) fprintf(stderr, ": %s", info.message.data);
    fputc('\n', stderr);
    twin_error_free(error);
    return 1;
}

int main(void) {
    twin_client_options options = twin_client_options_init();
    twin_client client;
    twin_error error = {0};
    twin_result result;

    options.connection_string = twin_s(getenv("DEVICE_CONNECTION_STRING"));
    options.ca_file = twin_s(getenv("TWIN_CA_FILE"));
    if ((result = twin_client_new(&options, &client, &error)) != TWIN_OK) return failed("options", result, error);
    result = twin_client_report(client, twin_s("{\"connectivity\":{\"type\":\"cellular\"}}"), 30000, NULL, &error);
    if (result != TWIN_OK) return failed("report", result, error);
    if ((result = twin_client_on_desired(client, on_desired, NULL, &error)) != TWIN_OK)
        return failed("desired", result, error);
    while (getchar() != EOF) continue; /* until the input ends */
    twin_client_close(client, 5000, NULL);
    return 0;
}
