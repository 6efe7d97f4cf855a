/* twin.h: device twins for C. libtwin speaks to Azure IoT Hub and to the local hub: devices, modules, backends.
 *
 * Made from the library's source by cbindgen; a test compares it. C99 and C++.
 *
 * A DEVICE
 *
 *     twin_client_options options = twin_client_options_init();
 *     options.connection_string = twin_s(getenv("DEVICE_CONNECTION_STRING"));
 *     twin_client client;
 *     twin_error error = {0};
 *     if (twin_client_new(&options, &client, &error) != TWIN_OK) ...
 *     twin_client_report(client, twin_s("{\"lit\":true}"), 0, NULL, &error);
 *     twin_client_close(client, 5000, NULL);
 *
 * OWNERSHIP. Handles (twin_client, twin_pool, twin_registry, twin_query, twin_error) are small values; copies are the same thing.
 * Whoever makes one ends it: twin_client_close, twin_pool_close, twin_registry_close, twin_query_close, twin_error_free. A handle that was ended is known
 * as such: using or ending it again is TWIN_CLOSED and harmless; one that never was is TWIN_INVALID_ARGUMENT. Text that comes in
 * a twin_string is the caller's, who frees it with twin_string_free; text in a twin_str belongs to somebody else: as an
 * argument it is read during the call and not kept, in a callback it lives until the callback returns, from twin_error_get
 * until the error is freed.
 *
 * RESULTS. Every function returns a twin_result. Outputs come last and are written only on success. `error`, the very last, may be
 * NULL; it is written only on failure, and then wants twin_error_free. A null output that is needed, text that is not UTF-8, JSON
 * that is none, a number that names nothing: TWIN_INVALID_ARGUMENT with a message, and nothing has happened. What cannot be noticed:
 * a pointer to memory that is not there, and a length that is longer than its text.
 *
 * THREADS. Every function may be called on any thread at any time, on one handle by many threads at once. The library has two
 * threads of its own, started by the first client or registry and kept until the process ends. Callbacks come on
 * one of them ("twin-callbacks"), one after another, for all handles; or, with TWIN_FLAG_OWN_LOOP, on the thread that calls
 * twin_client_poll or twin_registry_poll, when the descriptor of twin_client_fd or twin_registry_fd polls readable.
 *
 * CALLBACKS may call everything, twin_client_close of their own client included. One that takes long holds up the others, never
 * the connection. Once twin_client_close has returned, none of the client's callbacks runs or comes, unless it was called from
 * one. An asynchronous request that was accepted (TWIN_OK) ends in exactly one call of its `done`, at the close at the latest. Do
 * not close a handle while holding a lock that one of its callbacks takes. No C++ exception and no longjmp may leave a callback.
 *
 * TIME. `timeout_ms` bounds one call; 0 leaves it to the handle's own limits. A blocking call that ends in TWIN_TIMEOUT has given its
 * request up; the hub may have acted on it all the same (delivery).
 *
 * FORK. A child of fork() that does not exec must not use a library that its parent had started: every function returns
 * TWIN_FORKED there, touches nothing and writes no error. Its parent is not disturbed. Descriptors are closed by exec.
 *
 * SIGNALS. The library's threads block all signals, so handlers run on the program's threads; the library installs none and
 * raises no SIGPIPE. A blocking call is not interrupted by a signal.
 *
 * FAULTS. A panic inside of the library becomes TWIN_PANIC; the handle it happened to is closed. A system that gives no thread, no
 * descriptor, or no memory for a text that comes out: TWIN_INTERNAL, and the call may be made again. When there is no memory for the
 * library's own needs, it ends the process (abort, with a line on stderr), as it could keep no promise.
 *
 * GROWTH. Functions, numbers and members at the end of options may be added; none change. Link against libtwin.so.0.
 *
 * JSON is UTF-8 text; members of objects come out sorted by name. A small reader is included: twin_json_string and its kin.
 */


#ifndef TWIN_H
#define TWIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>


// How a call ended. The numbers are permanent; new ones may be added.
enum twin_result
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // It worked; outputs are written.
  TWIN_OK = 0,
  // The caller gave something that cannot be: a bad id, connection string, patch, query, option, pointer or handle.
  TWIN_INVALID_ARGUMENT = 1,
  // The handle was closed by its owner; the call came too late.
  TWIN_CLOSED = 2,
  // The caller gave up on the request before it ended.
  TWIN_CANCELLED = 3,
  // The other side refused the credential: wrong key, expired token, unknown or disabled device.
  TWIN_UNAUTHORIZED = 4,
  // The credential is good but may not do this, or a quota forbids it.
  TWIN_FORBIDDEN = 5,
  // The device, module, job, path or JSON value does not exist.
  TWIN_NOT_FOUND = 6,
  // What was to be created exists already.
  TWIN_ALREADY_EXISTS = 7,
  // The etag or version that the caller named is not the current one.
  TWIN_PRECONDITION_FAILED = 8,
  // The hub understood the request and refused its content (HTTP 400 and kin).
  TWIN_REJECTED = 9,
  // A message, twin section or document is over its size limit.
  TWIN_TOO_LARGE = 10,
  // The hub asks to slow down (HTTP 429).
  TWIN_THROTTLED = 11,
  // The hub cannot serve now (HTTP 5xx, server unavailable).
  TWIN_UNAVAILABLE = 12,
  // No answer within the time allowed.
  TWIN_TIMEOUT = 13,
  // The connection could not be made or was lost.
  TWIN_NETWORK = 14,
  // The TLS handshake failed: untrusted, expired or wrongly named certificate.
  TWIN_TLS = 15,
  // The other side said something that its protocol does not allow.
  TWIN_PROTOCOL = 16,
  // The operation, transport or option does not exist here.
  TWIN_NOT_SUPPORTED = 17,
  // The hub's disk failed: full, locked by another process, damaged.
  TWIN_STORAGE = 18,
  // A fault in this library; please report it.
  TWIN_INTERNAL = 19,
  // A fault in this library, caught in time; the handle is closed. Please report it.
  TWIN_PANIC = 1000,
  // The process forked after the library had started; the child must not use it (see the top of this file).
  TWIN_FORKED = 1001,
  // There is no further row. Comes without an error handle.
  TWIN_END = 1002,
  // As many asynchronous requests as one handle may have wait already.
  TWIN_BUSY = 1003,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum twin_result twin_result;
#else
typedef uint32_t twin_result;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// How a device's words travel. The numbers are permanent.
enum twin_transport
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // What the library thinks best: MQTT.
  TWIN_TRANSPORT_DEFAULT = 0,
  // MQTT over TLS, port 8883.
  TWIN_TRANSPORT_MQTT = 1,
  // MQTT over a secure WebSocket, port 443: for networks that let only HTTPS out.
  TWIN_TRANSPORT_MQTT_WS = 2,
  // AMQP 1.0 over TLS, port 5671.
  TWIN_TRANSPORT_AMQP = 3,
  // AMQP 1.0 over a secure WebSocket, port 443.
  TWIN_TRANSPORT_AMQP_WS = 4,
  // HTTPS, port 443: telemetry and messages from the cloud. IoT Hub has no device twins over it: requests for them are
  // TWIN_NOT_SUPPORTED.
  TWIN_TRANSPORT_HTTP = 5,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum twin_transport twin_transport;
#else
typedef uint32_t twin_transport;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Bits of `flags` in options.
enum twin_flag
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // Callbacks are made by twin_client_poll or twin_registry_poll, on the caller's thread, instead of the library's.
  TWIN_FLAG_OWN_LOOP = 1,
  // The system's certificates are not trusted, only those of ca_pem and ca_file.
  TWIN_FLAG_NO_SYSTEM_TRUST = 2,
  // Reports that wait are sent one by one instead of merged.
  TWIN_FLAG_SEPARATE_REPORTS = 4,
  // The first lost connection ends the attempt, and a refused request is final. (What gets no answer is asked again all the
  // same, while its time lasts.)
  TWIN_FLAG_NO_RETRY = 8,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum twin_flag twin_flag;
#else
typedef uint32_t twin_flag;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// The state of a connection.
enum twin_state
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // No connection; a callback's retry_in_ms tells whether another attempt follows.
  TWIN_STATE_DISCONNECTED = 1,
  // One is being made.
  TWIN_STATE_CONNECTING = 2,
  // Connected.
  TWIN_STATE_CONNECTED = 3,
  // Closed by its owner, for good.
  TWIN_STATE_CLOSED = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum twin_state twin_state;
#else
typedef uint32_t twin_state;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What a desired callback is given.
enum twin_desired
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // The whole desired section as it stands at `version`: first, and again whenever steps were missed.
  TWIN_DESIRED_WHOLE = 1,
  // A merge patch that leads from the version before to `version`; null removes.
  TWIN_DESIRED_PATCH = 2,
  // Nothing follows: the credential or the subscription was refused; `error` says why. Subscribe again when it is cured.
  TWIN_DESIRED_ENDED = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum twin_desired twin_desired;
#else
typedef uint32_t twin_desired;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Whether the hub may have acted on a request that failed.
enum twin_delivery
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // Nothing is known: no request was involved.
  TWIN_DELIVERY_NONE = 0,
  // The request never left: nothing can have happened.
  TWIN_DELIVERY_NOT_SENT = 1,
  // The request left and no answer came: it may have happened.
  TWIN_DELIVERY_UNKNOWN = 2,
  // The hub answered with a refusal: it did not happen.
  TWIN_DELIVERY_REFUSED = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum twin_delivery twin_delivery;
#else
typedef uint32_t twin_delivery;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What becomes of a message from the cloud.
enum twin_settlement
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // Done: the hub forgets it.
  TWIN_SETTLEMENT_COMPLETE = 0,
  // Not wanted: the hub forgets it, and tells its sender if that one asked. Not over MQTT.
  TWIN_SETTLEMENT_REJECT = 1,
  // Not now: the hub delivers it again. Not over MQTT.
  TWIN_SETTLEMENT_ABANDON = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum twin_settlement twin_settlement;
#else
typedef uint32_t twin_settlement;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Text that somebody else owns: UTF-8 bytes and how many. {NULL, 0} is no text. As an input it must stay valid during the
// call, as a callback's argument it is until the callback returns. It need not end in NUL; what the library hands out does.
// twin_s("text") makes one of a C string.
typedef struct {
  // The first byte; NULL: no text.
  const char *data;
  // How many bytes, a closing NUL not counted. One that lies makes the library read what is not there.
  size_t len;
} twin_str;

// Connections that devices share. Made by twin_pool_new, ended by twin_pool_close, used by the `pool` of a device's options.
// {0} is none: a connection for each device.
typedef struct {
  // The library's business.
  uint64_t id;
} twin_pool;

// Everything that can be chosen for a device or module. Zero every byte, set `size` (twin_client_options_init does both), then
// what is wanted: whatever is zero has its default. The library copies what it needs.
//
// Who it is: `connection_string`, or `host_name`, `device_id`, for a module `module_id`, and one of `shared_access_key`,
// `sas_token`, or a certificate with its key.
typedef struct {
  // sizeof(twin_client_options). More than the library knows must be zero, or is TWIN_NOT_SUPPORTED.
  size_t size;
  // "HostName=...;DeviceId=...[;ModuleId=...];SharedAccessKey=...|SharedAccessSignature=...|x509=true[;GatewayHostName=...]"
  twin_str connection_string;
  // The hub: "name.azure-devices.net", with a port if it is not the transport's own.
  twin_str host_name;
  // The device.
  twin_str device_id;
  // The module; no text: a device.
  twin_str module_id;
  // The device's own key, in base64.
  twin_str shared_access_key;
  // "SharedAccessSignature sr=...": renewed by the program, see twin_client_update_sas.
  twin_str sas_token;
  // Certificate chain in PEM, leaf first, for X.509; together with key_pem.
  twin_str certificate_pem;
  // Its private key in PEM.
  twin_str key_pem;
  // Likewise the name of a file, read once, now; together with key_file.
  twin_str certificate_file;
  // Likewise.
  twin_str key_file;
  // Certificates to trust beside the system's, in PEM.
  twin_str ca_pem;
  // Likewise the name of a file, read once, now.
  twin_str ca_file;
  // "http://[user:password@]host:port"; "none"; no text: what HTTPS_PROXY, ALL_PROXY and NO_PROXY say.
  twin_str proxy;
  // A gateway to connect to instead of the hub.
  twin_str gateway_host_name;
  // Who made the device, for the hub's statistics.
  twin_str product_info;
  // The DTDL model that the device announces.
  twin_str model_id;
  // A twin_transport.
  uint32_t transport;
  // Bits of twin_flag.
  uint32_t flags;
  // MQTT keep-alive, in seconds, 1 to 1177. Default: 180.
  uint32_t keep_alive_s;
  // From dialing to the end of the handshakes, in milliseconds. Default: 30,000.
  uint32_t connect_timeout_ms;
  // Longest a request may take in all, reconnections included, in milliseconds. Default: 240,000.
  uint32_t request_timeout_ms;
  // Longest wait for one answer while connected, in milliseconds. Default: 30,000.
  uint32_t answer_timeout_ms;
  // Lifetime of tokens made from a key, in seconds. Default: 3600.
  uint32_t token_lifetime_s;
  // Bound of the first wait before connecting again, in milliseconds; doubles each time. Default: 1000.
  uint32_t retry_first_ms;
  // Bound of every such wait, in milliseconds. Default: 60,000.
  uint32_t retry_max_ms;
  // Trying to connect ends after this, in milliseconds. Default: never.
  uint32_t retry_give_up_ms;
  // Connections to share with other devices; they decide about transport and trust. Default: {0}, a connection of its own.
  twin_pool pool;
} twin_client_options;

// A device or a module. Made by twin_client_new, ended by twin_client_close. A value that may be copied and used on any
// thread; using it after it was closed is the result TWIN_CLOSED. {0} is no client.
typedef struct {
  // The library's business.
  uint64_t id;
} twin_client;

// Everything known about a failure. Made by a failing call whose `error` is not NULL; read by twin_error_get; freed by
// twin_error_free, or by the library after the callback that it was given to. {0} is no error.
typedef struct {
  // The library's business.
  uint64_t id;
} twin_error;

// Text that the caller owns: freed by twin_string_free. Ends in NUL, which `len` does not count.
typedef struct {
  // The first byte.
  char *data;
  // How many bytes, without the closing NUL.
  size_t len;
} twin_string;

// The end of an asynchronous request, called exactly once for each that was accepted.
//
// userdata: what was given with the request.
// result: how it ended.
// json: the twin, identity or row; {NULL, 0} where there is none. Valid during the call.
// version: the new reported $version of a report, where the hub told it; else 0.
// error: what happened if it failed, valid during the call: do not free it; else {0}.
typedef void (*twin_done_fn)(void *userdata,
                             twin_result result,
                             twin_str json,
                             uint64_t version,
                             twin_error error);

// What twin_error_get tells. The texts belong to the error and live until it is freed.
typedef struct {
  // What the failing call returned.
  uint32_t result;
  // The status that the hub answered with (an HTTP status on every transport); 0: none.
  uint32_t status;
  // The hub's numeric error code, for example 404001; 0: none.
  uint32_t code;
  // A twin_delivery.
  uint32_t delivery;
  // How long the hub asks to wait, in milliseconds; 0: it does not ask.
  uint64_t retry_after_ms;
  // Whether the same call, made again later, may succeed.
  bool retryable;
  // For people; names the thing, the place and the rule. Never a secret.
  twin_str message;
  // The hub's symbolic error code, for example "DeviceNotFound"; {NULL, 0}: none.
  twin_str code_name;
  // The hub's tracking id, to quote when asking its operator; {NULL, 0}: none.
  twin_str tracking_id;
} twin_error_info;

// Told of a message from the cloud.
//
// userdata: what was given to twin_client_on_message.
// body: any bytes, a NUL behind them. Valid during the call.
// about: JSON: {"messageId":"...","correlationId":"...","contentType":"...","contentEncoding":"...","properties":{"name":"value"}},
// members that are not there left out. Valid during the call.
// Returns a twin_settlement, any other number being TWIN_SETTLEMENT_ABANDON. Where it cannot be done, as when the connection
// is lost meanwhile, the hub delivers the message again.
typedef uint32_t (*twin_message_fn)(void *userdata, twin_str body, twin_str about);

// A hub's service side. Made by twin_registry_new, ended by twin_registry_close; used like a twin_client.
typedef struct {
  // The library's business.
  uint64_t id;
} twin_registry;

// The rows of a query. Made by twin_registry_query, ended by twin_query_close.
typedef struct {
  // The library's business.
  uint64_t id;
} twin_query;

// Everything that can be chosen for a registry; filled like twin_client_options.
typedef struct {
  // sizeof(twin_registry_options).
  size_t size;
  // "HostName=...;SharedAccessKeyName=...;SharedAccessKey=..." (or SharedAccessSignature=...).
  twin_str connection_string;
  // Certificates to trust beside the system's, in PEM.
  twin_str ca_pem;
  // Likewise the name of a file, read once, now.
  twin_str ca_file;
  // As in twin_client_options.
  twin_str proxy;
  // Bits of twin_flag: OWN_LOOP, NO_SYSTEM_TRUST, NO_RETRY.
  uint32_t flags;
  // From dialing to the end of the handshakes, in milliseconds. Default: 30,000.
  uint32_t connect_timeout_ms;
  // How long one attempt may take in all, in milliseconds. Default: 60,000.
  uint32_t request_timeout_ms;
  // Lifetime of tokens made from a key, in seconds, at least 60. Default: 3600.
  uint32_t token_lifetime_s;
  // Attempts of one request, the first included. Default: 8.
  uint32_t max_attempts;
  // No attempt starts later than this after the first, in milliseconds. Default: 120,000.
  uint32_t retry_give_up_ms;
} twin_registry_options;

// Told of desired properties: in order, each version once.
//
// userdata: what was given to twin_client_on_desired.
// kind: a twin_desired.
// json: a JSON object, without members that begin with $; {NULL, 0} at the end. Valid during the call.
// version: the $version that it leads to.
// error: {0}, or at the end why; valid during the call, do not free it.
typedef void (*twin_desired_fn)(void *userdata,
                                uint32_t kind,
                                twin_str json,
                                uint64_t version,
                                twin_error error);

// Told of the connection's state: first as it is, then as it changes.
//
// userdata: what was given to twin_client_on_state.
// state: a twin_state.
// retry_in_ms: when disconnected: the next attempt follows in so many milliseconds; -1: not before the program asks.
// error: when disconnected: why; {0} where there is no reason. Valid during the call, do not free it.
typedef void (*twin_state_fn)(void *userdata, uint32_t state, int64_t retry_in_ms, twin_error error);

// Told when a given token ends soon: time for twin_client_update_sas. Once per token.
//
// userdata: what was given to twin_client_on_token_expiring.
// expires_at: seconds since 1970-01-01 UTC.
typedef void (*twin_expiring_fn)(void *userdata, uint64_t expires_at);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Makes a client of a device or module. Connects to nothing yet: that begins with twin_client_open or any request.
//
// options: in, not NULL.
// out: out, not NULL.
// error: out, may be NULL.
// Results: TWIN_INVALID_ARGUMENT, whose message names the option and its rule; TWIN_NOT_SUPPORTED: a transport, flag or
// option that this version does not have.
twin_result twin_client_new(const twin_client_options *options,
                            twin_client *out,
                            twin_error *error);

// Connects, and stays connected from now on, through lost connections and renewed tokens. Not needed before other
// requests, which connect as well: it tells early whether the credential is good.
//
// client: in.
// timeout_ms: in, milliseconds; 0: the client's request timeout. After TWIN_TIMEOUT the client goes on trying.
// error: out, may be NULL.
// Results: TWIN_UNAUTHORIZED, TWIN_TLS and others that stay until somebody changes something; TWIN_TIMEOUT; TWIN_CLOSED.
twin_result twin_client_open(twin_client client,
                             uint32_t timeout_ms,
                             twin_error *error);

// Reads the twin, as the device sees it.
//
// client: in.
// timeout_ms: in, milliseconds; 0: the client's request timeout.
// twin: out, not NULL: {"desired":{...,"$version":n},"reported":{...,"$version":n}}; free with twin_string_free.
// error: out, may be NULL.
// Results: what the hub answered; TWIN_TIMEOUT; TWIN_CLOSED.
twin_result twin_client_get_twin(twin_client client,
                                 uint32_t timeout_ms,
                                 twin_string *twin,
                                 twin_error *error);

// Merges a patch into the reported properties: its members are set, those that are null are removed, all others stay.
// Reports take effect in the order in which they were made; one that gets no answer is sent again.
//
// client: in.
// patch: in, a JSON object.
// timeout_ms: in, milliseconds; 0: the client's request timeout.
// version: out, may be NULL: the new reported $version; 0 where the hub did not tell it.
// error: out, may be NULL; its delivery tells whether the hub may have taken the report.
// Results: TWIN_INVALID_ARGUMENT, TWIN_TOO_LARGE and kin before anything is sent, with the member and the rule; what the
// hub answered; TWIN_TIMEOUT; TWIN_CLOSED.
twin_result twin_client_report(twin_client client,
                               twin_str patch,
                               uint32_t timeout_ms,
                               uint64_t *version,
                               twin_error *error);

// twin_client_report, if the $version of the reported properties still is `if_version`. Never sent twice.
//
// client, patch, timeout_ms, version, error: as for twin_client_report.
// if_version: in, the $version that the program knows.
// Results: as for twin_client_report, and TWIN_PRECONDITION_FAILED.
twin_result twin_client_report_if_version(twin_client client,
                                          twin_str patch,
                                          uint64_t if_version,
                                          uint32_t timeout_ms,
                                          uint64_t *version,
                                          twin_error *error);

// Replaces the token that the device was given (sas_token, or SharedAccessSignature in the connection string).
//
// client: in.
// token: in, "SharedAccessSignature sr=...".
// error: out, may be NULL.
// Results: TWIN_INVALID_ARGUMENT if it is no token, or the device has a key or certificate; TWIN_CLOSED.
twin_result twin_client_update_sas(twin_client client,
                                   twin_str token,
                                   twin_error *error);

// The state of the connection now.
//
// client: in.
// state: out, not NULL: a twin_state.
// error: out, may be NULL.
// Results: TWIN_CLOSED once the handle is closed.
twin_result twin_client_state(twin_client client, uint32_t *state, twin_error *error);

// The descriptor of a client that was made with TWIN_FLAG_OWN_LOOP: readable (POLLIN) while callbacks wait. Do not read
// from it or close it; it is closed some time after twin_client_close, so take it out of the loop before.
//
// client: in.
// descriptor: out, not NULL.
// error: out, may be NULL.
// Results: TWIN_INVALID_ARGUMENT without the flag; TWIN_CLOSED.
twin_result twin_client_fd(twin_client client,
                           int *descriptor,
                           twin_error *error);

// Makes the callbacks that wait, on this thread. Does not wait for any.
//
// client: in.
// made: out, may be NULL: how many.
// error: out, may be NULL.
// Results: TWIN_INVALID_ARGUMENT without TWIN_FLAG_OWN_LOOP; TWIN_CLOSED.
twin_result twin_client_poll(twin_client client, uint32_t *made, twin_error *error);

// Ends every request (TWIN_CLOSED), says goodbye to the hub, and ends the handle. When it has returned, no callback of this
// client comes any more; called from a callback of the client, the ends of asynchronous requests come after that one has
// returned. With TWIN_FLAG_OWN_LOOP they are made inside of this call.
//
// client: in.
// timeout_ms: in, milliseconds, how long the goodbye may take; 0: no limit of its own. The handle ends in any case.
// error: out, may be NULL.
// Results: TWIN_CLOSED if it was closed before; TWIN_TIMEOUT if the hub did not hear the goodbye.
twin_result twin_client_close(twin_client client,
                              uint32_t timeout_ms,
                              twin_error *error);

// twin_client_open in the background.
//
// client: in.
// timeout_ms: in, milliseconds; 0: the client's request timeout.
// done: in, not NULL: called once, unless this call fails.
// userdata: in, may be NULL: handed to `done`.
// error: out, may be NULL: why the request was not accepted.
// Results: TWIN_OK: accepted; TWIN_BUSY: 1024 requests wait already; TWIN_INVALID_ARGUMENT; TWIN_CLOSED.
twin_result twin_client_open_async(twin_client client,
                                   uint32_t timeout_ms,
                                   twin_done_fn done,
                                   void *userdata,
                                   twin_error *error);

// twin_client_get_twin in the background; `done` gets the twin as JSON.
//
// Arguments and results: as for twin_client_open_async.
twin_result twin_client_get_twin_async(twin_client client,
                                       uint32_t timeout_ms,
                                       twin_done_fn done,
                                       void *userdata,
                                       twin_error *error);

// twin_client_report in the background; `done` gets the version.
//
// patch: in, a JSON object; copied.
// Other arguments and results: as for twin_client_open_async.
twin_result twin_client_report_async(twin_client client,
                                     twin_str patch,
                                     uint32_t timeout_ms,
                                     twin_done_fn done,
                                     void *userdata,
                                     twin_error *error);

// Tells what an error is about.
//
// error: in; one that has not been freed.
// info_size: in; sizeof(twin_error_info): what of it the program knows. More than the library knows is left as it is.
// info: out, not NULL.
// Results: TWIN_OK; TWIN_CLOSED: it was freed; TWIN_INVALID_ARGUMENT: {0}, no error, a NULL or a size too small.
twin_result twin_error_get(twin_error error,
                           size_t info_size,
                           twin_error_info *info);

// Frees an error, and with it the texts that twin_error_get told. Freeing {0}, or twice, does nothing.
//
// error: in.
void twin_error_free(twin_error error);

// The string at a path.
//
// json: in, a JSON document.
// path: in: names between dots, indices as numbers, "desired.rooms.0.name"; or a JSON pointer (RFC 6901), which begins
// with a slash, for names with dots in them. "": the whole document.
// value: out, not NULL; free with twin_string_free.
// error: out, may be NULL.
// Results: TWIN_NOT_FOUND: nothing there; TWIN_INVALID_ARGUMENT: not JSON, or something else is there.
twin_result twin_json_string(twin_str json,
                             twin_str path,
                             twin_string *value,
                             twin_error *error);

// The number at a path; integers beyond 2^53 are rounded.
//
// value: out, not NULL.
// Other arguments and results: as for twin_json_string.
twin_result twin_json_number(twin_str json, twin_str path, double *value, twin_error *error);

// The integer at a path.
//
// value: out, not NULL.
// Other arguments and results: as for twin_json_string; a number with a fraction or beyond 64 bits is something else.
twin_result twin_json_integer(twin_str json,
                              twin_str path,
                              int64_t *value,
                              twin_error *error);

// The boolean at a path.
//
// value: out, not NULL.
// Other arguments and results: as for twin_json_string.
twin_result twin_json_bool(twin_str json, twin_str path, bool *value, twin_error *error);

// Whatever is at a path, as JSON text.
//
// value: out, not NULL; free with twin_string_free.
// Other arguments and results: as for twin_json_string.
twin_result twin_json_value(twin_str json, twin_str path, twin_string *value, twin_error *error);

// Sends telemetry; returns when the hub has it. Messages arrive at least once and in the order they were sent.
//
// client: in.
// body: in, any bytes; up to 256 KB together with what is told about them.
// about: in, JSON: {"messageId":"...","correlationId":"...","contentType":"...","contentEncoding":"...","properties":{"name":
// "value"}}, each member may be left out; no text: nothing.
// timeout_ms: in, milliseconds; 0: the client's request timeout.
// error: out, may be NULL; its delivery tells whether the hub may have the message.
// Results: TWIN_INVALID_ARGUMENT; TWIN_TOO_LARGE; what the hub answered; TWIN_TIMEOUT; TWIN_CLOSED.
twin_result twin_client_send(twin_client client,
                             twin_str body,
                             twin_str about,
                             uint32_t timeout_ms,
                             twin_error *error);

// twin_client_send in the background; body and about are copied, `done` gets neither JSON nor version.
//
// Arguments and results: as for twin_client_send and twin_client_open_async.
twin_result twin_client_send_async(twin_client client,
                                   twin_str body,
                                   twin_str about,
                                   uint32_t timeout_ms,
                                   twin_done_fn done,
                                   void *userdata,
                                   twin_error *error);

// Asks for the messages that backends send to the device. Replaces the callback there was. Over HTTPS the hub is asked once a
// second, elsewhere it tells by itself.
//
// client: in. Connects, if it is not connected.
// callback: in; NULL ends the subscription. Its result says what becomes of the message.
// userdata: in, may be NULL: handed to the callback.
// error: out, may be NULL.
// Results: TWIN_CLOSED.
twin_result twin_client_on_message(twin_client client,
                                   twin_message_fn callback,
                                   void *userdata,
                                   twin_error *error);

// Makes a pool: for gateways that speak for many devices of one hub, where a connection for each costs too much. Connects to
// nothing yet. Each of the devices is a client of its own, with its own key or token; certificates cannot share.
//
// options: in, not NULL: host_name, transport (TWIN_TRANSPORT_AMQP or AMQP_WS; the default is AMQP), what is trusted, proxy,
// connect_timeout_ms. Members that are a device's are not looked at.
// devices_per_connection: in, 1 to 995; 0: 500. When all connections are full, a further one is made.
// out: out, not NULL.
// error: out, may be NULL.
// Results: TWIN_INVALID_ARGUMENT, with the option and its rule; so are transports that devices cannot share.
twin_result twin_pool_new(const twin_client_options *options,
                          uint32_t devices_per_connection,
                          twin_pool *out,
                          twin_error *error);

// How many connections there are now.
//
// pool: in.
// connections: out, not NULL.
// error: out, may be NULL.
// Results: TWIN_CLOSED.
twin_result twin_pool_connections(twin_pool pool, uint32_t *connections, twin_error *error);

// Ends the handle. Devices that were made with the pool go on; its connections end with the last of them.
//
// pool: in.
// error: out, may be NULL.
// Results: TWIN_CLOSED if it was closed before.
twin_result twin_pool_close(twin_pool pool, twin_error *error);

// The library's version, "0.1.0"; lives as long as the program.
const char *twin_version(void);

// Applies a merge patch (RFC 7396) as the hub does.
//
// target, patch: in, JSON objects; null in the patch removes.
// merged: out, not NULL; free with twin_string_free.
// error: out, may be NULL.
// Results: TWIN_INVALID_ARGUMENT.
twin_result twin_merge(twin_str target, twin_str patch, twin_string *merged, twin_error *error);

// The merge patch that leads from one object to another.
//
// before, after: in, JSON objects.
// patch: out, not NULL; free with twin_string_free.
// error: out, may be NULL.
// Results: TWIN_INVALID_ARGUMENT.
twin_result twin_diff(twin_str before, twin_str after, twin_string *patch, twin_error *error);

// Signs a shared access signature.
//
// resource: in, not encoded: "host", "host/devices/d" or "host/devices/d/modules/m".
// key: in, base64.
// policy: in, the shared access policy that the key belongs to; no text: a device's or module's own key.
// expires_at: in, seconds since 1970-01-01 UTC.
// token: out, not NULL: a secret. Free with twin_string_free.
// error: out, may be NULL.
// Results: TWIN_INVALID_ARGUMENT.
twin_result twin_sas_make(twin_str resource,
                          twin_str key,
                          twin_str policy,
                          uint64_t expires_at,
                          twin_string *token,
                          twin_error *error);

// Checks a shared access signature: that it covers the resource, is not expired (clocks may differ by 300 s), and was
// signed with the key.
//
// token: in, "SharedAccessSignature sr=...".
// resource: in, as for twin_sas_make.
// key: in, base64.
// now: in, seconds since 1970-01-01 UTC.
// error: out, may be NULL: which of the three failed.
// Results: TWIN_OK: it is good; TWIN_UNAUTHORIZED: it is not; TWIN_INVALID_ARGUMENT: it is no token.
twin_result twin_sas_check(twin_str token,
                           twin_str resource,
                           twin_str key,
                           uint64_t now,
                           twin_error *error);

// Reads a connection string, of a device, a module or a backend.
//
// text: in.
// parts: out, not NULL: JSON without the secrets: {"hostName":"...","deviceId":"...","moduleId":"...","policy":"...",
// "gatewayHostName":"...","credential":"key"|"token"|"certificate"}, members that are not there left out. Free with twin_string_free.
// error: out, may be NULL.
// Results: TWIN_INVALID_ARGUMENT, whose message names the part and never repeats its value.
twin_result twin_connection_string_parse(twin_str text,
                                         twin_string *parts,
                                         twin_error *error);

// Reads a query as the hub would, and writes it in the usual spelling.
//
// text: in.
// normal: out, may be NULL; free with twin_string_free.
// error: out, may be NULL: what is wrong, and where.
// Results: TWIN_INVALID_ARGUMENT or TWIN_REJECTED: it is no query.
twin_result twin_query_parse(twin_str text, twin_string *normal, twin_error *error);

// Builds a query into which nothing can be injected: values become constants, paths become names.
//
// source: in, "devices" or "devices.modules".
// conditions: in, a JSON array of [path, operator, value], all of which must hold:
// [["tags.plant","=","Redmond43"],["properties.reported.on","is_defined"]]. Operators: = != < <= > >= in nin is_defined; `in` and
// `nin` take an array. No text: every twin.
// text: out, not NULL; free with twin_string_free.
// error: out, may be NULL.
// Results: TWIN_INVALID_ARGUMENT, whose message names the condition.
twin_result twin_query_build(twin_str source,
                             twin_str conditions,
                             twin_string *text,
                             twin_error *error);

// Begins a query. Nothing is asked of the hub yet.
//
// registry: in.
// text: in, "SELECT * FROM devices WHERE tags.plant = 'Redmond43'".
// page_size: in, rows that one request brings, 1 to 10,000; 0: as the hub likes.
// out: out, not NULL.
// error: out, may be NULL.
// Results: TWIN_INVALID_ARGUMENT; TWIN_CLOSED.
twin_result twin_registry_query(twin_registry registry,
                                twin_str text,
                                uint32_t page_size,
                                twin_query *out,
                                twin_error *error);

// The next row. Fetches a page when the one before is used up. Several threads may share a query: each row comes once.
//
// query: in.
// timeout_ms: in, milliseconds; 0: the registry's own limits. After TWIN_TIMEOUT the same row may be asked for again.
// row: out, not NULL: JSON, a twin or what the query selects; free with twin_string_free.
// error: out, may be NULL; not written for TWIN_END.
// Results: TWIN_END: there is no further row; TWIN_REJECTED and kin: what the hub answered, after which nothing follows.
twin_result twin_query_next(twin_query query,
                            uint32_t timeout_ms,
                            twin_string *row,
                            twin_error *error);

// twin_query_next in the background, as one of the registry's requests; `done` gets the row as JSON, or TWIN_END.
//
// query: in. One that is closed meanwhile still gets its row.
// timeout_ms, done, userdata, error and results: as for twin_client_open_async; TWIN_CLOSED once the registry is closed, too.
twin_result twin_query_next_async(twin_query query,
                                  uint32_t timeout_ms,
                                  twin_done_fn done,
                                  void *userdata,
                                  twin_error *error);

// Ends a query.
//
// query: in.
// error: out, may be NULL.
// Results: TWIN_CLOSED if it was closed before.
twin_result twin_query_close(twin_query query, twin_error *error);

// Makes a registry. Connects to nothing yet.
//
// options: in, not NULL.
// out: out, not NULL.
// error: out, may be NULL.
// Results: TWIN_INVALID_ARGUMENT, whose message names the option and its rule; TWIN_NOT_SUPPORTED.
twin_result twin_registry_new(const twin_registry_options *options, twin_registry *out, twin_error *error);

// Creates a device or module with its twin; the hub makes its keys.
//
// registry: in.
// device_id: in.
// module_id: in; no text: a device.
// timeout_ms: in, milliseconds; 0: the registry's own limits. So everywhere here.
// identity: out, may be NULL: the identity as JSON, keys included: a secret. Free with twin_string_free.
// error: out, may be NULL.
// Results: TWIN_ALREADY_EXISTS; TWIN_NOT_FOUND if a module's device is not there; what the hub answered.
twin_result twin_registry_create(twin_registry registry,
                                 twin_str device_id,
                                 twin_str module_id,
                                 uint32_t timeout_ms,
                                 twin_string *identity,
                                 twin_error *error);

// Creates what an identity document says: keys of its own, thumbprints, disabled, edge.
//
// document: in, JSON as IoT Hub's REST interface has it: {"deviceId":"...","authentication":{...}}.
// Other arguments and results: as for twin_registry_create.
twin_result twin_registry_create_from(twin_registry registry,
                                      twin_str document,
                                      uint32_t timeout_ms,
                                      twin_string *identity,
                                      twin_error *error);

// Reads an identity.
//
// Arguments: as for twin_registry_create. Results: TWIN_NOT_FOUND; what the hub answered.
twin_result twin_registry_get(twin_registry registry,
                              twin_str device_id,
                              twin_str module_id,
                              uint32_t timeout_ms,
                              twin_string *identity,
                              twin_error *error);

// Writes an identity that exists: status, keys, capabilities.
//
// document: in, JSON, as twin_registry_get gave it and changed.
// etag: in: only if this is the current one; no text: in any case.
// Other arguments: as for twin_registry_create. Results: TWIN_PRECONDITION_FAILED; TWIN_NOT_FOUND; what the hub answered.
twin_result twin_registry_update(twin_registry registry,
                                 twin_str document,
                                 twin_str etag,
                                 uint32_t timeout_ms,
                                 twin_string *identity,
                                 twin_error *error);

// Deletes a device with its modules, or a module; their twins go with them.
//
// etag: in: only if this is the identity's current one; no text: in any case.
// Other arguments: as for twin_registry_create. Results: TWIN_NOT_FOUND; TWIN_PRECONDITION_FAILED; what the hub answered.
twin_result twin_registry_delete(twin_registry registry,
                                 twin_str device_id,
                                 twin_str module_id,
                                 twin_str etag,
                                 uint32_t timeout_ms,
                                 twin_error *error);

// Reads a twin, as the backend sees it: tags, desired and reported properties, metadata, etag.
//
// twin: out, may be NULL: JSON; free with twin_string_free.
// Other arguments: as for twin_registry_create. Results: TWIN_NOT_FOUND; what the hub answered.
twin_result twin_registry_get_twin(twin_registry registry,
                                   twin_str device_id,
                                   twin_str module_id,
                                   uint32_t timeout_ms,
                                   twin_string *twin,
                                   twin_error *error);

// Merges a patch into a twin; null removes a member.
//
// change: in, JSON: {"tags":{...},"properties":{"desired":{...}}}, either of the two or both.
// etag: in: only if this is the twin's current one; no text: in any case.
// twin: out, may be NULL: the twin as it is then, JSON; free with twin_string_free.
// Other arguments: as for twin_registry_create.
// Results: TWIN_INVALID_ARGUMENT, TWIN_TOO_LARGE and kin before anything is sent; TWIN_PRECONDITION_FAILED; TWIN_NOT_FOUND.
twin_result twin_registry_update_twin(twin_registry registry,
                                      twin_str device_id,
                                      twin_str module_id,
                                      twin_str change,
                                      twin_str etag,
                                      uint32_t timeout_ms,
                                      twin_string *twin,
                                      twin_error *error);

// Replaces tags and desired properties as a whole: what `change` does not have goes.
//
// Arguments and results: as for twin_registry_update_twin; no nulls.
twin_result twin_registry_replace_twin(twin_registry registry,
                                       twin_str device_id,
                                       twin_str module_id,
                                       twin_str change,
                                       twin_str etag,
                                       uint32_t timeout_ms,
                                       twin_string *twin,
                                       twin_error *error);

// The connection string with which the device or module of an identity connects.
//
// host_name: in, the hub's.
// document: in, the identity as JSON.
// connection_string: out, not NULL: a secret. Free with twin_string_free.
// error: out, may be NULL.
// Results: TWIN_INVALID_ARGUMENT; TWIN_NOT_FOUND: the identity has nothing to connect with.
twin_result twin_identity_connection_string(twin_str host_name,
                                            twin_str document,
                                            twin_string *connection_string,
                                            twin_error *error);

// The descriptor of a registry that was made with TWIN_FLAG_OWN_LOOP; see twin_client_fd.
twin_result twin_registry_fd(twin_registry registry, int *descriptor, twin_error *error);

// Makes the callbacks that wait, on this thread; see twin_client_poll.
twin_result twin_registry_poll(twin_registry registry, uint32_t *made, twin_error *error);

// Ends a registry: asynchronous requests end with TWIN_CLOSED, and as for twin_client_close no callback comes afterwards. Its
// queries live on until they are closed.
//
// registry: in.
// error: out, may be NULL.
// Results: TWIN_CLOSED if it was closed before.
twin_result twin_registry_close(twin_registry registry,
                                twin_error *error);

// twin_registry_create in the background; `done` gets the identity as JSON, keys included: a secret.
//
// done, userdata, error and results: as for twin_client_open_async.
twin_result twin_registry_create_async(twin_registry registry,
                                       twin_str device_id,
                                       twin_str module_id,
                                       uint32_t timeout_ms,
                                       twin_done_fn done,
                                       void *userdata,
                                       twin_error *error);

// twin_registry_create_from in the background; `done` gets the identity as JSON, keys included: a secret.
//
// done, userdata, error and results: as for twin_client_open_async.
twin_result twin_registry_create_from_async(twin_registry registry,
                                            twin_str document,
                                            uint32_t timeout_ms,
                                            twin_done_fn done,
                                            void *userdata,
                                            twin_error *error);

// twin_registry_get in the background; `done` gets the identity as JSON, keys included: a secret.
//
// done, userdata, error and results: as for twin_client_open_async.
twin_result twin_registry_get_async(twin_registry registry,
                                    twin_str device_id,
                                    twin_str module_id,
                                    uint32_t timeout_ms,
                                    twin_done_fn done,
                                    void *userdata,
                                    twin_error *error);

// twin_registry_update in the background; `done` gets the identity as JSON, keys included: a secret.
//
// done, userdata, error and results: as for twin_client_open_async.
twin_result twin_registry_update_async(twin_registry registry,
                                       twin_str document,
                                       twin_str etag,
                                       uint32_t timeout_ms,
                                       twin_done_fn done,
                                       void *userdata,
                                       twin_error *error);

// twin_registry_delete in the background; `done` gets no JSON.
//
// done, userdata, error and results: as for twin_client_open_async.
twin_result twin_registry_delete_async(twin_registry registry,
                                       twin_str device_id,
                                       twin_str module_id,
                                       twin_str etag,
                                       uint32_t timeout_ms,
                                       twin_done_fn done,
                                       void *userdata,
                                       twin_error *error);

// twin_registry_get_twin in the background; `done` gets the twin as JSON.
//
// done, userdata, error and results: as for twin_client_open_async.
twin_result twin_registry_get_twin_async(twin_registry registry,
                                         twin_str device_id,
                                         twin_str module_id,
                                         uint32_t timeout_ms,
                                         twin_done_fn done,
                                         void *userdata,
                                         twin_error *error);

// twin_registry_update_twin in the background; `done` gets the twin as JSON.
//
// done, userdata, error and results: as for twin_client_open_async.
twin_result twin_registry_update_twin_async(twin_registry registry,
                                            twin_str device_id,
                                            twin_str module_id,
                                            twin_str change,
                                            twin_str etag,
                                            uint32_t timeout_ms,
                                            twin_done_fn done,
                                            void *userdata,
                                            twin_error *error);

// twin_registry_replace_twin in the background; `done` gets the twin as JSON.
//
// done, userdata, error and results: as for twin_client_open_async.
twin_result twin_registry_replace_twin_async(twin_registry registry,
                                             twin_str device_id,
                                             twin_str module_id,
                                             twin_str change,
                                             twin_str etag,
                                             uint32_t timeout_ms,
                                             twin_done_fn done,
                                             void *userdata,
                                             twin_error *error);

// The name of a result, for logs: "TWIN_TIMEOUT".
//
// result: any number; an unknown one gives "TWIN_UNKNOWN".
// Returns text that ends in NUL and lives as long as the program; never NULL.
const char *twin_result_name(uint32_t result);

// Whether the same call, made again later, may succeed.
//
// result: any number; an unknown one may not.
bool twin_result_is_retryable(uint32_t result);

// Frees a text that the library gave, and makes it {NULL, 0}, so that freeing the same variable again does nothing.
//
// string: in/out, may be NULL.
void twin_string_free(twin_string *string);

// Asks for the desired properties: first the whole section, then every change in order. Replaces the callback there was.
//
// client: in. Connects, if it is not connected.
// callback: in; NULL ends the subscription. When this call has returned the former callback is not called any more, unless
// this was called from a callback.
// userdata: in, may be NULL: handed to the callback.
// error: out, may be NULL.
// Results: TWIN_CLOSED.
twin_result twin_client_on_desired(twin_client client,
                                   twin_desired_fn callback,
                                   void *userdata,
                                   twin_error *error);

// Asks for the state of the connection: now, and whenever it changes. A slow program hears the latest only.
//
// client: in. Does not make it connect.
// callback: in; NULL ends the subscription.
// userdata: in, may be NULL: handed to the callback.
// error: out, may be NULL.
// Results: TWIN_CLOSED.
twin_result twin_client_on_state(twin_client client,
                                 twin_state_fn callback,
                                 void *userdata,
                                 twin_error *error);

// Asks to be told when a given token ends soon. Nothing ever comes for a key or certificate.
//
// client: in.
// callback: in; NULL ends the subscription.
// userdata: in, may be NULL: handed to the callback.
// error: out, may be NULL.
// Results: TWIN_CLOSED.
twin_result twin_client_on_token_expiring(twin_client client,
                                          twin_expiring_fn callback,
                                          void *userdata,
                                          twin_error *error);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* TWIN_H */

/* Options of a client, all at their defaults. */
static inline twin_client_options twin_client_options_init(void) {
    twin_client_options made;
    memset(&made, 0, sizeof made);
    made.size = sizeof made;
    return made;
}

/* Options of a registry, all at their defaults. */
static inline twin_registry_options twin_registry_options_init(void) {
    twin_registry_options made;
    memset(&made, 0, sizeof made);
    made.size = sizeof made;
    return made;
}

/* Text of a C string, which may be NULL. It is not copied. */
static inline twin_str twin_s(const char *text) {
    twin_str made;
    made.data = text;
    made.len = text ? strlen(text) : 0;
    return made;
}

/* Text of a string that the library gave. It is not copied. */
static inline twin_str twin_view(twin_string text) {
    twin_str made;
    made.data = text.data;
    made.len = text.len;
    return made;
}
