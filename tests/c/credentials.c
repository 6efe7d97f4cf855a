/* Who a device is: certificates from files and from memory, tokens that the program renews. */
#include <pthread.h>
#include <time.h>

#include "check.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t told = PTHREAD_COND_INITIALIZER;
static uint64_t ends_at;

static void on_expiring(void *userdata, uint64_t expires_at) {
    CHECK(userdata == &ends_at);
    pthread_mutex_lock(&lock);
    ends_at = expires_at;
    pthread_cond_signal(&told);
    pthread_mutex_unlock(&lock);
}

/* The text of the file that a variable names. */
static char *contents(const char *variable) {
    FILE *file = fopen(getenv(variable), "r");
    char *text = (char *)calloc(1, 1 << 16);
    CHECK(file && text && fread(text, 1, (1 << 16) - 1, file) > 0);
    fclose(file);
    return text;
}

static twin_client_options nobody(void) {
    twin_client_options options = twin_client_options_init();
    options.host_name = twin_s(getenv("HOST_NAME"));
    options.ca_file = twin_s(getenv("TWIN_CA_FILE"));
    options.flags = TWIN_FLAG_NO_RETRY;
    return options;
}

static void lets_in(twin_result want, const twin_client_options *options) {
    twin_client client;
    twin_error error = {0};
    twin_string twin;

    OK(twin_client_new(options, &client, &error));
    EXPECT(want, twin_client_open(client, 60000, &error));
    if (want == TWIN_OK) {
        OK(twin_client_get_twin(client, 0, &twin, &error));
        twin_string_free(&twin);
    }
    OK(twin_client_close(client, 10000, &error));
}

static void certificates(void) {
    twin_client_options options = nobody();
    twin_client client;
    twin_error error = {0};
    char *certificate = contents("CERTIFICATE_FILE"), *key = contents("KEY_FILE"), *other = contents("OTHER_KEY_FILE");

    options.device_id = twin_s("sensor");
    for (options.transport = TWIN_TRANSPORT_MQTT; options.transport <= TWIN_TRANSPORT_AMQP_WS; options.transport++) {
        options.certificate_file = twin_s(getenv("CERTIFICATE_FILE"));
        options.key_file = twin_s(getenv("KEY_FILE"));
        lets_in(TWIN_OK, &options);
        options.certificate_file = options.key_file = twin_s(NULL);
        options.certificate_pem = twin_s(certificate);
        options.key_pem = twin_s(key);
        lets_in(TWIN_OK, &options);
        options.certificate_pem = options.key_pem = twin_s(NULL);
    }
    options.transport = TWIN_TRANSPORT_MQTT;
    options.certificate_file = twin_s(getenv("OTHER_CERTIFICATE_FILE"));
    options.key_file = twin_s(getenv("OTHER_KEY_FILE"));
    lets_in(TWIN_UNAUTHORIZED, &options);

    options.certificate_file = options.key_file = twin_s(NULL);
    options.certificate_pem = twin_s(certificate);
    options.key_pem = twin_s(other);
    EXPECT(TWIN_INVALID_ARGUMENT, twin_client_new(&options, &client, &error));
    options.certificate_file = twin_s(getenv("CERTIFICATE_FILE"));
    EXPECT(TWIN_INVALID_ARGUMENT, twin_client_new(&options, &client, &error));
    free(certificate);
    free(key);
    free(other);
}

static twin_string token(const char *device, uint64_t lifetime) {
    char resource[300];
    const char *key = strstr(getenv("DEVICE_CONNECTION_STRING"), "SharedAccessKey=");
    twin_string made;
    twin_error error = {0};

    CHECK(key);
    snprintf(resource, sizeof resource, "%s/devices/%s", getenv("HOST_NAME"), device);
    OK(twin_sas_make(twin_s(resource), twin_s(key + strlen("SharedAccessKey=")), twin_s(NULL), (uint64_t)time(NULL) + lifetime,
                     &made, &error));
    return made;
}

static void tokens(void) {
    twin_client_options options = nobody();
    twin_client client;
    twin_error error = {0};
    twin_string soon = token("lamp", 4), later = token("lamp", 7200), foreign = token("other", 3600);

    options.device_id = twin_s("lamp");
    options.sas_token = twin_view(foreign);
    CHECK(twin_client_new(&options, &client, NULL) != TWIN_OK ||
          (twin_client_open(client, 60000, NULL) == TWIN_UNAUTHORIZED && twin_client_close(client, 0, NULL) == TWIN_OK));

    options.sas_token = twin_view(soon);
    OK(twin_client_new(&options, &client, &error));
    OK(twin_client_on_token_expiring(client, on_expiring, &ends_at, &error));
    OK(twin_client_open(client, 60000, &error));
    pthread_mutex_lock(&lock);
    while (!ends_at) pthread_cond_wait(&told, &lock);
    CHECK(ends_at <= (uint64_t)time(NULL) + 4);
    pthread_mutex_unlock(&lock);
    OK(twin_client_update_sas(client, twin_view(later), &error));
    OK(twin_client_report(client, twin_s("{\"renewed\":true}"), 60000, NULL, &error));
    EXPECT(TWIN_INVALID_ARGUMENT, twin_client_update_sas(client, twin_s("later"), &error));
    EXPECT(TWIN_INVALID_ARGUMENT, twin_client_update_sas(client, twin_s("\xff"), &error));
    OK(twin_client_close(client, 10000, &error));

    /* One that has a key makes its own. */
    options = from_environment("DEVICE_CONNECTION_STRING");
    OK(twin_client_new(&options, &client, &error));
    EXPECT(TWIN_INVALID_ARGUMENT, twin_client_update_sas(client, twin_view(later), &error));
    OK(twin_client_close(client, 0, &error));
    twin_string_free(&soon);
    twin_string_free(&later);
    twin_string_free(&foreign);
}

int main(void) {
    certificates();
    tokens();
    puts("all is well");
    return 0;
}
